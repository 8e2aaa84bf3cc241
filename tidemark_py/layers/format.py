"""The file layer: what it is, how it is read and how it is checked.

Owns the `.tdl` format. A layer is a manifest (JSON: where it comes from, packages, licences, a sha256 per file),
an index (layer_header, layer_entry[], strings: abi/layouts.toml, what the kernel reads) and a blob (file bodies, each
starting on a 4 KiB boundary, so that the kernel hands out its pages without copying). On disk: layer_file, then the
three parts; the blob starts on a 4 KiB boundary. A `.tdl.gz` is the same, gzipped, for web servers.

Anybody may call. Missing: lazy layers (bodies fetched by range).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import mmap
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..abi.gen.abi import (
    LAYER_FILE_MAGIC,
    LAYER_FILE_VERSION,
    LAYER_MAGIC,
    LAYER_VERSION,
    LayerEntry,
    LayerFile,
    LayerHeader,
)
from ..errors import LayerError

__all__ = ["Entry", "Layer"]

PAGE_BYTES = 4096  # bodies start at its multiples

Blob = bytes | bytearray | memoryview | mmap.mmap
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a layer. `link` is a symbolic link's target, or for a hard link the path of an earlier entry."""

    path: str
    mode: int
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    link: str = ""
    offset: int = 0
    size: int = 0
    rdev: int = 0

    @property
    def is_hard_link(self) -> bool:
        """True when this is another name of an earlier entry."""
        return stat.S_IFMT(self.mode) == 0

    @property
    def is_file(self) -> bool:
        """True for a regular file (not for a further hard link to it)."""
        return stat.S_ISREG(self.mode)


@dataclass(slots=True)
class Layer:
    """A layer in memory. `blob` is bytes-like; in a browser it may be a Uint8Array proxy (see blob_view)."""

    manifest: dict[str, Any]
    index: bytes
    blob: Any
    source: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """What the layer was built from."""
        return str(self.manifest.get("spec", self.source))

    @property
    def sha256(self) -> str:
        """Identity of the contents: the hash of index and blob together, as the manifest has it."""
        return str(self.manifest.get("sha256", ""))

    @property
    def blob_bytes(self) -> int:
        """Length of the blob."""
        return int(self.blob.length) if hasattr(self.blob, "length") else len(self.blob)

    # ---- reading ----

    @classmethod
    def load(cls, source: str | Path | bytes | bytearray | memoryview) -> Layer:
        """Read a layer from a `.tdl` (or gzipped) file or its bytes. Raises LayerError naming what is wrong with it."""
        if isinstance(source, (str, Path)):
            path = Path(source)
            with path.open("rb") as f:
                if f.read(2) == GZIP_MAGIC:
                    f.seek(0)
                    return cls._parse(memoryview(_gunzip(f.read(), str(path))), str(path))
                if path.stat().st_size < LayerFile.BYTES:
                    raise LayerError(f"{path} is no layer: {path.stat().st_size} bytes are too few")
                # kept mapped: a big layer costs no memory until it is read
                return cls._parse(memoryview(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)), str(path))
        data = bytes(source) if isinstance(source, (bytes, bytearray)) else source
        if bytes(data[:2]) == GZIP_MAGIC:
            data = _gunzip(bytes(data), "layer")
        return cls._parse(memoryview(data), "layer")

    @classmethod
    def _parse(cls, data: memoryview, name: str) -> Layer:
        manifest, index, blob = file_parts(bytes(data[: LayerFile.BYTES]), len(data), name)
        return cls(
            parse_manifest(bytes(data[slice(*manifest)]), name), bytes(data[slice(*index)]), data[slice(*blob)], name
        )

    def dump(self) -> Iterator[bytes]:
        """The bytes of the `.tdl` file, in pieces."""
        manifest = json.dumps(self.manifest, sort_keys=True, separators=(",", ":")).encode()
        index_at = LayerFile.BYTES + len(manifest)
        index_at += -index_at % 8
        blob_at = index_at + len(self.index)
        blob_at += -blob_at % PAGE_BYTES
        yield LayerFile.STRUCT.pack(
            LAYER_FILE_MAGIC, LAYER_FILE_VERSION, LayerFile.BYTES, len(manifest), index_at, len(self.index), blob_at,
            self.blob_bytes, 0,
        )  # fmt: skip
        yield manifest + bytes(index_at - LayerFile.BYTES - len(manifest))
        yield self.index + bytes(blob_at - index_at - len(self.index))
        view = memoryview(self.blob)
        for at in range(0, len(view), 1 << 20):
            yield bytes(view[at : at + (1 << 20)])

    def entries(self) -> Iterator[Entry]:
        """The files, parents before children. Raises LayerError when the index is not sound."""
        if len(self.index) < LayerHeader.BYTES:
            raise LayerError(f"{self.name}: the index is cut off")
        magic, version, count, strings_bytes, _, _ = LayerHeader.STRUCT.unpack_from(self.index)
        if magic != LAYER_MAGIC or version != LAYER_VERSION:
            raise LayerError(f"{self.name}: not a layer index of version {LAYER_VERSION}")
        strings_at = LayerHeader.BYTES + count * LayerEntry.BYTES
        if strings_at + strings_bytes != len(self.index):
            raise LayerError(f"{self.name}: the index has {len(self.index)} bytes, its header says otherwise")
        strings = self.index[strings_at:]
        for row in LayerEntry.STRUCT.iter_unpack(self.index[LayerHeader.BYTES : strings_at]):
            path, path_bytes, link, link_bytes, mode, uid, gid, nsec, sec, offset, size, rdev = row
            if path + path_bytes > strings_bytes or link + link_bytes > strings_bytes:
                raise LayerError(f"{self.name}: the index points outside its strings")
            yield Entry(
                strings[path : path + path_bytes].decode("utf-8", "surrogateescape"), mode, uid, gid,
                sec * 1_000_000_000 + nsec, strings[link : link + link_bytes].decode("utf-8", "surrogateescape"),
                offset, size, rdev,
            )  # fmt: skip

    def body(self, entry: Entry) -> bytes:
        """Contents of a regular file."""
        return self._bytes(entry.offset, entry.offset + entry.size)

    def _bytes(self, start: int, end: int) -> bytes:
        if hasattr(self.blob, "subarray"):
            return bytes(self.blob.subarray(start, end).to_bytes())
        return bytes(memoryview(self.blob)[start:end])

    # ---- checking ----

    def verify(self, trust_blob: bool = False) -> None:
        """Check everything against the manifest's hashes; trust_blob skips the bodies (already checked as a whole).

        Raises LayerError that names the first bad file.
        """
        self._verify_index()
        hashes = self.manifest.get("files")
        if not isinstance(hashes, dict):
            raise LayerError(f"{self.name}: the manifest has no file hashes")
        seen: dict[str, int] = {"": stat.S_IFDIR}
        for e in self.entries():
            self._verify_entry(e, seen)
            seen[e.path] = stat.S_IFMT(e.mode)
            if not e.is_file:
                continue
            if e.path not in hashes:
                raise LayerError(f"{self.name}: /{e.path} has no hash in the manifest")
            if not trust_blob and hashlib.sha256(self.body(e)).hexdigest() != hashes[e.path]:
                raise LayerError(f"{self.name}: /{e.path} is corrupted (its sha256 differs from the manifest's)")
        if not trust_blob and _sha256(self) != self.manifest.get("blob_sha256"):
            raise LayerError(f"{self.name}: the blob is corrupted between its files")

    def _verify_index(self) -> None:
        if hashlib.sha256(self.index).hexdigest() != self.manifest.get("index_sha256"):
            raise LayerError(f"{self.name}: the index is corrupted (its sha256 differs from the manifest's)")
        if len(self.index) < LayerHeader.BYTES:
            raise LayerError(f"{self.name}: the index is cut off")
        if LayerHeader.STRUCT.unpack_from(self.index)[4] != self.blob_bytes:
            raise LayerError(f"{self.name}: the blob has {self.blob_bytes} bytes, the index says otherwise")

    def _verify_entry(self, e: Entry, seen: dict[str, int]) -> None:
        parent, _, last = e.path.rpartition("/")
        if last in ("", ".", "..") or "\0" in e.path or e.path in seen:
            raise LayerError(f"{self.name}: bad or second name {e.path!r} in the index")
        if seen.get(parent) != stat.S_IFDIR:
            raise LayerError(f"{self.name}: /{e.path} comes before its directory")
        if e.is_hard_link and seen.get(e.link) in (None, stat.S_IFDIR, 0):
            raise LayerError(f"{self.name}: /{e.path} is a hard link to {e.link!r}, which is not an earlier file")
        if e.offset % PAGE_BYTES or e.offset + e.size > self.blob_bytes or (e.size and not e.is_file):
            raise LayerError(f"{self.name}: the body of /{e.path} lies outside the blob")

    def packages(self) -> list[dict[str, Any]]:
        """What the layer is made of: name, version, architecture, licences."""
        return list(self.manifest.get("packages", []))


