"""Caches: in memory, in a directory (CPython), and the browser's own, which all pages of the origin share.

A cache is asked by the sha256 of what is wanted (or by that and a piece's number); nothing it says is believed before
it was hashed. When the browser has no more room, what came first goes first; when even that does not help, nothing is
kept.
"""

from __future__ import annotations

import os
from pathlib import Path

from .contract import Cache

__all__ = ["DirectoryCache", "MemoryCache", "default_cache"]


class MemoryCache:
    """For one page, or a test. limit: bytes; what came first goes first."""

    def __init__(self, limit: int = 1 << 30) -> None:
        self.limit = limit
        self.bodies: dict[str, bytes] = {}
        self.held = 0  # bytes of all bodies

    async def get(self, name: str) -> bytes | None:
        """As Cache has it."""
        return self.bodies.get(name)

    async def put(self, name: str, data: bytes) -> bool:
        """As Cache has it."""
        if len(data) > self.limit:
            return False
        self._drop(name)
        while self.held + len(data) > self.limit:
            self._drop(next(iter(self.bodies)))
        self.bodies[name] = data
        self.held += len(data)
        return True

    async def remove(self, name: str) -> None:
        """As Cache has it."""
        self._drop(name)

    def _drop(self, name: str) -> None:
        self.held -= len(self.bodies.pop(name, b""))


class DirectoryCache:
    """Files in a directory of this machine."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    async def get(self, name: str) -> bytes | None:
        """As Cache has it."""
        try:
            return (self.directory / name).read_bytes()
        except OSError:
            return None

    async def put(self, name: str, data: bytes) -> bool:
        """As Cache has it."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            part = self.directory / f".{name}.{os.getpid()}"
            part.write_bytes(data)
            part.replace(self.directory / name)
        except OSError:
            return False
        return True

    async def remove(self, name: str) -> None:
        """As Cache has it."""
        (self.directory / name).unlink(missing_ok=True)


def default_cache() -> Cache:
    """The browser's; without one (Node, CPython, no secure context), memory."""
    try:
        from ...host.cache_storage import BrowserCache
    except ImportError:
        return MemoryCache()
    return BrowserCache() if BrowserCache.is_there() else MemoryCache()
