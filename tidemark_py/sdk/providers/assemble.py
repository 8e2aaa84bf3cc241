"""From fetched files to layers, by kind of item. Pure: same items, same bytes, same layers, in any Python.

Archives, OCI layers and Debian packages that follow each other become one layer; so a file that a later one takes away
(whiteouts of the OCI image format) was never there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import LayerError
from ...layers import archive, debian
from ...layers.format import Layer
from ...layers.lazy import LazyLayer
from ...layers.writer import LayerWriter
from .contract import Item, Progress, ProgressTo

__all__ = ["Lazy", "assemble"]


@dataclass(frozen=True, slots=True)
class Lazy:
    """An index; url: what the blob's address in it is relative to, or with `blob` of the item the blob itself."""

    name: str
    index: bytes
    url: str
    sha256: str


def assemble(items: Sequence[Item], bodies: Sequence[bytes], progress: ProgressTo) -> list[Layer | Lazy]:
    """Layers in order. Raises LayerError that names the item."""
    parts: list[Layer | Lazy] = []
    writer: LayerWriter | None = None
    packages: list[debian.Unpacked] = []
    names: list[str] = []

    def finish() -> None:
        nonlocal writer, packages, names
        if writer is None:
            return
        if packages:
            debian.finish(writer, packages)
            for p in packages:
                p.licences = debian.licences(writer, p.name)
        rows = [
            {"name": p.name, "version": p.version, "architecture": p.architecture, "licences": p.licences}
            for p in packages
        ]
        parts.append(writer.build({"spec": ", ".join(names), "packages": rows}))
        writer, packages, names = None, [], []

    for i, (item, body) in enumerate(zip(items, bodies, strict=True)):
        progress(Progress("verify", item.name, i, len(items)))
        if item.kind in ("layer", "index"):
            finish()
            parts.append(_whole(item, body) if item.kind == "layer" else _lazy(item, body))
            continue
        if writer is None:
            writer = LayerWriter()
            if item.kind == "deb":
                debian.skeleton(writer)
        names.append(item.name)
        try:
            if item.kind == "zip":
                archive.add_zip(writer, body, item.prefix)
            elif item.kind == "deb":
                packages.append(debian.add_deb(writer, body))
            else:
                tar = archive.unpacked(body, item.name)
                if item.diff_sha256 and hashlib.sha256(tar).hexdigest() != item.diff_sha256:
                    raise LayerError("its unpacked bytes are not those of the image's configuration")
                archive.add_tar(writer, tar, item.prefix, whiteouts=item.kind == "oci")
        except LayerError as e:
            text = str(e)
            raise LayerError(text if text.startswith(item.name) else f"{item.name}: {text}") from None
    finish()
    return parts


def _whole(item: Item, body: bytes) -> Layer:
    layer = Layer.load(body)
    layer.source = item.name
    layer.verify()
    return layer


def _lazy(item: Item, body: bytes) -> Lazy:
    plain = archive.unpacked(body, item.name)
    url = item.blob or item.url
    LazyLayer.parse(plain, url)
    return Lazy(item.name, plain, url, hashlib.sha256(plain).hexdigest())
