"""What the browser (or Node) does for bytes: fetch, gunzip, SHA-256. The bodies stay in JavaScript memory."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Sequence
from typing import Any

import js
from pyodide.ffi import JsException, to_js

__all__ = ["fetch_array", "fetch_range", "gunzip", "sha256"]


PARTIAL_CONTENT = 206


async def fetch_array(url: str) -> Any:
    """Body of `url` as a Uint8Array. Raises OSError that says what the server or the network said."""
    try:
        response = await js.fetch(url)
    except Exception as e:
        why = "does that server send CORS headers" if _is_foreign(url) else "is the server there"
        raise OSError(f"could not be fetched ({e}); {why}?") from None
    if not response.ok:
        raise OSError(f"the server says {response.status} {response.statusText}")
    return js.Uint8Array.new(await response.arrayBuffer())


async def fetch_range(url: str, start: int, end: int) -> tuple[Any, int]:
    """(Uint8Array, where it starts): bytes start..end of `url`; all of it from a server without ranges. OSError."""
    options = to_js({"headers": {"Range": f"bytes={start}-{end - 1}"}}, dict_converter=js.Object.fromEntries)
    try:
        response = await js.fetch(url, options)
        if not response.ok:
            raise OSError(f"the server says {response.status} {response.statusText}")
        data = js.Uint8Array.new(await response.arrayBuffer())
    except JsException as e:
        raise OSError(f"could not be fetched ({e})") from None
    return data, start if response.status == PARTIAL_CONTENT else 0


def _is_foreign(url: str) -> bool:
    location = getattr(js, "location", None)
    if location is None or "://" not in url:
        return False
    return bool(js.URL.new(url, location.href).origin != location.origin)


async def gunzip(data: Any) -> Any:
    """A Uint8Array unpacked. Raises OSError."""
    try:
        stream = js.Response.new(data).body.pipeThrough(js.DecompressionStream.new("gzip"))
        return js.Uint8Array.new(await js.Response.new(stream).arrayBuffer())
    except Exception as e:
        raise OSError(f"cannot be unpacked ({e})") from None


async def sha256(view: Any) -> str:
    """Hexadecimal digest, or "" where the page is no secure context."""
    if not getattr(js.crypto, "subtle", None):
        return ""
    buffer = await js.crypto.subtle.digest("SHA-256", view)
    return bytes(buffer.to_bytes()).hex()


class Answered:
    """net.fetch.Answer"""

    def __init__(self, response: Any) -> None:
        self.status = int(response.status)
        self.reason = str(response.statusText)
        self.headers: Sequence[tuple[str, str]] = [(str(pair[0]), str(pair[1])) for pair in response.headers]
        self._body = response.body

    async def pieces(self) -> AsyncIterator[bytes]:
        """As they come."""
        if not self._body:
            return
        reader = self._body.getReader()
        while not (step := await reader.read()).done:
            yield step.value.to_bytes()


async def fetch_answer(
    url: str, method: str, headers: Sequence[tuple[str, str]], body: bytes, redirects: bool = False
) -> Answered:
    """One fetch. Raises OSError with a sentence: the browser does not say whether the server or its rules refused, nor
    where a redirect leads."""
    options: dict[str, Any] = {"method": method, "headers": js.Object.fromEntries(to_js(list(headers)))}
    options |= {"redirect": "follow" if redirects else "manual", "credentials": "omit"}
    if body:
        options["body"] = to_js(body)
    try:
        response = await js.fetch(url, js.Object.fromEntries(to_js(list(options.items()), depth=1)))
    except Exception:
        why = "its server is not there, or sends no CORS headers (Access-Control-Allow-Origin)"
        raise OSError(errno.EHOSTUNREACH, f"The browser cannot read {url}: {why}.") from None
    if response.type == "opaqueredirect":
        why = "FetchBackend(redirects=True) follows it wherever it leads, a relay follows the policy"
        raise OSError(errno.EPERM, f"{url} is redirected, and the browser does not say where to: {why}.")
    return Answered(response)
