"""Layers from a web server, in a browser (or Node): the bodies stay in JavaScript memory.

Owns the names a layer may be asked for by: `layers/busybox` means `layers/busybox.tdl.gz`. The whole blob is hashed by
the browser; only when that differs are the files looked at one by one, to name the bad one.
"""

from __future__ import annotations

from typing import Any

from ..abi.gen.abi import LayerFile
from ..errors import LayerError
from .format import GZIP_MAGIC, Layer, file_parts, parse_manifest

__all__ = ["fetch", "from_array", "with_suffix"]


async def fetch(url: str) -> Layer:
    """Get and verify the layer at `url` (`.tdl.gz` is added to a name without suffix). Raises LayerError."""
    from ..host.web import fetch_array

    url = with_suffix(url)
    try:
        data = await fetch_array(url)
    except OSError as e:
        raise LayerError(f"{url}: {e}") from None
    return await from_array(data, url)


def with_suffix(url: str, lazy: bool = False) -> str:
    """`layers/busybox` means `layers/busybox.tdl.gz`, or `layers/busybox.tdx`."""
    path, mark, query = url.partition("?")
    if "." not in path.rpartition("/")[2]:
        path += ".tdx" if lazy else ".tdl.gz"
    return path + mark + query


async def from_array(data: Any, name: str) -> Layer:
    """A verified layer from a Uint8Array proxy that holds a `.tdl` or `.tdl.gz`. Raises LayerError."""
    from ..host.web import gunzip, sha256

    if bytes(data.subarray(0, 2).to_bytes()) == GZIP_MAGIC:
        try:
            data = await gunzip(data)
        except OSError as e:
            raise LayerError(f"{name}: {e}") from None
    manifest, index, blob = file_parts(bytes(data.subarray(0, LayerFile.BYTES).to_bytes()), data.length, name)
    layer = Layer(
        parse_manifest(bytes(data.subarray(*manifest).to_bytes()), name),
        bytes(data.subarray(*index).to_bytes()),
        data.subarray(*blob),
        name,
    )
    # Without a digest (no secure context) every file is hashed in Python instead.
    layer.verify(trust_blob=await sha256(layer.blob) == layer.manifest.get("blob_sha256"))
    return layer