def file_parts(head: bytes, total: int, name: str) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Where manifest, index and blob stand, each as (start, end). Raises LayerError."""
    if len(head) < LayerFile.BYTES or LayerFile.STRUCT.unpack(head)[0] != LAYER_FILE_MAGIC:
        raise LayerError(f"{name} is no layer: it does not begin as one")
    _, version, m, m_bytes, i, i_bytes, b, b_bytes, _ = LayerFile.STRUCT.unpack(head)
    if version != LAYER_FILE_VERSION:
        raise LayerError(f"{name} is a layer of format {version}; this is format {LAYER_FILE_VERSION}: build it again")
    parts = ((m, m + m_bytes), (i, i + i_bytes), (b, b + b_bytes))
    if any(end > total for _, end in parts):
        raise LayerError(f"{name} is cut off: {max(end for _, end in parts)} bytes expected, {total} there")
    return parts


def parse_manifest(text: bytes, name: str) -> dict[str, Any]:
    """The manifest's JSON. Raises LayerError."""
    try:
        manifest = json.loads(text)
    except ValueError as e:
        raise LayerError(f"{name}: the manifest is corrupted ({e})") from None
    if not isinstance(manifest, dict):
        raise LayerError(f"{name}: the manifest is corrupted")
    return manifest


def _gunzip(data: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, ValueError) as e:
        raise LayerError(f"{name}: cannot be unpacked ({e})") from None


def _sha256(layer: Layer) -> str:
    h = hashlib.sha256()
    for at in range(0, layer.blob_bytes, 1 << 22):
        h.update(layer._bytes(at, min(at + (1 << 22), layer.blob_bytes)))
    return h.hexdigest()
