"""What the preview asks of the elements' server: HTTP requests of the page's own origin, for guests' servers.

The service worker (site/isolation-worker.js) hands over what is asked below _guest/PORT/; js_shim/element/preview.js
brings it here. Cookies are kept here, one jar per port: a service worker's answer may not set any.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from ..net.http import Response, request

__all__ = ["calls"]

PIECE_BYTES = 1 << 20


def calls(elements: Any) -> dict[str, Callable[..., Coroutine[Any, Any, Any]]]:
    """name -> call, for elements.Elements."""
    open_ones: dict[int, tuple[Response, AsyncIterator[bytes]]] = {}
    jars: dict[int, dict[str, str]] = {}
    net = elements.runtime.net
    last = 0

    async def http_open(
        port: int, method: str, path: str, headers: list[list[str]], body: bytes | None = None
    ) -> dict[str, Any]:
        """Status, headers, and a number for http_read. Raises OSError: nobody listens, or no HTTP."""
        nonlocal last
        jar = jars.setdefault(port, {})
        stream = await net.connect(port)
        sent = [(k, v) for k, v in headers if k.lower() != "cookie"]
        if jar:
            sent.append(("Cookie", "; ".join(f"{k}={v}" for k, v in jar.items())))
        try:
            response = await request(stream, method, path, f"localhost:{port}", sent, bytes(body or b""))
        except BaseException:
            await stream.close()
            raise
        for name, value in response.headers:
            if name.lower() == "set-cookie":
                _keep(jar, value)
        last += 1
        open_ones[last] = (response, response.body())
        told = [[k, v] for k, v in response.end_to_end() if k.lower() != "set-cookie"]
        return {"number": last, "status": response.status, "reason": response.reason, "headers": told}

    async def http_read(number: int) -> bytes | None:
        """The next piece of the body; None at the end."""
        found = open_ones.get(number)
        if found is None:
            return None
        whole = b""
        with suppress(StopAsyncIteration):
            whole = await anext(found[1])
        if not whole:
            await http_close(number)
            return None
        return whole

    async def http_close(number: int) -> None:
        """Nobody wants the rest."""
        found = open_ones.pop(number, None)
        if found is not None:
            await found[0].close()

    return {call.__name__: call for call in (http_open, http_read, http_close)}


def _keep(jar: dict[str, str], line: str) -> None:
    """One Set-Cookie line (RFC 6265): name and value; one that has ended already goes."""
    pair, *attributes = line.split(";")
    name, equals, value = pair.strip().partition("=")
    if not equals or not name:
        return
    ended = any(a.strip().lower().replace(" ", "") in ("max-age=0", "max-age=-1") for a in attributes)
    if ended:
        jar.pop(name, None)
    else:
        jar[name] = value
