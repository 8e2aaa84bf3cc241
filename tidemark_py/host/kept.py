"""Where kept file systems lie: two files per name, in the origin's private file system (OPFS) or, on Node, in a folder.

Follows the File System Standard (sync access handles: only in a worker) and the Web Locks API: who may write a name
holds its lock until it closes it or its worker ends. Read only, the files are copied as they are. On Node the folder is
$TIDEMARK_KEPT, or .tidemark-kept where Node was started, and a file with the process's number is the lock.
Callers: host/worker.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from typing import Any

import js
from pyodide.ffi import JsException, create_once_callable, create_proxy, to_js

from .node import is_node
from .opfs import Refused, file_name, js_call, js_object

__all__ = ["Folder", "forget", "open_folder"]

FOLDER = "tidemark-kept"
NAMES = ("log.0", "log.1")
NODE_ROOM_BYTES = 1 << 40


def _error(e: JsException, name: str) -> OSError:
    kind = str(getattr(e, "name", ""))
    code = str(getattr(e, "code", ""))
    if kind == "QuotaExceededError" or code in ("ENOSPC", "EDQUOT"):
        return OSError(errno.ENOSPC, "no room: the quota is reached", name)
    return OSError(errno.EIO, str(getattr(e, "message", e)), name)


class _Opfs:
    """host.contract.KeptFile over a FileSystemSyncAccessHandle."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self._name = name

    def size(self) -> int:
        """getSize"""
        return int(self._handle.getSize())

    def read(self, at: int, count: int) -> bytes:
        """read"""
        array = js.Uint8Array.new(count)
        got = int(self._handle.read(array, js_object(at=at)))
        data: bytes = array.subarray(0, got).to_bytes()
        return data

    def write(self, at: int, data: bytes) -> None:
        """write, all of it"""
        try:
            if int(self._handle.write(to_js(data), js_object(at=at))) < len(data):
                raise OSError(errno.ENOSPC, "no room: the quota is reached", self._name)
        except JsException as e:
            raise _error(e, self._name) from None

    def truncate(self, count: int) -> None:
        """truncate"""
        try:
            self._handle.truncate(count)
        except JsException as e:
            raise _error(e, self._name) from None

    def flush(self) -> None:
        """flush"""
        try:
            self._handle.flush()
        except JsException as e:
            raise _error(e, self._name) from None

    def close(self) -> None:
        """close"""
        self._handle.close()


class _Node:
    """The same over node:fs."""

    def __init__(self, path: str, read_only: bool = False) -> None:
        self._fs = js.process.getBuiltinModule("node:fs")
        constants = self._fs.constants
        self._path = path
        flags = constants.O_RDONLY if read_only else constants.O_RDWR | constants.O_CREAT
        self._fd = self._fs.openSync(path, flags)

    def size(self) -> int:
        """fstat"""
        return int(self._fs.fstatSync(self._fd).size)

    def read(self, at: int, count: int) -> bytes:
        """pread"""
        array = js.Uint8Array.new(count)
        got = int(self._fs.readSync(self._fd, array, 0, count, at))
        data: bytes = array.subarray(0, got).to_bytes()
        return data

    def write(self, at: int, data: bytes) -> None:
        """pwrite"""
        array, done = to_js(data), 0
        try:
            while done < len(data):
                done += int(self._fs.writeSync(self._fd, array, done, len(data) - done, at + done))
        except JsException as e:
            raise _error(e, self._path) from None

    def truncate(self, count: int) -> None:
        """ftruncate"""
        self._fs.ftruncateSync(self._fd, count)

    def flush(self) -> None:
        """fdatasync"""
        try:
            self._fs.fdatasyncSync(self._fd)
        except JsException as e:
            raise _error(e, self._path) from None

    def close(self) -> None:
        """close"""
        self._fs.closeSync(self._fd)


