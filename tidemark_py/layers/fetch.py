"""Layers from a web server, in a browser (or Node): the bodies stay in JavaScript memory.

Owns the names a layer may be asked for by: `layers/busybox` means `layers/busybox.tdl.gz`. The whole blob is hashed by
the browser; only when that differs are the files looked at one by one, to name the bad one.
"""

from __future__ import annotations

from typing import Any

from ..abi.gen.abi import LayerFile
from ..errors import LayerError
from .format import GZIP_MAGIC, Layer, file_parts, parse_manifest

__all__ = ["fetch", "from_array"]


async def fetch(url: str) -> Layer:
    """Get and verify the layer at `url` (`.tdl.gz` is added to a name without suffix). Raises LayerError."""
    import js

    if "." not in url.split("?")[0].rpartition("/")[2]:
        url += ".tdl.gz"
    try:
        response = await js.fetch(url)
    except Exception as e:
        raise LayerError(f"{url}: could not be fetched ({e})") from None
    if not response.ok:
        raise LayerError(f"{url}: the server says {response.status} {response.statusText}")
    buffer = await response.arrayBuffer()
    layer = await from_array(js.Uint8Array.new(buffer), url)
    return layer


async def from_array(data: Any, name: str) -> Layer:
    """A verified layer from a Uint8Array proxy that holds a `.tdl` or `.tdl.gz`. Raises LayerError."""
    import js

    if bytes(data.subarray(0, 2).to_bytes()) == GZIP_MAGIC:
        try:
            stream = js.Response.new(data).body.pipeThrough(js.DecompressionStream.new("gzip"))
            data = js.Uint8Array.new(await js.Response.new(stream).arrayBuffer())
        except Exception as e:
            raise LayerError(f"{name}: cannot be unpacked ({e})") from None
    manifest, index, blob = file_parts(bytes(data.subarray(0, LayerFile.BYTES).to_bytes()), data.length, name)
    layer = Layer(
        parse_manifest(bytes(data.subarray(*manifest).to_bytes()), name),
        bytes(data.subarray(*index).to_bytes()),
        data.subarray(*blob),
        name,
    )
    layer.verify(trust_blob=await _digest(layer.blob) == layer.manifest.get("blob_sha256"))
    return layer


async def _digest(view: Any) -> str:
    import js

    if not getattr(js.crypto, "subtle", None):
        return ""  # not a secure context: every file is hashed in Python instead
    buffer = await js.crypto.subtle.digest("SHA-256", view)
    return bytes(buffer.to_bytes()).hex()
