"""HTTP/1.1 to a guest's server: one request on a connection of its own (RFC 9112).

Called by sdk/preview_calls.py; the browser does what is above it (caching, redirects, content codings).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

__all__ = ["HOP", "BadResponse", "Headers", "Reader", "Response", "request"]

HEAD_BYTES = 65536
LINE_BYTES = 4096
Headers = Sequence[tuple[str, str]]
# of one connection: not the page's business (RFC 9110 section 7.6.1)
HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "host"}


class BadResponse(OSError):
    """What came is no HTTP/1.x."""


class Stream(Protocol):
    """net.outside.GuestStream, or a test's."""

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""

    async def write(self, data: bytes) -> None:
        """When all was accepted."""

    async def close(self) -> None:
        """The end."""


class Reader:
    """Lines and bodies out of pieces. receive: some bytes; b"" at the end."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive
        self.buffer = b""

    async def more(self) -> bool:
        """Is there anything left?"""
        if not self.buffer:
            self.buffer = await self._receive()
        return bool(self.buffer)

    async def until(self, mark: bytes, most: int) -> bytes:
        """Up to and without `mark`."""
        while mark not in self.buffer:
            data = await self._receive()
            if not data or len(self.buffer) > most:
                raise BadResponse("the answer's head is too long" if data else "the server closed in the middle")
            self.buffer += data
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    async def some(self, most: int) -> bytes:
        """1..most bytes; b"" at the end."""
        await self.more()
        found, self.buffer = self.buffer[:most], self.buffer[most:]
        return found

    async def exactly(self, size: int) -> bytes:
        """size bytes. Raises BadResponse when the end comes first."""
        parts = []
        while size:
            part = await self.some(size)
            if not part:
                raise BadResponse("the server closed in the middle")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    async def body(self, coding: str | None, length: str | None) -> AsyncIterator[bytes]:
        """By chunks, by length, or to the end, as the two headers say. Raises BadResponse when it is cut short."""
        if coding is not None and coding.lower().endswith("chunked"):
            async for piece in self._chunks():
                yield piece
            return
        if length is None:
            while piece := await self.some(1 << 20):
                yield piece
            return
        if not length.isdecimal():
            raise BadResponse(f"the body's length is {length!r}")
        left = int(length)
        while left:
            piece = await self.some(left)
            if not piece:
                raise BadResponse(f"the body ends {left} bytes early")
            left -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            line = (await self.until(b"\r\n", LINE_BYTES)).partition(b";")[0].strip()
            try:
                left = int(line, 16)
            except ValueError:
                raise BadResponse(f"a chunk's length is {line[:20]!r}") from None
            if left < 0:
                raise BadResponse("a chunk's length is negative")
            if left == 0:
                while await self.until(b"\r\n", LINE_BYTES):
                    pass
                return
            while left:
                piece = await self.some(left)
                if not piece:
                    raise BadResponse("the answer ends in the middle of a chunk")
                left -= len(piece)
                yield piece
            await self.until(b"\r\n", LINE_BYTES)


class Response:
    """status, reason, headers as they came; body() once; close() always."""

    def __init__(self, stream: Stream, reader: Reader, method: str, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        code, _, self.reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or len(code) != 3 or not code.isdigit():
            raise BadResponse(f"the server does not speak HTTP/1.x: {lines[0][:80]!r}")
        self.status = int(code)
        pairs = [line.partition(":") for line in lines[1:] if line]
        if any(not colon or not name.strip() for name, colon, _ in pairs):
            raise BadResponse("a header of the answer is malformed")
        self.headers = [(name.strip(), value.strip()) for name, _, value in pairs]
        self._stream = stream
        self._reader = reader
        self._without_body = method == "HEAD" or self.status in (204, 304)

    def header(self, name: str) -> str | None:
        """The first of that name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def end_to_end(self) -> list[tuple[str, str]]:
        """Headers without those of the connection."""
        return [(k, v) for k, v in self.headers if k.lower() not in HOP]

    async def body(self) -> AsyncIterator[bytes]:
        """Pieces as they come. Raises BadResponse when it is cut short."""
        if self._without_body:
            return
        async for piece in self._reader.body(self.header("transfer-encoding"), self.header("content-length")):
            yield piece

    async def close(self) -> None:
        """The connection's end."""
        await self._stream.close()


async def request(
    stream: Stream, method: str, path: str, host: str, headers: Headers = (), body: bytes = b""
) -> Response:
    """Send, and read the answer's head; interim answers (1xx) are passed over. Raises OSError, ValueError."""
    if not path.startswith("/") or any(c in f"{method}{path}{host}" for c in " \r\n"):
        raise ValueError(f"no request: {method!r} {path!r}")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    for name, value in headers:
        if any(c in f"{name}{value}" for c in "\r\n\0"):
            raise ValueError(f"no header: {name!r}")
        if name.lower() not in HOP and name.lower() != "content-length":
            lines.append(f"{name}: {value}")
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    await stream.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
    reader = Reader(stream.read)
    while True:
        response = Response(stream, reader, method, await reader.until(b"\r\n\r\n", HEAD_BYTES))
        if response.status >= 200 or response.status == 101:
            return response
