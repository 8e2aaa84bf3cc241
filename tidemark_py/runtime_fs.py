"""RuntimeFS: the guests' file system as users hold it, rt.fs, and FileStat. DESIGN.md section 9.

Every method is a message to the kernel worker (roles/kernel_worker.py), which makes the system calls as init, pid 1.
Made by Runtime, and by shims/remote.py for a Pyodide that is attached over a port. Kept directories: process/kept.py.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .abi.gen import messages as m
from .channel.port import Port
from .layers.lazy import FetchProgress
from .process.kept import KeptDirectories

__all__ = ["FileStat", "RuntimeFS"]


@dataclass(frozen=True, slots=True)
class FileStat:
    """os.stat_result's names."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_uid: int
    st_gid: int
    st_size: int
    st_atime: float
    st_mtime: float
    st_ctime: float


class RuntimeFS(KeptDirectories):
    """The guests' file system, by system calls of init. root: a handle of Runtime.root_new, 0 is the runtime's own."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._absolute_url: Callable[[str], str] = str
        self.on_fetch: Callable[[FetchProgress], None] | None = None
        self.fetches: dict[str, FetchProgress] = {}

    async def write_file(self, path: str, data: bytes | str, mode: int = 0o644, *, root: int = 0) -> None:
        """Replace or make a file; text is UTF-8."""
        await self._port.request(m.FsWriteFile(root, path, _as_bytes(data), mode))

    async def write_files(self, files: Mapping[str, bytes | str], mode: int = 0o644, *, root: int = 0) -> None:
        """Many at once; missing directories are made."""
        await self._port.request(m.FsWriteFiles(root, list(files), [_as_bytes(d) for d in files.values()], mode))

    async def read_file(self, path: str, *, root: int = 0) -> bytes:
        """The whole body."""
        return (await self._port.request(m.FsReadFile(root, path))).data

    async def symlink(self, target: str, path: str, *, root: int = 0) -> None:
        """`path` becomes a symbolic link to `target`."""
        await self._port.request(m.FsSymlink(root, target, path))

    async def readlink(self, path: str, *, root: int = 0) -> str:
        """Where a symbolic link points."""
        return (await self._port.request(m.FsReadlink(root, path))).target

    async def mkdir(
        self, path: str, mode: int = 0o755, *, parents: bool = False, exist_ok: bool = False, root: int = 0
    ) -> None:
        """A directory."""
        await self._port.request(m.FsMkdir(root, path, mode, parents, exist_ok))

    async def stat(self, path: str, *, follow_symlinks: bool = True, root: int = 0) -> FileStat:
        """stat(2)"""
        s = await self._port.request(m.FsStat(root, path, follow_symlinks))
        return FileStat(s.mode, s.ino, s.dev, s.nlink, s.uid, s.gid, s.size, s.atime, s.mtime, s.ctime)

    async def exists(self, path: str, *, root: int = 0) -> bool:
        """Something is there."""
        try:
            await self.stat(path, root=root)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    async def readdir(self, path: str, *, root: int = 0) -> list[str]:
        """Sorted names."""
        return (await self._port.request(m.FsReaddir(root, path))).names

    async def remove(self, path: str, *, recursive: bool = False, root: int = 0) -> None:
        """A file, an empty directory, or a whole tree."""
        await self._port.request(m.FsRemove(root, path, recursive))

    async def rename(self, source: str, target: str, *, root: int = 0) -> None:
        """Replaces `target`."""
        await self._port.request(m.FsRename(root, source, target))

    async def mount(
        self,
        target: str,
        source: str | None = None,
        *,
        type: str = "bind",
        read_only: bool = False,
        options: str = "",
        root: int = 0,
    ) -> None:
        """Show directory or file `source` at `target` too, or with type="tmpfs" a new file system (options: size=64m).

        Through a read-only mount every change is OSError(EROFS), whoever tries; source None makes `target` itself
        read-only where it stands.
        """
        await self._port.request(m.FsMount(root, source or target, target, type, read_only, options))

    async def unmount(self, path: str, *, lazy: bool = False, root: int = 0) -> None:
        """Undo mount(). Raises OSError(EBUSY) while a process uses it, unless lazy."""
        await self._port.request(m.FsUnmount(root, path, lazy))

    async def apply_layer(self, layer: Any, *, root: int = 0, lazy: bool = False) -> int:
        """Add a layer: all or nothing, every body's hash checked. Number of entries. Raises LayerError.

        layer: a layers.Layer, or an address (`.tdl.gz` is added to a name without suffix), which the kernel worker
        fetches itself. Lazy (`.tdx` is added), or an address that ends so: only the index is fetched, file bodies come
        when a guest touches them; see on_fetch and prefetch.
        """
        if isinstance(layer, str):
            from .layers.fetch import with_suffix

            url = self._absolute_url(with_suffix(layer, lazy))
            return (await self._port.request(m.FsApplyLayerUrl(root, url))).entries
        if lazy:
            raise ValueError("a lazy layer is given by its address: apply_layer('layers/NAME.tdx')")
        blob = layer.blob
        if isinstance(blob, memoryview):
            blob = bytes(blob)
        message = m.FsApplyLayer(root, layer.name, layer.index, blob, layer.manifest)
        return (await self._port.request(message)).entries

    async def apply_index(self, index: bytes, url: str, *, root: int = 0) -> int:
        """A lazy layer whose `.tdx` is here; url: what the blob's address in it is relative to. Raises LayerError."""
        return (await self._port.request(m.FsApplyIndex(root, index, url))).entries

    async def prefetch(self, path: str, *, root: int = 0) -> int:
        """Wait until a file, or everything below a directory, is here; how many bytes were not. Raises OSError."""
        return (await self._port.request(m.FsPrefetch(root, path))).fetched

    def _fetched(self, message: m.LayerProgress) -> None:
        progress = FetchProgress(
            message.layer, message.here, message.total, message.fetched, message.requests, message.problem
        )
        self.fetches[message.layer] = progress
        if self.on_fetch is not None:
            self.on_fetch(progress)

    async def snapshot(self, path: str = "/", *, root: int = 0) -> bytes:
        """The tree below `path` as a tar archive."""
        return (await self._port.request(m.FsSnapshot(root, path))).tar

    async def restore(self, tar: bytes, path: str = "/", *, root: int = 0) -> int:
        """Make the tree below `path` what snapshot() said; number of entries.

        Files that the archive lacks go, owners, modes and times come back. Raises TidemarkError for an archive that is
        malformed or would lead outside `path`; then nothing was changed.
        """
        return (await self._port.request(m.FsRestore(root, path, bytes(tar)))).entries

    async def save(self, name: str, paths: Sequence[str] = ("/root", "/home"), *, root: int = 0) -> int:
        """Keep the trees below `paths` in this browser, under `name`, for load() after a reload; bytes stored.

        They go to the origin's private file system (OPFS), as a whole or not at all; a path that is not there is left
        out. Raises OSError(EDQUOT) with the figures when there is no room, OSError(EBUSY) while another tab has it.
        """
        from .host import opfs
        from .state.saved import SavedFiles

        if not await opfs.hold(name):
            raise OSError(errno.EBUSY, "another tab keeps its files under this name: close it, or use another", name)
        trees = {path: await self.snapshot(path, root=root) for path in paths if await self.exists(path, root=root)}
        data = SavedFiles(trees).pack()
        await opfs.write(name, data)
        return len(data)

    async def load(self, name: str, *, root: int = 0) -> bool:
        """Bring back what save() kept under `name`; False when there is nothing.

        Raises TidemarkError when it is damaged: then nothing was changed, and it is kept until forget() or save().
        """
        from .host import opfs
        from .state.saved import SavedFiles

        data = await opfs.read(name)
        if data is None:
            return False
        for path, tar in SavedFiles.unpack(data, name).trees.items():
            await self.restore(tar, path, root=root)
        return True

    async def forget(self, name: str) -> None:
        """Remove what save() kept under `name`."""
        from .host import opfs

        await opfs.remove(name)


def _as_bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)
