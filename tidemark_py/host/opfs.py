"""Bytes by name in the browser's own file system (OPFS), private to the page's origin; and who may write a name.

Follows the File System Standard: a writable's close() replaces the file as a whole, so a page that ends half way leaves
what was there before. A Web Lock, held for as long as this worker or page lives, keeps a second tab from writing the
same name. Callers: Runtime.fs.save and load, host/kept.py. Missing on Node.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from typing import Any

import js
from pyodide.code import run_js
from pyodide.ffi import create_once_callable, create_proxy, to_js

__all__ = [
    "Refused",
    "file_name",
    "hold",
    "js_call",
    "js_object",
    "read",
    "read_handle",
    "remove",
    "write",
    "write_handle",
]

FOLDER = "tidemark-saved"
_held: dict[str, Any] = {}  # name -> what keeps the lock; for the life of this interpreter


def file_name(name: str) -> str:
    """What a name becomes. Raises ValueError."""
    if not name or len(name) > 100 or not all(c.isalnum() or c in "-_." for c in name) or name.startswith("."):
        raise ValueError(f"{name!r} is no name for saved files: use letters, digits, '-', '_' and '.'")
    return f"{name}.saved"


def js_object(**members: Any) -> Any:
    """A JavaScript object."""
    return to_js(members, dict_converter=js.Object.fromEntries)


class Refused(Exception):
    """What the browser said: a DOMException's name and message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


_caller: Any = None
_CALL = """async (object, method, ...args) => {
  try { return { ok: true, value: await object[method](...args) }; }
  catch (e) { return { ok: false, name: String(e?.name), message: String(e?.message ?? e) }; }
}"""


async def js_call(target: Any, method: str, *args: Any) -> Any:
    """The awaited result of a method. Raises Refused: not all that browsers reject with becomes a Python exception."""
    global _caller
    if _caller is None:
        _caller = run_js(_CALL)
    answer = await _caller(target, method, *args)
    if not answer.ok:
        raise Refused(str(answer.name), str(answer.message))
    return answer.value


async def _folder() -> Any:
    storage = getattr(getattr(js, "navigator", None), "storage", None)
    if storage is None or not hasattr(storage, "getDirectory"):
        raise OSError(errno.ENOSYS, "there is no storage for files here: it needs a browser page on https or localhost")
    try:
        root = await js_call(storage, "getDirectory")
        return await js_call(root, "getDirectoryHandle", FOLDER, js_object(create=True))
    except Refused as e:
        raise OSError(errno.EACCES, f"the browser refuses storage to this page ({e})") from None


async def read(name: str) -> bytes | None:
    """What was written under `name`; None when nothing was. Raises OSError."""
    folder = await _folder()
    try:
        handle = await js_call(folder, "getFileHandle", file_name(name))
    except Refused as e:
        if e.name == "NotFoundError":
            return None
        raise OSError(errno.EIO, f"saved files could not be read ({e})", name) from None
    return await read_handle(handle, name) or None  # empty: a tab ended in the middle of the first write()


async def read_handle(handle: Any, name: str = "") -> bytes:
    """What a FileSystemFileHandle's file has. Raises OSError."""
    try:
        file = await js_call(handle, "getFile")
        buffer = await js_call(file, "arrayBuffer")
    except Refused as e:
        raise OSError(errno.EIO, f"the file could not be read ({e})", name or str(handle.name)) from None
    return bytes(buffer.to_bytes())


async def write(name: str, data: bytes) -> None:
    """Replace what is under `name`, all or nothing. Raises OSError(EDQUOT) with the figures when there is no room."""
    folder = await _folder()
    try:
        handle = await js_call(folder, "getFileHandle", file_name(name), js_object(create=True))
    except Refused as e:
        raise OSError(errno.EIO, f"saved files could not be written ({e})", name) from None
    await write_handle(handle, data, name)


async def write_handle(handle: Any, data: bytes, name: str = "") -> None:
    """Replace a FileSystemFileHandle's file, all or nothing. Raises OSError as write() does."""
    name = name or str(handle.name)
    writable = None
    try:
        writable = await js_call(handle, "createWritable")
        await js_call(writable, "write", to_js(data))
        await js_call(writable, "close")
    except Refused as e:
        if writable is not None:
            with contextlib.suppress(Refused):  # the failure may have closed it
                await js_call(writable, "abort")
        if e.name != "QuotaExceededError":
            raise OSError(errno.EIO, f"saved files could not be written ({e})", name) from None
        estimate = await js_call(js.navigator.storage, "estimate")
        used, most = estimate.usage / 1e6, estimate.quota / 1e6
        text = f"no room for {len(data) / 1e6:.1f} MB: the browser keeps {used:.1f} of at most {most:.1f} MB here"
        raise OSError(errno.EDQUOT, f"{text}; what was saved before is kept", name) from None


async def remove(name: str) -> None:
    """Forget what is under `name`; nothing there is no error."""
    folder = await _folder()
    try:
        await js_call(folder, "removeEntry", file_name(name))
    except Refused as e:
        if e.name != "NotFoundError":
            raise OSError(errno.EIO, f"saved files could not be removed ({e})", name) from None


async def hold(name: str) -> bool:
    """Take the right to write `name`, until this page or worker ends. False while another one has it."""
    file_name(name)
    if name in _held:
        return True
    locks = getattr(getattr(js, "navigator", None), "locks", None)
    if locks is None:
        return True
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    for_ever = js.Promise.new(create_once_callable(lambda *_: None))

    def taken(lock: Any) -> Any:
        if not answer.done():
            answer.set_result(bool(lock))  # null is falsy, None or not
        return for_ever if lock else None

    callback = create_proxy(taken)
    request = locks.request(f"tidemark-saved-{name}", js_object(ifAvailable=True), callback)
    if not await answer:
        callback.destroy()
        return False
    _held[name] = (request, callback, for_ever)
    return True
