"""The browser's CacheStorage as a cache of bodies by name (sdk/providers/cache.py): all pages of the origin share it.

What was put first goes first when there is no more room. Names are addresses below one that no server has.
"""

from __future__ import annotations

from typing import Any

import js
from pyodide.ffi import to_js

from .opfs import Refused, js_call

__all__ = ["BrowserCache"]

NAME = "tidemark-bodies"
BASE = "https://bodies.invalid/"


class BrowserCache:
    """sdk.providers.contract.Cache"""

    @staticmethod
    def is_there() -> bool:
        """Not on Node, not without a secure context."""
        return hasattr(js, "caches")

    async def _open(self) -> Any:
        return await js_call(js.caches, "open", NAME)

    async def get(self, name: str) -> bytes | None:
        """match"""
        try:
            found = await js_call(await self._open(), "match", BASE + name)
            if not found:
                return None
            return bytes((await js_call(found, "arrayBuffer")).to_bytes())
        except Refused:
            return None

    async def put(self, name: str, data: bytes) -> bool:
        """put; on QuotaExceededError the oldest go, one after the other."""
        try:
            cache = await self._open()
            while True:
                try:
                    await js_call(cache, "put", BASE + name, js.Response.new(to_js(data)))
                    return True
                except Refused as e:
                    if e.name != "QuotaExceededError":
                        return False
                keys = await js_call(cache, "keys")
                if not keys.length:
                    return False
                await js_call(cache, "delete", keys[0])
        except Refused:
            return False

    async def remove(self, name: str) -> None:
        """delete"""
        try:
            await js_call(await self._open(), "delete", BASE + name)
        except Refused:
            return
