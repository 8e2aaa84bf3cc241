"""What the preview asks of the elements' server: HTTP requests and WebSockets of its origin, for guests' servers.

The service worker (site/isolation-worker.js) hands over what is asked below _guest/PORT/; js_shim/element/preview.js
brings it here. Cookies are kept here, one jar per port: a service worker's answer may not set any.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from ..net.http import Response, request
from ..net.websocket import ABNORMAL, Closed, WebSocket, open_websocket

__all__ = ["calls"]

PIECE_BYTES = 1 << 20


def calls(elements: Any) -> dict[str, Callable[..., Coroutine[Any, Any, Any]]]:
    """name -> call, for elements.Elements."""
    open_ones: dict[int, tuple[Response, AsyncIterator[bytes]]] = {}
    sockets: dict[int, WebSocket] = {}
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
            sent.append(("Cookie", _cookies(jar)))
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

    async def socket_open(port: int, path: str, protocols: list[str]) -> dict[str, Any]:
        """A WebSocket: its number and the protocol that the server chose. Raises OSError."""
        nonlocal last
        stream = await net.connect(port)
        try:
            host = f"localhost:{port}"
            cookie = _cookies(jars.get(port, {}))
            socket = await open_websocket(stream, path, host, f"http://{host}", protocols, cookie)
        except BaseException:
            await stream.close()
            raise
        last += 1
        sockets[last] = socket
        return {"number": last, "protocol": socket.protocol}

    async def socket_read(number: int) -> dict[str, Any]:
        """The next message, or how it ended."""
        socket = sockets.get(number)
        if socket is None:
            return {"code": ABNORMAL, "reason": ""}
        try:
            return {"message": await socket.receive()}
        except Closed as e:
            sockets.pop(number, None)
            return {"code": e.code, "reason": e.reason}

    async def socket_send(number: int, message: Any) -> None:
        """When the server's end has taken it; to one that has ended: nothing, its reader hears of it."""
        socket = sockets.get(number)
        if socket is not None:
            with suppress(OSError):
                await socket.send(message if isinstance(message, str) else bytes(message))

    async def socket_close(number: int, code: int, reason: str) -> None:
        """The page says goodbye."""
        socket = sockets.get(number)
        if socket is not None:
            await socket.close(code, reason)

    served = (http_open, http_read, http_close, socket_open, socket_read, socket_send, socket_close)
    return {call.__name__: call for call in served}


def _cookies(jar: dict[str, str]) -> str:
    """A Cookie header's value."""
    return "; ".join(f"{k}={v}" for k, v in jar.items())


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
