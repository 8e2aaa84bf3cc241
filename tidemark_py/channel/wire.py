"""Messages and errors as plain values. Envelope: {m, id, ...fields}; reply {r, ...fields} or {r, error}.

errno numbers differ between hosts (Pyodide's are WASI's), so errors travel by name.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from .. import errors
from ..abi.gen.messages import Message
from ..host.contract import Wire

__all__ = ["decode", "encode", "error_from_wire", "error_to_wire", "linux_error"]


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return bytes(value.to_bytes()) if hasattr(value, "to_bytes") else bytes(value)


def _plain(value: Any) -> Any:
    return value.to_py() if hasattr(value, "to_py") else value


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": _bytes,
    "json": _plain,
    "object": lambda value: value,
    "list[str]": lambda value: [str(v) for v in value],
    "list[int]": lambda value: [int(v) for v in value],
    "list[bytes]": lambda value: [_bytes(v) for v in value],
}


def encode(message: Message) -> Wire:
    """The fields of a message as a dict."""
    wire: Wire = {"m": message.NAME} if message.NAME else {}
    for name, _ in message.FIELDS:
        wire[name] = getattr(message, name)
    return wire


def decode(cls: type[Message], wire: Wire) -> Message:
    """The message of type `cls` in `wire`. Raises InternalError when a field is missing or wrong."""
    try:
        return cls(*[_DECODERS[kind](wire[name]) for name, kind in cls.FIELDS])
    except (KeyError, TypeError, ValueError) as e:
        raise errors.InternalError(f"message {cls.NAME or cls.__name__} is malformed: {e!r}") from None


def error_to_wire(error: BaseException) -> dict[str, Any]:
    """{kind, errno, text, path} of an exception."""
    if isinstance(error, OSError):
        name = errno.errorcode.get(error.errno or 0, "EIO")
        path = "" if error.filename is None else os.fsdecode(error.filename)
        return {"kind": "os", "errno": name, "text": error.strerror or name, "path": path}
    if isinstance(error, errors.TidemarkError):
        return {"kind": type(error).__name__, "errno": "", "text": str(error), "path": ""}
    return {"kind": "InternalError", "errno": "", "text": f"{type(error).__name__}: {error}", "path": ""}


def error_from_wire(value: Any) -> Exception:
    """The exception that error_to_wire told of."""
    wire = _plain(value)
    if wire["kind"] == "os":
        number = getattr(errno, wire["errno"], errno.EIO)
        return OSError(number, wire["text"], wire["path"]) if wire["path"] else OSError(number, wire["text"])
    cls = getattr(errors, wire["kind"], errors.InternalError)
    result: Exception = cls(wire["text"])
    return result


def linux_error(number: int, path: str | None = None, text: str | None = None) -> OSError:
    """OSError of a Linux errno number, in this host's own numbering so that FileNotFoundError and its like come out."""
    from ..abi.gen.abi import ENOTHERE, ERRNO_TEXT, Errno

    if number == ENOTHERE:
        return errors.NotHere(path)
    try:
        name = Errno(number).name
    except ValueError:
        return OSError(errno.EIO, f"unknown Linux error {number}")
    text = text or ERRNO_TEXT.get(number, name)
    own = getattr(errno, name, None)
    if own is None:
        own, text = errno.EIO, f"{name}: {text}"
    return OSError(own, text) if path is None else OSError(own, text, path)
