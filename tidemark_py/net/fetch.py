"""FetchBackend: guests' plain HTTP requests by the browser's own fetch, where there is no relay.

A connection to port 80 (or `ports`) is answered here: its requests become fetches of the same URL, by https when
`upgrade` says so, and what comes back is sent on. The browser's rules hold: a server that does not send CORS headers
cannot be read, which the guest is told as 502 with one sentence. So is a redirect: where it leads is not shown to a
page, so the policy cannot be asked; `redirects` follows them unasked. Other ports are unreachable: TLS of a guest's own
cannot be carried (a relay can: WispBackend).
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from functools import partial
from typing import Protocol

from .http import HOP, BadResponse, Headers, Reader

__all__ = ["Answer", "FetchBackend"]

MOST_BODY = 64 << 20
# the browser has undone the coding, so neither is true any more
CODED = {"content-encoding", "content-length"}
# what fetch does not let a page set (Fetch, "forbidden request-header"), and what is the browser's own
UNSENT = HOP | {"accept-encoding", "accept-charset", "content-length", "cookie", "date", "expect", "origin", "referer"}
UNSENT |= {"user-agent", "via", "upgrade", "dnt"}


class Answer(Protocol):
    """What a fetch gives: host/web.py, or a test's."""

    status: int
    reason: str
    headers: Headers

    def pieces(self) -> AsyncIterator[bytes]:
        """The body."""


Fetch = Callable[[str, str, Headers, bytes], Awaitable[Answer]]


async def _browser(url: str, method: str, headers: Headers, body: bytes, redirects: bool = False) -> Answer:
    from ..host.web import fetch_answer

    return await fetch_answer(url, method, headers, body, redirects)


class FetchBackend:
    """net.outside.Backend. ports: those that speak HTTP. upgrade: fetch by https, as a secure page must.

    redirects: let the servers that the policy allows send requests on to any other.
    """

    def __init__(
        self,
        *,
        ports: Collection[int] = (80,),
        upgrade: bool = True,
        redirects: bool = False,
        fetch: Fetch | None = None,
    ) -> None:
        self.ports = frozenset(ports)
        self.upgrade = upgrade
        self._fetch = fetch or partial(_browser, redirects=redirects)

    async def connect(self, host: str, port: int) -> _HttpConnection:
        """Raises OSError(ENETUNREACH) for a port that is none of ours."""
        if port not in self.ports:
            text = f"the browser's fetch cannot carry port {port}: use a relay (WispBackend)"
            raise OSError(errno.ENETUNREACH, text)
        scheme = "https" if self.upgrade else "http"
        place = host if port == 80 else f"{host}:{port}"
        return _HttpConnection(f"{scheme}://{place}", self._fetch)


class _HttpConnection:
    """A net.outside.Connection with an HTTP server behind it that fetches."""

    def __init__(self, origin: str, fetch: Fetch) -> None:
        self._origin = origin
        self._fetch = fetch
        self._requests: asyncio.Queue[bytes] = asyncio.Queue(16)
        self._answers: asyncio.Queue[bytes] = asyncio.Queue(16)
        self._serving = asyncio.ensure_future(self._serve())

    # ---- the guest's side ----

    async def read(self) -> bytes:
        """Connection.read"""
        data = await self._answers.get()
        if not data:
            self._answers.put_nowait(b"")
        return data

    async def write(self, data: bytes) -> None:
        """Connection.write"""
        if self._serving.done():
            raise BrokenPipeError(errno.EPIPE, "the connection was closed")
        await self._requests.put(data)

    async def write_eof(self) -> None:
        """Connection.write_eof"""
        if not self._serving.done():
            await self._requests.put(b"")

    async def close(self) -> None:
        """Connection.close"""
        self._serving.cancel()

    # ---- the server's side ----

    async def _serve(self) -> None:
        reader = Reader(self._requests.get)
        try:
            while await self._one(reader):
                pass
        except BadResponse as e:
            await self._say(400, str(e))
        finally:
            while self._answers.full():
                self._answers.get_nowait()
            self._answers.put_nowait(b"")

    async def _one(self, reader: Reader) -> bool:
        """One request; False when it was the last."""
        if not await reader.more():
            return False
        head = (await reader.until(b"\r\n\r\n", 65536)).decode("latin-1").split("\r\n")
        method, _, rest = head[0].partition(" ")
        target, _, version = rest.rpartition(" ")
        pairs = [line.partition(":") for line in head[1:]]
        if not version.startswith("HTTP/1.") or not target.startswith("/") or any(not c for _, c, _ in pairs):
            raise BadResponse(f"this is no HTTP/1.x request: {head[0][:80]!r}")
        headers = [(name.strip(), value.strip()) for name, _, value in pairs]
        found = {name.lower(): value for name, value in headers}
        if "100-continue" in found.get("expect", "").lower():
            await self._answers.put(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        async for piece in reader.body(found.get("transfer-encoding"), found.get("content-length", "0")):
            body += piece
            if len(body) > MOST_BODY:
                raise BadResponse(f"a request's body may have {MOST_BODY >> 20} MiB here")
        last = version == "HTTP/1.0" or "close" in found.get("connection", "").lower()
        sent = [(k, v) for k, v in headers if k.lower() not in UNSENT and not k.lower().startswith(("sec-", "proxy-"))]
        url = self._origin + target
        try:
            answer = await self._fetch(url, method, sent, body)
        except OSError as e:
            await self._say(502, e.strerror or str(e))
            return not last
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", "Transfer-Encoding: chunked"]
        lines += [f"{k}: {v}" for k, v in answer.headers if k.lower() not in HOP | CODED]
        lines += ["Connection: close"] if last else []
        bodiless = method == "HEAD" or answer.status in (204, 304)
        if bodiless:
            del lines[1]
        await self._answers.put("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        if not bodiless:
            async for piece in answer.pieces():
                if piece:
                    await self._answers.put(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self._answers.put(b"0\r\n\r\n")
        return not last

    async def _say(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        reason = {400: "Bad Request", 502: "Bad Gateway"}[status]
        fields = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}"
        await self._answers.put(f"HTTP/1.1 {status} {reason}\r\n{fields}\r\n\r\n".encode() + body)