class _Copy:
    """A file as it was."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def size(self) -> int:
        """Bytes."""
        return len(self._data)

    def read(self, at: int, count: int) -> bytes:
        """A slice."""
        return self._data[at : at + count]

    def write(self, at: int, data: bytes) -> None:
        """Never."""
        raise OSError(errno.EROFS, "read only")

    def truncate(self, count: int) -> None:
        """Never."""
        raise OSError(errno.EROFS, "read only")

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class Folder:
    """host.contract.KeptFolder"""

    def __init__(self, files: tuple[Any, ...], release: Callable[[], None]) -> None:
        self.files = files
        self._release = release

    async def room(self) -> int:
        """navigator.storage.estimate()"""
        if is_node():
            return NODE_ROOM_BYTES
        estimate = await js_call(js.navigator.storage, "estimate")
        return max(0, int(estimate.quota) - int(estimate.usage))

    def close(self) -> None:
        """Files first, then the lock."""
        files, self.files = self.files, ()
        for file in files:
            with contextlib.suppress(JsException):
                file.close()
        release, self._release = self._release, lambda: None
        release()


def _busy(name: str) -> OSError:
    return OSError(errno.EBUSY, "another tab has these kept files: close it, or open them read only", name)


async def open_folder(name: str, read_only: bool) -> Folder:
    """Raises OSError: EBUSY, ENOSYS, EACCES."""
    file_name(name)
    if is_node():
        return _open_node(name, read_only)
    if read_only:
        return Folder(await _copies(name), lambda: None)
    release = await _lock(name)
    files: list[_Opfs] = []
    try:
        folder = await _directory(name, create=True)
        for each in NAMES:
            handle = await js_call(folder, "getFileHandle", each, js_object(create=True))
            files.append(_Opfs(await _exclusive(handle, name), name))
    except BaseException as e:
        for file in files:
            file.close()
        release()
        if isinstance(e, Refused):
            raise OSError(errno.EIO, f"the browser refuses its files ({e})", name) from None
        raise
    return Folder(tuple(files), release)


async def _exclusive(handle: Any, name: str) -> Any:
    """A sync access handle. A tab that ends gives its lock back a moment before its files: ask again for a while."""
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 0):
        try:
            return await js_call(handle, "createSyncAccessHandle")
        except Refused as e:
            if e.name == "InvalidStateError" or "is not a function" in str(e):
                raise OSError(errno.ENOSYS, "this browser has no sync access handles", name) from None
            if e.name != "NoModificationAllowedError" or not pause:
                raise _busy(name) from None
        await asyncio.sleep(pause)
    raise _busy(name)


async def _directory(name: str, create: bool) -> Any:
    storage = getattr(getattr(js, "navigator", None), "storage", None)
    if storage is None or not hasattr(storage, "getDirectory"):
        raise OSError(errno.ENOSYS, "nothing can be kept here: it needs a browser page on https or localhost")
    root = await js_call(storage, "getDirectory")
    folder = await js_call(root, "getDirectoryHandle", FOLDER, js_object(create=True))
    return await js_call(folder, "getDirectoryHandle", file_name(name), js_object(create=create))


async def _copies(name: str) -> tuple[_Copy, ...]:
    copies = []
    for each in NAMES:
        data = b""
        try:
            handle = await js_call(await _directory(name, create=False), "getFileHandle", each)
            file = await js_call(handle, "getFile")
            data = bytes((await js_call(file, "arrayBuffer")).to_bytes())
        except Refused as e:
            if e.name != "NotFoundError":
                raise OSError(errno.EIO, f"the kept files cannot be read now ({e})", name) from None
        copies.append(_Copy(data))
    return tuple(copies)


async def _lock(name: str) -> Callable[[], None]:
    """Take the Web Lock; what gives it back. Raises OSError(EBUSY)."""
    locks = getattr(getattr(js, "navigator", None), "locks", None)
    if locks is None:
        raise OSError(errno.ENOSYS, "this browser has no Web Locks")
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    end: list[Any] = []
    until = js.Promise.new(create_once_callable(lambda resolve, _reject: end.append(resolve)))

    def taken(lock: Any) -> Any:
        if not answer.done():
            answer.set_result(bool(lock))
        return until if lock else None

    callback = create_proxy(taken)
    request = locks.request(f"tidemark-kept-{name}", js_object(ifAvailable=True), callback)
    if not await answer:
        callback.destroy()
        raise _busy(name)

    def release() -> None:
        end[0](None)
        _kept.remove(keep)

    keep = (request, callback, until)
    _kept.append(keep)
    return release


_kept: list[Any] = []


async def forget(name: str) -> None:
    """Remove the files; nothing there is no error. Raises OSError(EBUSY)."""
    folder = await open_folder(name, read_only=False)
    folder.close()
    if is_node():
        js.process.getBuiltinModule("node:fs").rmSync(_node_path(name), js_object(recursive=True, force=True))
        return
    root = await js_call(js.navigator.storage, "getDirectory")
    above = await js_call(root, "getDirectoryHandle", FOLDER, js_object(create=True))
    try:
        await js_call(above, "removeEntry", file_name(name), js_object(recursive=True))
    except Refused as e:
        if e.name != "NotFoundError":
            raise OSError(errno.EIO, f"the kept files cannot be removed ({e})", name) from None


# ---- Node ----


def _node_path(name: str) -> str:
    process = js.process
    above = getattr(process.env, "TIDEMARK_KEPT", None) or f"{process.cwd()}/.{FOLDER}"
    return f"{above}/{file_name(name)}"


def _alive(pid: str) -> bool:
    try:
        js.process.kill(int(pid), 0)
    except (JsException, ValueError):
        return False
    return True


def _whole(path: str) -> bytes:
    file = _Node(path, read_only=True)
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def _open_node(name: str, read_only: bool) -> Folder:
    fs, folder = js.process.getBuiltinModule("node:fs"), _node_path(name)
    if read_only:
        there = [f"{folder}/{each}" for each in NAMES]
        return Folder(tuple(_Copy(_whole(p) if fs.existsSync(p) else b"") for p in there), lambda: None)
    lock = f"{folder}/lock"
    try:
        fs.mkdirSync(folder, js_object(recursive=True))
        if fs.existsSync(lock) and not _alive(str(fs.readFileSync(lock, "utf8"))):
            fs.rmSync(lock)
        try:
            fs.writeFileSync(lock, str(js.process.pid), js_object(flag="wx"))
        except JsException:
            raise _busy(name) from None
        files = tuple(_Node(f"{folder}/{each}") for each in NAMES)
    except JsException as e:
        raise _error(e, folder) from None
    return Folder(files, lambda: fs.rmSync(lock, js_object(force=True)))
