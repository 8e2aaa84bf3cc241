"""A folder of the user's machine (or of OPFS): a FileSystemDirectoryHandle, as sdk/folder.py wants it.

Follows the File System Access API and the File System Standard: a file is replaced as a whole when it is closed, links
and modes do not exist. `js.window.showDirectoryPicker({mode: "readwrite"})`, which a click must start, gives a handle.
"""

from __future__ import annotations

import errno
from typing import Any

from pyodide.code import run_js

from .opfs import Refused, js_call, js_object, read_handle, write_handle

__all__ = ["HandleFolder"]

_SCAN = """async (top) => {
  const found = [];
  const walk = async (directory, above) => {
    for await (const [name, handle] of directory.entries()) {
      const path = above + name;
      if (handle.kind === "directory") {
        found.push([path, -1, 0]);
        await walk(handle, path + "/");
      } else {
        try { const file = await handle.getFile(); found.push([path, file.size, file.lastModified]); }
        catch (e) { if (e.name !== "NotFoundError") throw e; }
      }
    }
  };
  try { await walk(top, ""); return { ok: true, found }; }
  catch (e) { return { ok: false, name: String(e?.name), message: String(e?.message ?? e) }; }
}"""
_scan: Any = None


class HandleFolder:
    """sdk.folder.Folder over a handle. Every method raises OSError: EACCES when the user has not allowed it."""

    def __init__(self, handle: Any) -> None:
        self._top = handle

    async def scan(self) -> dict[str, tuple[int, float]]:
        """path -> (bytes, or -1 for a directory; when it was changed, ms since 1970)."""
        global _scan
        if _scan is None:
            _scan = run_js(_SCAN)
        answer = await _scan(self._top)
        if not answer.ok:
            raise self._error(Refused(str(answer.name), str(answer.message)), "")
        return {str(path): (int(size), float(changed)) for path, size, changed in answer.found.to_py()}

    async def stamp(self, path: str) -> tuple[int, float] | None:
        """As scan() has it; None: nothing is there."""
        try:
            above, name = await self._above(path)
            try:
                file = await js_call(await js_call(above, "getFileHandle", name), "getFile")
                return int(file.size), float(file.lastModified)
            except Refused as e:
                if e.name != "TypeMismatchError":
                    raise
                return -1, 0.0
        except Refused as e:
            if e.name == "NotFoundError":
                return None
            raise self._error(e, path) from None

    async def read(self, path: str) -> bytes:
        """All of a file."""
        try:
            above, name = await self._above(path)
            return await read_handle(await js_call(above, "getFileHandle", name), path)
        except Refused as e:
            raise self._error(e, path) from None

    async def write(self, path: str, data: bytes) -> None:
        """Replace a file, all or nothing. OSError(EDQUOT) without room."""
        try:
            above, name = await self._above(path)
            handle = await js_call(above, "getFileHandle", name, js_object(create=True))
        except Refused as e:
            raise self._error(e, path) from None
        await write_handle(handle, data, path)

    async def mkdir(self, path: str) -> None:
        """There already is no error."""
        try:
            above, name = await self._above(path)
            await js_call(above, "getDirectoryHandle", name, js_object(create=True))
        except Refused as e:
            raise self._error(e, path) from None

    async def remove(self, path: str) -> None:
        """A file or an empty directory; nothing there is no error. OSError(ENOTEMPTY)."""
        try:
            above, name = await self._above(path)
            await js_call(above, "removeEntry", name)
        except Refused as e:
            if e.name != "NotFoundError":
                raise self._error(e, path) from None

    async def _above(self, path: str) -> tuple[Any, str]:
        at = self._top
        *directories, name = path.split("/")
        for each in directories:
            at = await js_call(at, "getDirectoryHandle", each)
        return at, name

    def _error(self, e: Refused, path: str) -> OSError:
        codes = {
            "NotAllowedError": errno.EACCES,
            "NotFoundError": errno.ENOENT,
            "InvalidModificationError": errno.ENOTEMPTY,
            "TypeMismatchError": errno.EEXIST,
            "NoModificationAllowedError": errno.EBUSY,
            "TypeError": errno.EINVAL,
        }
        code = codes.get(e.name, errno.EIO)
        text = f"the browser refuses it ({e})"
        if code == errno.EACCES:
            text += "; await handle.requestPermission({mode: 'readwrite'}) in a click's handler asks the user"
        return OSError(code, text, f"{self._top.name}/{path}")
