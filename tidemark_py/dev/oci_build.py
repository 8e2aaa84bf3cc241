"""OCI image layouts: `build.py layer SPEC -o DIR --oci` writes one, SPEC `oci:DIR[#REF]` reads one.

What is written is a plain image of one tar+gzip layer that any tool reads, and more: bodies in the tar start at 4 KiB
boundaries (by a comment in their pax headers), so that the tar can serve as a layer's blob; the gzip stream is a member
per chunk, so that each can be fetched and unpacked alone; and an index (.tdx) of it lies beside, named by an annotation
of the layer's descriptor. From a plain static server a guest then starts after the index.
Follows the OCI image specification, RFC 1952 (members), pax.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..abi.gen.abi import LAYER_MAGIC, LAYER_VERSION, LayerEntry, LayerHeader
from ..errors import LayerError
from ..layers.format import PAGE_BYTES, Entry, Layer
from ..layers.lazy import CHUNK_SHIFT, index_of
from ..sdk.providers import LocalSource, Oci, install
from ..sdk.providers.oci import INDEX_ANNOTATION, INDEX_BYTES_ANNOTATION, REF_NAME

__all__ = ["flat", "write_image"]

BLOCK = 512
KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    0: tarfile.LNKTYPE,
}


def flat(directory: str, reference: str = "") -> Layer:
    """An image of any number of layers, gzip, zstd or plain, as one layer. Raises LayerError."""
    kept: list[Layer] = []

    class Target:
        async def apply_layer(self, layer: Any, *, root: int = 0) -> int:
            kept.append(layer)
            return int(layer.manifest["entries"])

        async def apply_index(self, index: bytes, url: str, *, root: int = 0) -> int:
            raise LayerError("whole layers were asked for")

    asyncio.run(install(Target(), Oci(str(Path(directory).resolve()), reference, lazy=False), source=LocalSource("/")))
    return kept[0]


class _Stream:
    """A tar as it grows: cut into chunks, each hashed and compressed as a gzip member."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._rest = bytearray()
        self._diff, self._digest = hashlib.sha256(), hashlib.sha256()
        self.position = 0
        self.members = [0]
        self.hashes: list[str] = []

    def write(self, data: bytes) -> None:
        """More of the tar."""
        self._diff.update(data)
        self._rest += data
        self.position += len(data)
        while len(self._rest) >= 1 << CHUNK_SHIFT:
            self._chunk(bytes(self._rest[: 1 << CHUNK_SHIFT]))
            del self._rest[: 1 << CHUNK_SHIFT]

    def end(self) -> tuple[str, str]:
        """(sha256 of the file, sha256 of the tar)."""
        if self._rest:
            self._chunk(bytes(self._rest))
            self._rest.clear()
        return self._digest.hexdigest(), self._diff.hexdigest()

    def _chunk(self, data: bytes) -> None:
        packed = gzip.compress(data, 6, mtime=0)
        self.hashes.append(hashlib.sha256(data).hexdigest())
        self.members.append(self.members[-1] + len(packed))
        self._digest.update(packed)
        self._out.write(packed)


def _header(e: Entry, position: int) -> bytes:
    """The tar header, so that a body starts at a page."""
    info = tarfile.TarInfo(e.path)
    info.type = KINDS[stat.S_IFMT(e.mode)]
    info.mode, info.uid, info.gid, info.size = stat.S_IMODE(e.mode), e.uid, e.gid, e.size if e.is_file else 0
    seconds, rest = divmod(e.mtime_ns, 1_000_000_000)
    info.mtime = seconds
    info.linkname = e.link
    if e.rdev:
        info.devmajor, info.devminor = e.rdev >> 8 & 0xFFF, e.rdev & 0xFF
    pax = {"mtime": f"{seconds}.{rest:09d}"} if rest else {}
    info.pax_headers = dict(pax)
    data = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if not e.size or (position + len(data)) % PAGE_BYTES == 0:
        return data
    fill = 1
    while True:  # a longer comment moves the body by whole blocks
        info.pax_headers = pax | {"comment": "x" * fill}
        data = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        missing = -(position + len(data)) % PAGE_BYTES
        if not missing:
            return data
        fill += missing


def _index(layer: Layer, offsets: dict[str, int], blob_bytes: int) -> bytes:
    """The layer's index, its bodies where they are in the tar."""
    _, _, count, strings, _, _ = LayerHeader.STRUCT.unpack_from(layer.index)
    rows = bytearray()
    table = layer.index[LayerHeader.BYTES : LayerHeader.BYTES + count * LayerEntry.BYTES]
    for row, e in zip(LayerEntry.STRUCT.iter_unpack(table), layer.entries(), strict=True):
        record = LayerEntry(*row)
        record.offset = offsets.get(e.path, 0)
        rows += record.pack()
    head = LayerHeader.STRUCT.pack(LAYER_MAGIC, LAYER_VERSION, count, strings, blob_bytes, 0)
    return head + bytes(rows) + layer.index[LayerHeader.BYTES + len(table) :]


def _tar(layer: Layer, stream: _Stream) -> Iterator[tuple[str, int]]:
    """Write it; (path, where its body is) of each file."""
    for e in layer.entries():
        stream.write(_header(e, stream.position))
        if not e.is_file or not e.size:
            continue
        yield e.path, stream.position
        for at in range(0, e.size, 1 << 20):
            stream.write(layer.body(replace(e, offset=e.offset + at, size=min(1 << 20, e.size - at))))
        stream.write(bytes(-e.size % BLOCK))
    stream.write(bytes(2 * BLOCK))


def write_image(layer: Layer, directory: Path, reference: str = "latest") -> dict[str, int]:
    """Write the layer as an image layout; its sizes: tar, compressed, index. Raises OSError."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    part = blobs / ".part"
    with part.open("wb") as f:
        stream = _Stream(f)
        offsets = dict(_tar(layer, stream))
        digest, diff = stream.end()
    part.replace(blobs / digest)
    index = _index(layer, offsets, stream.position)
    keys = ("spec", "suite", "packages", "slim", "entries", "format")
    manifest = {k: v for k, v in layer.manifest.items() if k in keys}
    manifest |= {"index_sha256": hashlib.sha256(index).hexdigest(), "blob_bytes": stream.position}
    text = index_of(manifest, index, "", 0, stream.hashes, members=stream.members)
    packed = gzip.compress(text, 9, mtime=0)

    def put(data: bytes, media: str, **more: Any) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": media, "digest": f"sha256:{name}", "size": len(data), **more}

    beside = put(packed, "application/octet-stream")
    config = put(
        _json({"architecture": "riscv64", "os": "linux", "config": {},
               "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]}}),
        "application/vnd.oci.image.config.v1+json",
    )  # fmt: skip
    row = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": f"sha256:{digest}",
        "size": stream.members[-1],
        "annotations": {INDEX_ANNOTATION: beside["digest"], INDEX_BYTES_ANNOTATION: str(beside["size"])},
    }
    media = "application/vnd.oci.image.manifest.v1+json"
    document = put(
        _json({"schemaVersion": 2, "mediaType": media, "config": config, "layers": [row]}),
        media,
        platform={"architecture": "riscv64", "os": "linux"},
        annotations={REF_NAME: reference},
    )
    (directory / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    (directory / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [document]}))
    return {"tar": stream.position, "compressed": stream.members[-1], "index": len(packed)}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


assert BLOCK == tarfile.BLOCKSIZE
