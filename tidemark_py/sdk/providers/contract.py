"""What providers and the machinery around them agree on: items, plans, sources, caches, progress.

A provider says what an installation is made of (resolve); everything after that goes by kind of item, is the same for
all of them, and needs nothing but the list: fetch, verify, apply (install.py). So a lockfile is that list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from ...errors import LayerError

__all__ = ["Cache", "Item", "Kind", "Progress", "ProgressTo", "Provider", "Response", "Source", "Step"]

Step = Literal["resolve", "plan", "fetch", "verify", "apply"]
# layer: a .tdl or .tdl.gz; index: a .tdx or .tdx.gz whose bodies come when they are touched; tar, zip: archives;
# oci: a tar that may take files of the layers below away; deb: a Debian package
Kind = Literal["layer", "index", "tar", "zip", "oci", "deb"]
KINDS: tuple[Kind, ...] = ("layer", "index", "tar", "zip", "oci", "deb")


@dataclass(frozen=True, slots=True)
class Item:
    """One file to fetch. bytes 0 and sha256 "": not known before it is here (only a plan made without a lockfile)."""

    kind: Kind
    name: str
    url: str
    sha256: str = ""
    bytes: int = 0
    prefix: str = ""  # archives: the directory they go to
    blob: str = ""  # index: where the bodies are, when the index does not say so itself
    version: str = ""  # deb
    diff_sha256: str = ""  # oci: of the tar, unpacked

    def to_json(self) -> dict[str, Any]:
        """Without what is empty."""
        return {k: v for k, v in asdict(self).items() if v}

    @classmethod
    def from_json(cls, row: Any) -> Item:
        """Raises LayerError."""
        try:
            item = cls(**row)
        except TypeError as e:
            raise LayerError(f"the lockfile is malformed: {e}") from None
        texts = (item.name, item.url, item.sha256, item.prefix, item.blob, item.version, item.diff_sha256)
        if item.kind not in KINDS or not all(isinstance(t, str) for t in texts) or not isinstance(item.bytes, int):
            raise LayerError(f"the lockfile is malformed at {row!r}")
        return item


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done. done and total are bytes while fetching, items in the other steps; total 0: not known."""

    step: Step
    name: str
    done: int
    total: int


ProgressTo = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Response:
    """start: of `data` in the whole; another than asked for where a server has no ranges."""

    data: bytes
    start: int = 0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case


class Source(Protocol):
    """Where bytes come from: source.py."""

    async def get(self, url: str, start: int = 0, end: int = 0, headers: Mapping[str, str] | None = None) -> Response:
        """Bytes start..end, or all when `end` is 0. A status that is no success comes back as it is. Raises OSError."""

    def absolute(self, url: str) -> str:
        """As it will be asked for."""


class Cache(Protocol):
    """Bodies by name, shared by whoever may; it may forget any of them at any time. Nothing here raises."""

    async def get(self, name: str) -> bytes | None:
        """What put() was given; the caller checks it."""

    async def put(self, name: str, data: bytes) -> bool:
        """False: no room."""

    async def remove(self, name: str) -> None:
        """Nothing there is no error."""


class Provider(Protocol):
    """Says what an installation is made of."""

    def describe(self) -> dict[str, Any]:
        """What was asked for, as JSON: goes into the lockfile."""

    async def resolve(self, source: Source, progress: ProgressTo) -> list[Item]:
        """In the order they are applied. Raises LayerError, OSError."""
