"""WispBackend: any number of connections through one WebSocket, by the wisp protocol, version 1.

A packet is a type byte, a stream number (u32, little endian) and what belongs to the type. The server says how many
DATA packets of a stream it takes (CONTINUE): with none left, write() waits. Any public wisp server works.
"""

from __future__ import annotations

import asyncio
import errno
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

__all__ = ["Socket", "WispBackend"]

CONNECT, DATA, CONTINUE, CLOSE = 1, 2, 3, 4
TCP = 1
HEAD = struct.Struct("<BI")
# close reasons of the protocol as connect(2) would say it
REASONS = {
    0x41: (errno.EINVAL, "the relay says: invalid information"),
    0x42: (errno.EHOSTUNREACH, "the relay cannot reach the host"),
    0x43: (errno.ETIMEDOUT, "the relay could not connect in time"),
    0x44: (errno.ECONNREFUSED, "the host refuses the connection"),
    0x47: (errno.ETIMEDOUT, "nothing came for too long"),
    0x48: (errno.EPERM, "the relay does not allow this host"),
    0x49: (errno.EAGAIN, "the relay throttles"),
}
MESSAGE_BYTES = 16384
LOST = (errno.ECONNRESET, "the relay's connection was lost")


class Socket(Protocol):
    """A WebSocket of binary messages: host/websocket.py, or a test's."""

    async def receive(self) -> bytes | None:
        """The next message; None at the end."""

    def send(self, data: bytes) -> None:
        """Queue a message."""

    def close(self) -> None:
        """The end."""


async def _browser(url: str) -> Socket:
    from ..host.websocket import open_websocket

    return await open_websocket(url)


class _Stream:
    def __init__(self, backend: WispBackend, number: int, room: int) -> None:
        self.backend = backend
        self.number = number
        self.room = room
        self.may_write = asyncio.Event()
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self.error: tuple[int, str] | None = None
        self.ended = False

    def end(self, error: tuple[int, str] | None) -> None:
        """The relay, or its loss, has ended it."""
        if not self.ended:
            self.ended, self.error = True, error
            self.incoming.put_nowait(b"")
            self.may_write.set()

    async def read(self) -> bytes:
        """Connection.read"""
        data = await self.incoming.get()
        if not data:
            self.incoming.put_nowait(b"")
            if self.error:
                raise OSError(*self.error)
        return data

    async def write(self, data: bytes) -> None:
        """Connection.write"""
        for at in range(0, len(data), MESSAGE_BYTES):
            while self.room <= 0 and not self.ended:
                self.may_write.clear()
                await self.may_write.wait()
            if self.ended:
                raise BrokenPipeError(errno.EPIPE, "the other side has closed")
            self.room -= 1
            self.backend.packet(DATA, self.number, data[at : at + MESSAGE_BYTES])

    async def write_eof(self) -> None:
        """The protocol has no half close: the other side ends it."""

    async def close(self) -> None:
        """Connection.close"""
        self.backend.forget(self.number, not self.ended)
        self.end(None)


class WispBackend:
    """net.outside.Backend. The WebSocket is opened at the first connect and again after it was lost.

    open_seconds: what a relay has to say its first word.
    """

    def __init__(
        self, url: str, opener: Callable[[str], Awaitable[Socket]] | None = None, *, open_seconds: float = 20.0
    ) -> None:
        self.url = url
        self.open_seconds = open_seconds
        self._opener = opener
        self._socket: Socket | None = None
        self._streams: dict[int, _Stream] = {}
        self._next = 0
        self._room = 0
        self._lock = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, host: str, port: int) -> _Stream:
        """Raises OSError. The protocol does not confirm: an unreachable host is told by the first read."""
        async with self._lock:
            if self._socket is None:
                await self._open()
        self._next += 1
        stream = self._streams[self._next] = _Stream(self, self._next, self._room)
        self.packet(CONNECT, stream.number, struct.pack("<BH", TCP, port) + host.encode("idna"))
        return stream

    async def _open(self) -> None:
        try:
            socket = await (self._opener or _browser)(self.url)
        except OSError as e:
            raise OSError(errno.ENETUNREACH, f"the relay {self.url} cannot be reached: {e.strerror or e}") from None
        try:
            first = await asyncio.wait_for(socket.receive(), self.open_seconds)
        except TimeoutError:
            socket.close()
            raise OSError(errno.ETIMEDOUT, f"{self.url} says nothing for {self.open_seconds:g} s") from None
        if first is None or len(first) < HEAD.size + 4 or first[0] != CONTINUE:
            socket.close()
            raise OSError(errno.EPROTO, f"{self.url} does not speak wisp")
        self._room = struct.unpack_from("<I", first, HEAD.size)[0]
        self._socket = socket
        self._reading = asyncio.ensure_future(self._read(socket))

    async def _read(self, socket: Socket) -> None:
        while (message := await socket.receive()) is not None:
            if len(message) < HEAD.size:
                continue
            kind, number = HEAD.unpack_from(message)
            stream, rest = self._streams.get(number), message[HEAD.size :]
            if stream is None:
                continue
            if kind == DATA and rest:
                stream.incoming.put_nowait(rest)
            elif kind == CONTINUE and len(rest) >= 4:
                stream.room = struct.unpack_from("<I", rest)[0]
                stream.may_write.set()
            elif kind == CLOSE:
                self._streams.pop(number)
                stream.end(REASONS.get(rest[0] if rest else 2))
        self._socket = None
        lost, self._streams = self._streams, {}
        for stream in lost.values():
            stream.end(LOST)

    def packet(self, kind: int, number: int, rest: bytes) -> None:
        """Send one."""
        if self._socket is None:
            raise OSError(*LOST)
        self._socket.send(HEAD.pack(kind, number) + rest)

    def forget(self, number: int, tell: bool) -> None:
        """A stream's own end; the relay is told."""
        if self._streams.pop(number, None) is not None and tell and self._socket is not None:
            self.packet(CLOSE, number, b"\x02")

    def close(self) -> None:
        """End the WebSocket and all that goes through it."""
        if self._socket is not None:
            self._socket.close()
