"""A WebSocket of the browser (or Node) for Python: binary messages, in order."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import js
from pyodide.ffi import create_proxy, to_js

from .values import text_of

__all__ = ["WebSocket", "open_websocket"]


class WebSocket:
    """Made by open_websocket()."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._proxies = {
            "open": create_proxy(self._open),
            "message": create_proxy(self._message),
            "close": create_proxy(self._closed),
        }
        raw.binaryType = "arraybuffer"
        for name, proxy in self._proxies.items():
            raw.addEventListener(name, proxy)

    def _open(self, _: Any) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def _message(self, event: Any) -> None:
        data = event.data
        self._messages.put_nowait(data.encode() if isinstance(data, str) else data.to_bytes())

    def _closed(self, event: Any) -> None:
        self._messages.put_nowait(None)
        if not self._opened.done():
            self._opened.set_exception(OSError(errno.ECONNREFUSED, f"no WebSocket there (code {event.code})"))

    async def receive(self) -> bytes | None:
        """The next message; None at the end, again and again."""
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
        return message

    def send(self, data: bytes) -> None:
        """Queue a message."""
        self._raw.send(to_js(data))

    def close(self) -> None:
        """Say goodbye."""
        self._raw.close()


async def open_websocket(url: str, protocols: list[str] | None = None) -> WebSocket:
    """Raises OSError (ECONNREFUSED, EINVAL)."""
    try:
        raw = js.WebSocket.new(url, to_js(protocols or []))
    except Exception as e:
        raise OSError(errno.EINVAL, text_of(e)) from None
    socket = WebSocket(raw)
    await socket._opened
    return socket
