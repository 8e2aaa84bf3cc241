"""What the browser (or Node) does for bytes: fetch, gunzip, SHA-256. The bodies stay in JavaScript memory."""

from __future__ import annotations

from typing import Any

import js

__all__ = ["fetch_array", "gunzip", "sha256"]


async def fetch_array(url: str) -> Any:
    """Body of `url` as a Uint8Array. Raises OSError that says what the server or the network said."""
    try:
        response = await js.fetch(url)
    except Exception as e:
        raise OSError(f"could not be fetched ({e})") from None
    if not response.ok:
        raise OSError(f"the server says {response.status} {response.statusText}")
    return js.Uint8Array.new(await response.arrayBuffer())


async def gunzip(data: Any) -> Any:
    """A Uint8Array unpacked. Raises OSError."""
    try:
        stream = js.Response.new(data).body.pipeThrough(js.DecompressionStream.new("gzip"))
        return js.Uint8Array.new(await js.Response.new(stream).arrayBuffer())
    except Exception as e:
        raise OSError(f"cannot be unpacked ({e})") from None


async def sha256(view: Any) -> str:
    """Hexadecimal digest, or "" where the page is no secure context."""
    if not getattr(js.crypto, "subtle", None):
        return ""
    buffer = await js.crypto.subtle.digest("SHA-256", view)
    return bytes(buffer.to_bytes()).hex()
