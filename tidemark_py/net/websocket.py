"""WebSocket: the client's half of RFC 6455 over any Connection; what a previewed page speaks to a guest's server.

Called by sdk/preview_calls.py. Pings are answered here, fragments are put together. Malformed frames end the
connection with 1002, a message above MOST_MESSAGE with 1009, text that is no UTF-8 with 1007. Missing: extensions
(none is offered, so a server may use none).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import struct
from collections.abc import Sequence
from contextlib import suppress

from .http import BadResponse, Reader, Response, Stream

__all__ = ["ABNORMAL", "Closed", "WebSocket", "open_websocket"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, GOING, PROTOCOL, NO_CODE, ABNORMAL, NOT_TEXT, TOO_BIG = 1000, 1001, 1002, 1005, 1006, 1007, 1009
HEAD_BYTES = 65536
MOST_MESSAGE = 64 << 20
CLOSE_SECONDS = 5.0  # what the other side has to say goodbye, as browsers grant it


class Closed(Exception):
    """The connection has ended: code and reason as the other side gave them (RFC 6455 section 7.4)."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class WebSocket:
    """After the handshake; made by open_websocket()."""

    def __init__(self, stream: Stream, reader: Reader, protocol: str) -> None:
        self.protocol = protocol
        self._stream = stream
        self._reader = reader
        self._closing = False
        self._end: Closed | None = None

    async def receive(self) -> str | bytes:
        """The next whole message. Raises Closed, again and again."""
        if self._end is None:
            try:
                return await self._message()
            except Closed as e:
                self._end = e
            except OSError:
                self._end = Closed(ABNORMAL)
            await self._stream.close()
        raise self._end

    async def send(self, message: str | bytes) -> None:
        """When the connection has taken it. Raises OSError."""
        text = isinstance(message, str)
        await self._frame(TEXT if text else BINARY, message.encode() if isinstance(message, str) else message)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye; receive() then raises Closed, at the latest after CLOSE_SECONDS."""
        if self._closing or self._end is not None:
            return
        await self._goodbye(code, reason)
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, lambda: asyncio.ensure_future(self._stream.close()))

    async def _goodbye(self, code: int, reason: str = "") -> None:
        if not self._closing:
            self._closing = True
            said = b"" if code == NO_CODE else struct.pack(">H", code) + reason.encode()
            with suppress(OSError):
                await self._frame(CLOSE, said)

    async def _frame(self, kind: int, body: bytes) -> None:
        n = len(body)
        if n < 126:
            head = struct.pack(">BB", 0x80 | kind, 0x80 | n)
        elif n < 65536:
            head = struct.pack(">BBH", 0x80 | kind, 0x80 | 126, n)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, 0x80 | 127, n)
        mask = secrets.token_bytes(4)
        await self._stream.write(head + mask + masked(body, mask))

    async def _message(self) -> str | bytes:
        kind, parts, size = 0, [], 0
        while True:
            last, opcode, body = await self._read_frame(MOST_MESSAGE - size)
            if opcode == PING:
                await self._frame(PONG, body)
            elif opcode == CLOSE:
                await self._closed(body)
            elif opcode != PONG:
                if (opcode == CONTINUED) != bool(kind):
                    await self._fail(PROTOCOL)
                kind = kind or opcode
                parts.append(body)
                size += len(body)
                if last:
                    break
        whole = b"".join(parts)
        if kind == BINARY:
            return whole
        try:
            return whole.decode()
        except UnicodeDecodeError:
            await self._fail(NOT_TEXT)
            raise AssertionError from None  # _fail always raises

    async def _read_frame(self, room: int) -> tuple[bool, int, bytes]:
        first, second = await self._reader.exactly(2)
        opcode, n = first & 0x0F, second & 0x7F
        control = opcode >= CLOSE
        # reserved bits, a masked frame from a server, an unknown kind, a long or fragmented control frame
        known = opcode in (CONTINUED, TEXT, BINARY, CLOSE, PING, PONG)
        if first & 0x70 or second & 0x80 or not known or (control and (n > 125 or not first & 0x80)):
            await self._fail(PROTOCOL)
        if n == 126:
            (n,) = struct.unpack(">H", await self._reader.exactly(2))
        elif n == 127:
            (n,) = struct.unpack(">Q", await self._reader.exactly(8))
        if n > room and not control:
            await self._fail(TOO_BIG)
        return bool(first & 0x80), opcode, await self._reader.exactly(n)

    async def _closed(self, body: bytes) -> None:
        code = struct.unpack_from(">H", body)[0] if len(body) >= 2 else NO_CODE
        reason = body[2:].decode("utf-8", "replace")
        await self._goodbye(code)
        raise Closed(code, reason)

    async def _fail(self, code: int) -> None:
        await self._goodbye(code)
        raise Closed(code if code == TOO_BIG else ABNORMAL)


async def open_websocket(
    stream: Stream, path: str, host: str, origin: str, protocols: Sequence[str] = (), cookie: str = ""
) -> WebSocket:
    """The opening handshake (RFC 6455 section 4.1). Raises OSError; ValueError for what cannot be asked."""
    if not path.startswith("/") or any(c in f"{path}{host}{origin}{cookie}{protocols}" for c in "\r\n\0"):
        raise ValueError(f"no address of a WebSocket: {path!r}")
    key = base64.b64encode(secrets.token_bytes(16))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", f"Origin: {origin}"]
    lines += [f"Sec-WebSocket-Key: {key.decode()}", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Protocol: {', '.join(protocols)}"] if protocols else []
    lines += [f"Cookie: {cookie}"] if cookie else []
    await stream.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
    reader = Reader(stream.read)
    response = Response(stream, reader, "GET", await reader.until(b"\r\n\r\n", HEAD_BYTES))
    if response.status != 101:
        raise BadResponse(f"the server refuses a WebSocket at {path}: {response.status} {response.reason}")
    wanted = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest()).decode()
    chosen = response.header("sec-websocket-protocol") or ""
    if response.header("sec-websocket-accept") != wanted or (chosen and chosen not in protocols):
        raise BadResponse("the server's answer is no WebSocket handshake")
    return WebSocket(stream, reader, chosen)


def masked(body: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask, as one big number."""
    n = len(body)
    key = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(body, "little") ^ int.from_bytes(key, "little")).to_bytes(n, "little")
