"""Providers of what needs no resolving: layers from a web server, archives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...layers.fetch import with_suffix
from .contract import Item, Kind, ProgressTo, Source

__all__ = ["Archive", "Static"]


class Static:
    """Layers that build.py made: names or addresses of .tdl(.gz) and .tdx(.gz), lowest first."""

    def __init__(self, layers: Sequence[str], *, lazy: bool = False) -> None:
        self.layers = [with_suffix(url, lazy) for url in layers]

    def describe(self) -> dict[str, Any]:
        """As Provider has it."""
        return {"provider": "static", "layers": self.layers}

    async def resolve(self, source: Source, progress: ProgressTo) -> list[Item]:
        """As Provider has it."""
        items = []
        for url in self.layers:
            kind: Kind = "index" if url.split("?")[0].endswith((".tdx", ".tdx.gz")) else "layer"
            items.append(Item(kind, url, source.absolute(url)))
        return items


class Archive:
    """A tar (gzip, zstd, xz, bzip2 or plain) or zip, unpacked below `prefix`."""

    def __init__(self, url: str, prefix: str = "/") -> None:
        self.url = url
        self.prefix = prefix

    def describe(self) -> dict[str, Any]:
        """As Provider has it."""
        return {"provider": "archive", "url": self.url, "prefix": self.prefix}

    async def resolve(self, source: Source, progress: ProgressTo) -> list[Item]:
        """As Provider has it."""
        kind: Kind = "zip" if self.url.split("?")[0].lower().endswith((".zip", ".whl")) else "tar"
        return [Item(kind, self.url, source.absolute(self.url), prefix=self.prefix)]
