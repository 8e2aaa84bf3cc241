"""Sources: the browser's fetch, and for tools and tests on CPython, files and urllib.

Owns time limits: a server that says nothing for `seconds` is OSError(ETIMEDOUT), never a hang. Redirects are followed
(registries keep their blobs elsewhere): what comes is believed by its hash, not by where it came from.
"""

from __future__ import annotations

import asyncio
import errno
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from .contract import Response

__all__ = ["LocalSource", "WebSource", "default_source"]

SECONDS = 60.0


class WebSource:
    """The browser's (or Node's) fetch. seconds: how long one request may take."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds

    async def get(self, url: str, start: int = 0, end: int = 0, headers: Mapping[str, str] | None = None) -> Response:
        """fetch()"""
        from ...host.web import fetch_answer

        wanted = dict(headers or {})
        if end:
            wanted["Range"] = f"bytes={start}-{end - 1}"

        async def work() -> Response:
            answer = await fetch_answer(url, "GET", list(wanted.items()), b"", redirects=True)
            data = b"".join([piece async for piece in answer.pieces()])
            names = {k.lower(): v for k, v in answer.headers}
            return Response(data, start if answer.status == 206 else 0, answer.status, names)

        try:
            return await asyncio.wait_for(work(), self.seconds)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, f"no whole answer within {self.seconds:g} s", url) from None

    def absolute(self, url: str) -> str:
        """Against the page's address."""
        from ...host.page import absolute_file_url

        return str(absolute_file_url(url))


class LocalSource:
    """Paths, file: and http: addresses, on CPython. base: what relative paths start at."""

    def __init__(self, base: str | Path = ".", seconds: float = SECONDS) -> None:
        self.base = Path(base).resolve()
        self.seconds = seconds

    async def get(self, url: str, start: int = 0, end: int = 0, headers: Mapping[str, str] | None = None) -> Response:
        """A file, or urllib"""
        if urlsplit(url).scheme in ("http", "https"):
            return await asyncio.to_thread(self._http, url, start, end, dict(headers or {}))
        return self._file(Path(unquote(urlsplit(url).path)), start, end)

    @staticmethod
    def _file(path: Path, start: int, end: int) -> Response:
        if not path.is_file():
            return Response(b"", status=404)
        with path.open("rb") as f:
            f.seek(start)
            return Response(f.read(end - start if end else -1), start, 206 if end else 200)

    def _http(self, url: str, start: int, end: int, headers: dict[str, str]) -> Response:
        if end:
            headers["Range"] = f"bytes={start}-{end - 1}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=self.seconds) as answer:
                names = {k.lower(): v for k, v in answer.headers.items()}
                return Response(answer.read(), start if answer.status == 206 else 0, answer.status, names)
        except urllib.error.HTTPError as e:
            return Response(b"", status=e.code, headers={k.lower(): v for k, v in e.headers.items()})
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, f"no whole answer within {self.seconds:g} s", url) from None

    def absolute(self, url: str) -> str:
        """Against the base."""
        return url if "://" in url else urljoin(self.base.as_uri() + "/", url)


def default_source() -> WebSource | LocalSource:
    """What there is here."""
    return WebSource() if sys.platform == "emscripten" else LocalSource()
