"""Installing: resolve -> plan -> fetch -> verify -> apply, each step told to `progress`, all or nothing.

Big files are fetched in pieces that the cache keeps: an installation that was cut off goes on where it was. What comes
is hashed whole; a mirror that sends other bytes than the lockfile or the index has is an error that names the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ...errors import LayerError
from ...layers.format import Layer
from .assemble import Lazy, assemble
from .bearer import Bearer
from .cache import default_cache
from .contract import Cache, Item, Progress, ProgressTo, Provider, Source
from .lock import Lock, tree_sha256
from .source import default_source

__all__ = ["Installed", "install"]

PIECE_BYTES = 4 << 20


class Target(Protocol):
    """Runtime.fs"""

    async def apply_layer(self, layer: Any, *, root: int = 0) -> int:
        """A whole layer."""

    async def apply_index(self, index: bytes, url: str, *, root: int = 0) -> int:
        """A lazy one."""


@dataclass(frozen=True, slots=True)
class Installed:
    """lock: installs the same again. fetched, cached: bytes. entries: files of the applied layers."""

    lock: Lock
    entries: int
    fetched: int
    cached: int


class _Fetcher:
    def __init__(self, source: Source, cache: Cache, progress: ProgressTo) -> None:
        self._source = source
        self._cache = cache
        self._progress = progress
        self.fetched = self.cached = 0

    async def body(self, item: Item) -> bytes:
        """Verified. Raises LayerError, OSError."""
        if item.sha256 and (data := await self._cache.get(item.sha256)) is not None:
            if hashlib.sha256(data).hexdigest() == item.sha256:
                self.cached += len(data)
                return data
            await self._cache.remove(item.sha256)
        data, pieces = await self._fetch(item)
        self._progress(Progress("verify", item.name, 0, 1))
        digest = hashlib.sha256(data).hexdigest()
        for piece in pieces:
            await self._cache.remove(piece)
        if item.bytes and len(data) != item.bytes:
            raise LayerError(f"{item.name}: {item.url} has {len(data)} bytes, {item.bytes} were expected")
        if item.sha256 and digest != item.sha256:
            raise LayerError(
                f"{item.name}: {item.url} has other bytes than expected: sha256 {digest[:12]} instead of "
                f"{item.sha256[:12]}"
            )
        await self._cache.put(digest, data)
        self._progress(Progress("verify", item.name, 1, 1))
        return data

    async def _fetch(self, item: Item) -> tuple[bytes, list[str]]:
        """All of it, and the names of its pieces in the cache."""
        parts: list[bytes] = []
        names: list[str] = []
        done = 0
        by_piece = bool(item.sha256) and item.bytes > PIECE_BYTES
        self._progress(Progress("fetch", item.name, 0, item.bytes))
        while True:
            end = min(done + PIECE_BYTES, item.bytes) if by_piece else 0
            name = f"{item.sha256}.{done}"
            part = await self._cache.get(name) if by_piece else None
            if part is not None and len(part) == end - done:
                self.cached += len(part)
            else:
                part = await self._request(item, done, end)
                if by_piece and len(part) > end - done:  # a server without ranges sent all of it
                    return part, names
                if by_piece:
                    await self._cache.put(name, part)
            names.append(name)
            parts.append(part)
            done += len(part)
            self._progress(Progress("fetch", item.name, done, item.bytes))
            if not by_piece or done >= item.bytes:
                return b"".join(parts), names

    async def _request(self, item: Item, start: int, end: int) -> bytes:
        try:
            response = await self._source.get(item.url, start, end)
        except OSError as e:
            raise LayerError(f"{item.name}: {item.url}: {e.strerror or e}") from None
        if response.status not in (200, 206):
            raise LayerError(f"{item.name}: {item.url}: the server says {response.status}")
        self.fetched += len(response.data)
        if response.start == start and (not end or len(response.data) in (end - start, item.bytes)):
            return response.data
        if response.start == 0 and end and len(response.data) == item.bytes:
            return response.data  # all of it: the caller sees it by its length
        was = f"bytes {response.start} to {response.start + len(response.data)} came"
        raise LayerError(f"{item.name}: {item.url}: {was}, {start} to {end or 'the end'} were asked for")


async def install(
    target: Target,
    provider: Provider | None = None,
    *,
    lock: Lock | None = None,
    cache: Cache | None = None,
    source: Source | None = None,
    progress: ProgressTo | None = None,
    root: int = 0,
) -> Installed:
    """Install what `provider` resolves to, or exactly what `lock` says, into `target` (rt.fs).

    Raises LayerError when something is not what it should be; then nothing was applied.
    """
    say = progress or (lambda _: None)
    source = source or default_source()
    if lock is not None:
        items, described = lock.items, lock.provider
    elif provider is not None:
        described = provider.describe()
        say(Progress("resolve", str(described.get("provider", "")), 0, 0))
        items = await provider.resolve(source, say)
    else:
        raise ValueError("install() wants a provider or a lock")
    say(Progress("plan", "", len(items), sum(i.bytes for i in items)))
    fetcher = _Fetcher(Bearer(source), cache if cache is not None else default_cache(), say)
    bodies, fixed = [], []
    for item in items:
        body = await fetcher.body(item)
        bodies.append(body)
        fixed.append(replace(item, sha256=hashlib.sha256(body).hexdigest(), bytes=len(body)))
    parts = assemble(fixed, bodies, say)
    tree = tree_sha256([p.sha256 for p in parts])
    if lock is not None and tree != lock.tree:
        raise LayerError(
            f"the lockfile's tree is {lock.tree[:12]}, these files make {tree[:12]}: it was made by another version"
        )
    entries = 0
    for i, part in enumerate(parts):
        say(Progress("apply", part.name, i, len(parts)))
        if isinstance(part, Lazy):
            entries += await target.apply_index(part.index, part.url, root=root)
        else:
            assert isinstance(part, Layer)
            entries += await target.apply_layer(part, root=root)
    say(Progress("apply", "", len(parts), len(parts)))
    return Installed(Lock(described, fixed, tree), entries, fetcher.fetched, fetcher.cached)
