"""The client's half of RFC 6455: handshake, fragments, pings, goodbyes; what is malformed ends the connection."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tidemark_py.net.http import BadResponse
from tidemark_py.net.websocket import GUID, Closed, WebSocket, masked, open_websocket

ACCEPT = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def frame(kind: int, body: bytes, last: bool = True) -> bytes:
    """A server's frame: not masked."""
    n = len(body)
    size = struct.pack(">B", n) if n < 126 else struct.pack(">BH", 126, n) if n < 65536 else struct.pack(">BQ", 127, n)
    return bytes([kind | (0x80 if last else 0)]) + size + body


class Server:
    """A Stream with a server behind it that sends `frames` after the handshake and keeps what it is told."""

    def __init__(self, frames: bytes, head: str = ACCEPT, key: bytes = b"", step: int = 5) -> None:
        self.frames, self.head, self.key, self.step = frames, head, key, step
        self.out = b""
        self.asked = b""
        self.told: list[tuple[int, bytes]] = []
        self.closed = False

    async def read(self) -> bytes:
        data, self.out = self.out[: self.step], self.out[self.step :]
        return data

    async def write(self, data: bytes) -> None:
        if not self.asked:
            self.asked = data
            found = re.search(rb"Sec-WebSocket-Key: (\S+)", data)
            assert found
            digest = hashlib.sha1((self.key or found[1]) + GUID, usedforsecurity=False).digest()
            accept = f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n"
            self.out = (self.head + accept).encode() + self.frames
            return
        assert data[1] & 0x80, "a client masks"
        at = {126: 4, 127: 10}.get(data[1] & 0x7F, 2)
        self.told.append((data[0], masked(data[at + 4 :], data[at : at + 4])))

    async def close(self) -> None:
        self.closed = True


def talk(server: Server, work: Callable[[WebSocket], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """What `work` returns with a socket to `server`."""

    async def main() -> Any:
        return await work(await open_websocket(server, "/echo?x", "localhost:80", "http://localhost:80", **options))

    return asyncio.run(main())


async def everything(socket: WebSocket) -> list[str | bytes | int]:
    """All messages, then the code it ended with."""
    got: list[str | bytes | int] = []
    try:
        while True:
            got.append(await socket.receive())
    except Closed as e:
        return [*got, e.code]


def test_the_request_and_the_chosen_protocol() -> None:
    server = Server(b"", ACCEPT + "Sec-WebSocket-Protocol: two\r\n")

    async def work(socket: WebSocket) -> str:
        return socket.protocol

    assert talk(server, work, protocols=["one", "two"], cookie="a=b") == "two"
    lines = server.asked.decode().split("\r\n")
    assert lines[0] == "GET /echo?x HTTP/1.1"
    assert {"Upgrade: websocket", "Sec-WebSocket-Protocol: one, two", "Cookie: a=b", "Sec-WebSocket-Version: 13"} < set(
        lines
    )


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_messages_of_all_lengths_fragments_and_pings(size: int, step: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    frames = frame(2, body[:size]) + frame(1, "hä".encode()[:2], last=False) + frame(9, b"ping") + frame(10, b"")
    frames += frame(0, "hä".encode()[2:]) + frame(8, struct.pack(">H", 4000) + b"done")
    server = Server(frames, step=step)
    assert talk(server, everything) == [body[:size], "hä", 4000]
    assert server.told == [(0x8A, b"ping"), (0x88, struct.pack(">H", 4000))]
    assert server.closed


@pytest.mark.parametrize("size", [0, 125, 126, 65536])
def test_what_is_sent_is_masked_and_whole(size: int) -> None:
    server = Server(b"")

    async def work(socket: WebSocket) -> None:
        await socket.send(b"\xa5" * size)
        await socket.send("text")

    talk(server, work)
    assert server.told == [(0x82, b"\xa5" * size), (0x81, b"text")]


@pytest.mark.parametrize(
    ("frames", "code", "said"),
    [
        (b"", 1006, None),  # the connection was lost
        (frame(2, b"cut")[:3], 1006, None),
        (b"\xc2\x00", 1006, 1002),  # a reserved bit
        (b"\x82\x81\0\0\0\0x", 1006, 1002),  # masked
        (frame(3, b""), 1006, 1002),  # no such kind
        (frame(0, b""), 1006, 1002),  # nothing to go on with
        (frame(2, b"", last=False) + frame(2, b""), 1006, 1002),
        (frame(9, b"", last=False), 1006, 1002),
        (frame(9, bytes(126)), 1006, 1002),
        (frame(1, b"\xff"), 1006, 1007),
        (b"\x82\x7f" + struct.pack(">Q", 1 << 40), 1009, 1009),
        (frame(8, b""), 1005, 1005),
    ],
)
def test_the_end(frames: bytes, code: int, said: int | None) -> None:
    """code: what receive() says; said: what the server is told."""
    server = Server(frames)
    assert talk(server, everything) == [code]
    told = [(0x88, b"" if said == 1005 else struct.pack(">H", said))] if said else []
    assert server.told == told
    assert server.closed


@pytest.mark.parametrize(
    "server",
    [
        Server(b"", "HTTP/1.1 404 Not Found\r\n"),
        Server(b"", key=b"another"),
        Server(b"", ACCEPT + "Sec-WebSocket-Protocol: unasked\r\n"),
        Server(b"", "no HTTP\r\n"),
    ],
)
def test_no_handshake_is_an_error(server: Server) -> None:
    with pytest.raises(BadResponse):
        talk(server, everything)


def test_an_address_that_would_add_a_line_is_refused() -> None:
    with pytest.raises(ValueError):
        asyncio.run(open_websocket(Server(b""), "/x\r\nEvil: 1", "h", "o"))
