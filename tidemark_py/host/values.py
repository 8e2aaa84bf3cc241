"""JavaScript values to Python and back, for ports: shallow, so that memories and big arrays stay JavaScript's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js
from pyodide.ffi import JsProxy, create_proxy, to_js

from .contract import Wire

__all__ = ["JsPort", "build_id_of", "from_wire", "js_object", "kept_callback", "text_of", "to_wire"]

_object = js.Object
_from_entries = _object.fromEntries
_u8 = js.Uint8Array
TRANSFER_BYTES = 65536


def to_wire(wire: Wire) -> tuple[Any, Any]:
    """(object, transfer list or None): big byte strings are transferred, not copied twice."""
    value = to_js(wire, dict_converter=_from_entries)
    buffers = None
    for name, part in wire.items():
        if isinstance(part, bytes) and len(part) >= TRANSFER_BYTES:
            if buffers is None:
                buffers = js.Array.new()
            buffers.push(getattr(value, name).buffer)
        elif isinstance(part, JsProxy) and part.constructor.name == "MessagePort":  # can only be given away
            if buffers is None:
                buffers = js.Array.new()
            buffers.push(part)
    return value, buffers


def build_id_of(module: Any) -> str:
    """Which kernel.wasm a compiled module is: the hash its build wrote into it; "" when it has none."""
    sections = js.WebAssembly.Module.customSections(module, "build_id")
    return bytes(_u8.new(sections[0]).to_bytes()).hex() if sections.length else ""


def js_object(mapping: dict[str, Any]) -> Any:
    """A plain JavaScript object; bytes become Uint8Arrays."""
    return to_js(mapping, dict_converter=_from_entries)


def kept_callback(function: Callable[..., Any]) -> Any:
    """The function for JavaScript to call for as long as this interpreter lives."""
    return create_proxy(function)


def from_wire(value: Any) -> Wire:
    """The outer object as a dict; what is inside stays as it is."""
    result: Wire = value.to_py(depth=1)
    return result


def text_of(error: Any) -> str:
    """What a thrown JavaScript value says."""
    return str(getattr(error, "message", None) or error)


class JsPort:
    """A RawPort over a Peer of js_shim/platform.js (or the like)."""

    def __init__(self, peer: Any) -> None:
        self._post = peer.post
        self._listen = peer.listen
        self._proxy: Any = None

    def post(self, wire: Wire) -> None:
        """Send."""
        value, buffers = to_wire(wire)
        if buffers is None:
            self._post(value)
        else:
            self._post(value, buffers)

    def listen(self, received: Callable[[Wire], None]) -> None:
        """Receive."""

        def heard(data: Any) -> None:
            received(data.to_py(depth=1))

        self._proxy = create_proxy(heard)
        self._listen(self._proxy)
