"""The page's ends of a guest's streams, in the shapes of asyncio's StreamReader and StreamWriter.

Pull-based: nothing is asked for before somebody reads, so what nobody reads stays in the guest's pipe and blocks its
writer. owner: the Process they belong to.
"""

from __future__ import annotations

import contextlib
from asyncio import IncompleteReadError

from ..abi.gen.messages import StreamClose, StreamRead, StreamWrite, StreamWriteReply
from .later import Later
from .port import Port

__all__ = ["StreamReader", "StreamWriter"]

CHUNK_BYTES = 65536
WRITE_BYTES = 1 << 20


class StreamReader:
    """Reads a pipe's or terminal's output; closes it at its end."""

    def __init__(self, port: Port, fd: int) -> None:
        self._port = port
        self._fd = fd
        self._buffer = bytearray()
        self._eof = False
        self._closed = False

    async def _fill(self, size: int = CHUNK_BYTES) -> bool:
        """More into the buffer; False at the end."""
        if self._eof:
            return False
        data = (await self._port.request(StreamRead(self._fd, size))).data
        if data:
            self._buffer += data
            return True
        self._eof = True
        self.close()
        return False

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def at_eof(self) -> bool:
        """Nothing more will come."""
        return self._eof and not self._buffer

    async def read(self, n: int = -1) -> bytes:
        """At most n bytes, as soon as there are any; all up to the end when n < 0; b"" at the end."""
        if n == 0:
            return b""
        if n < 0:
            while await self._fill():
                pass
            return self._take(len(self._buffer))
        if not self._buffer:
            await self._fill(n)
        return self._take(n)

    async def readexactly(self, n: int) -> bytes:
        """n bytes. Raises IncompleteReadError."""
        while len(self._buffer) < n:
            if not await self._fill():
                raise IncompleteReadError(self._take(n), n)
        return self._take(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Up to and with `separator`. Raises IncompleteReadError."""
        start = 0
        while (at := self._buffer.find(separator, start)) < 0:
            start = max(0, len(self._buffer) - len(separator) + 1)
            if not await self._fill():
                raise IncompleteReadError(self._take(len(self._buffer)), None)
        return self._take(at + len(separator))

    async def readline(self) -> bytes:
        """A line with its newline; what is left at the end."""
        try:
            return await self.readuntil()
        except IncompleteReadError as e:
            return e.partial

    def __aiter__(self) -> StreamReader:
        return self

    async def __anext__(self) -> bytes:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    def close(self) -> None:
        """Our end goes away: the guest gets SIGPIPE when it writes on."""
        if not self._closed:
            self._closed = True
            self._port.request(StreamClose(self._fd))

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be going down
            self.close()


class StreamWriter:
    """Feeds a guest's stdin or terminal."""

    def __init__(self, port: Port, fd: int, owns: bool = True) -> None:
        self._port = port
        self._fd = fd
        self._owns = owns  # a terminal's reader closes it
        self._unwritten = 0
        self._error: Exception | None = None
        self._waiting: list[Later[None]] = []
        self._closing = False
        self._closed: Later[None] = Later()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; await drain() to learn that the guest's pipe took it."""
        if self._closing:
            raise ValueError("write to a closed stream")
        view = memoryview(data).cast("B")
        for at in range(0, len(view), WRITE_BYTES):
            self._unwritten += 1
            self._port.request(StreamWrite(self._fd, bytes(view[at : at + WRITE_BYTES]))).then(self._written)

    def writelines(self, lines: list[bytes]) -> None:
        """Each in turn."""
        for line in lines:
            self.write(line)

    def _written(self, later: Later[StreamWriteReply]) -> None:
        self._unwritten -= 1
        try:
            later.result()
        except Exception as e:
            self._error = e
        if self._unwritten == 0:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.resolve(None)
            if self._closing:
                self._close_now()

    async def drain(self) -> None:
        """All that was written is in the guest's pipe. Raises BrokenPipeError when nobody reads it any more."""
        if self._unwritten:
            waiting: Later[None] = Later()
            self._waiting.append(waiting)
            await waiting
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End of the stream, after everything written so far."""
        if not self._closing:
            self._closing = True
            if self._unwritten == 0:
                self._close_now()

    def _close_now(self) -> None:
        if self._owns:
            self._port.request(StreamClose(self._fd)).then(lambda _: self._closed.resolve(None))
        else:
            self._closed.resolve(None)

    def is_closing(self) -> bool:
        """close() was called."""
        return self._closing

    def can_write_eof(self) -> bool:
        """A pipe ends by closing it."""
        return self._owns

    def write_eof(self) -> None:
        """close()"""
        self.close()

    async def wait_closed(self) -> None:
        """The end has arrived."""
        await self._closed
