"""Lazy layers: an index of their own (`.tdx`), and bodies that are fetched by range when a guest touches them.

Owns the `.tdx` format: a layer_file without a blob, whose manifest has under "lazy" where the blob is (an address
relative to the index's, and an offset in it: a `.tdl` serves as it is), and a sha256 per chunk of it. With "members"
the blob is there as gzip, a member per chunk (an OCI layer: dev/oci_build.py), and these are their offsets. The query
of the index's address is carried over to the blob's. A `.tdx.gz` is the same, gzipped. Written by the tools, read by
the kernel worker (roles/layer_fetcher.py); who changes the blob without the index gets an error, never other bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from ..abi.gen.abi import LAYER_FILE_MAGIC, LAYER_FILE_VERSION, LAYER_MAGIC, LayerFile, LayerHeader
from ..errors import LayerError
from .format import Layer, file_parts, parse_manifest

__all__ = ["CHUNK_SHIFT", "FetchProgress", "LazyLayer", "index_file", "index_of"]

CHUNK_SHIFT = 17  # 128 KiB: what one small program touches is mostly less
DIGEST_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class LazyLayer:
    """A parsed and checked index. `url` is the blob's absolute address, `offset` where in it the bodies start."""

    manifest: dict[str, Any]
    index: bytes
    url: str
    offset: int
    blob_bytes: int
    chunk_shift: int
    hashes: list[str]
    name: str
    members: list[int] | None = None  # offsets of the chunks' gzip members and, last, the end

    def place(self, first: int, end: int) -> tuple[int, int]:
        """Where chunks first..end are at the url: bytes (start, end)."""
        if self.members is not None:
            return self.offset + self.members[first], self.offset + self.members[end]
        low, high = first << self.chunk_shift, min(end << self.chunk_shift, self.blob_bytes)
        return self.offset + low, self.offset + high

    @classmethod
    def parse(cls, data: bytes, url: str) -> LazyLayer:
        """The index in the bytes of a `.tdx` that came from `url`. Raises LayerError."""
        manifest_at, index_at, _ = file_parts(data[: LayerFile.BYTES], len(data), url)
        manifest = parse_manifest(data[slice(*manifest_at)], url)
        index = data[slice(*index_at)]
        lazy = manifest.get("lazy")
        name = str(manifest.get("spec", url))
        if not isinstance(lazy, dict):
            raise LayerError(f"{name}: not the index of a lazy layer; write one with `build.py layer ... -o NAME.tdx`")
        if hashlib.sha256(index).hexdigest() != manifest.get("index_sha256") or len(index) < LayerHeader.BYTES:
            raise LayerError(f"{name}: the index is corrupted (its sha256 differs from the manifest's)")
        magic, _, _, _, blob_bytes, _ = LayerHeader.STRUCT.unpack_from(index)
        try:
            shift, hashes, offset = int(lazy["chunk_shift"]), list(lazy["sha256"]), int(lazy["offset"])
            address = str(lazy["url"])
            members = [int(at) for at in lazy["members"]] if "members" in lazy else None
        except (KeyError, TypeError, ValueError) as e:
            raise LayerError(f"{name}: the manifest is corrupted ({e!r})") from None
        chunks = -(-blob_bytes >> shift) if 12 <= shift <= 30 else -1
        if magic != LAYER_MAGIC or len(hashes) != chunks or any(len(h) != DIGEST_CHARACTERS for h in hashes):
            raise LayerError(f"{name}: the manifest's chunks are not those of the index")
        if members is not None and (len(members) != chunks + 1 or members != sorted(members) or members[0] < 0):
            raise LayerError(f"{name}: the manifest's members are not those of its chunks")
        return cls(manifest, index, _address(url, address), offset, blob_bytes, shift, hashes, name, members)


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far a lazy layer has come: what RuntimeFS.on_fetch is called with, and RuntimeFS.fetches holds by layer."""

    layer: str
    here: int  # bytes of file bodies that are here
    total: int  # bytes of file bodies
    fetched: int  # bytes that came over the network
    requests: int
    problem: str  # why the last request failed, or ""


def _address(index_url: str, blob_url: str) -> str:
    whole = urlsplit(urljoin(index_url, blob_url))
    query = whole.query or urlsplit(index_url).query
    return urlunsplit((whole.scheme, whole.netloc, whole.path, query, ""))


def index_file(layer: Layer, blob_url: str, blob_offset: int = 0, chunk_shift: int = CHUNK_SHIFT) -> bytes:
    """The `.tdx` of a whole layer, whose blob will be had at `blob_url` from byte `blob_offset` on."""
    step = 1 << chunk_shift
    hashes = [hashlib.sha256(layer._bytes(at, min(at + step, layer.blob_bytes))).hexdigest()
              for at in range(0, layer.blob_bytes, step)]  # fmt: skip
    manifest = {k: v for k, v in layer.manifest.items() if k != "files"}  # the chunks' hashes say it all
    return index_of(manifest, layer.index, blob_url, blob_offset, hashes, chunk_shift)


def index_of(
    manifest: dict[str, Any],
    index: bytes,
    url: str,
    offset: int,
    hashes: list[str],
    chunk_shift: int = CHUNK_SHIFT,
    members: list[int] | None = None,
) -> bytes:
    """A `.tdx` of its parts."""
    lazy = {"url": url, "offset": offset, "chunk_shift": chunk_shift, "sha256": hashes}
    manifest = {**manifest, "lazy": lazy if members is None else {**lazy, "members": members}}
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    index_at = LayerFile.BYTES + len(text)
    index_at += -index_at % 8
    head = LayerFile.STRUCT.pack(
        LAYER_FILE_MAGIC, LAYER_FILE_VERSION, LayerFile.BYTES, len(text), index_at, len(index), 0, 0, 0
    )
    return head + text + bytes(index_at - LayerFile.BYTES - len(text)) + index
