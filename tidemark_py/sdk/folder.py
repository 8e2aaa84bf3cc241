"""A folder of the user's machine as a directory of the machine here: both have the same files after each sync().

    handle = await js.window.showDirectoryPicker(...)      # in a click's handler
    folder = await open_folder(rt.fs, "/mnt/work", handle)  # guests and Python see /mnt/work
    done = await folder.sync()                              # both ways; every=2.0 does it by itself

Owns who changed what: a file that only one side changed (size, time) since the last sync goes to the other; what both
changed stays as it is on both sides and is named in `conflicts` until it is told who is right (prefer=). Nothing is
removed that the other side changed. Bodies are copied whole, so it is meant for folders of sources, not of films.
Missing: links and modes do not go outside (there are none), links and special files of the guest are `skipped`.
"""

from __future__ import annotations

import asyncio
import errno
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["Folder", "HostFolder", "Synced", "open_folder"]

Stamp = tuple[float, ...]  # size (-1: a directory), time, and what else tells one version from another
DIRECTORY = -1


class Folder(Protocol):
    """The user's side; paths are relative. All raise OSError."""

    async def scan(self) -> dict[str, tuple[int, float]]:
        """path -> (bytes or -1, time)."""

    async def stamp(self, path: str) -> tuple[int, float] | None:
        """Of one."""

    async def read(self, path: str) -> bytes:
        """All of a file."""

    async def write(self, path: str, data: bytes) -> None:
        """Replace a file."""

    async def mkdir(self, path: str) -> None:
        """There already is no error."""

    async def remove(self, path: str) -> None:
        """A file or an empty directory; nothing there is no error."""


@dataclass(slots=True)
class Synced:
    """Paths, relative to the folder."""

    brought: list[str] = field(default_factory=list)  # from outside
    written: list[str] = field(default_factory=list)  # to outside
    removed: list[str] = field(default_factory=list)  # on either side
    conflicts: list[str] = field(default_factory=list)  # left as they are on both sides
    skipped: list[str] = field(default_factory=list)  # of the guest: links, sockets, devices


class _Guest:
    """The other side, by the same methods."""

    def __init__(self, fs: Any, top: str) -> None:
        self._fs = fs
        self._top = top.rstrip("/")
        self.skipped: list[str] = []

    def _path(self, path: str) -> str:
        return f"{self._top}/{path}" if path else self._top or "/"

    async def scan(self) -> dict[str, Stamp]:
        found: dict[str, Stamp] = {}
        self.skipped = []
        waiting = [""]
        while waiting:
            above = waiting.pop()
            for name in await self._fs.readdir(self._path(above)):
                path = f"{above}/{name}" if above else name
                stamp = await self.stamp(path)
                if stamp is None:
                    continue
                if stamp == ():
                    self.skipped.append(path)
                    continue
                found[path] = stamp
                if stamp[0] == DIRECTORY:
                    waiting.append(path)
        return found

    async def stamp(self, path: str) -> Stamp | None:
        """(): something that does not exist outside."""
        try:
            s = await self._fs.stat(self._path(path), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(s.st_mode):
            return (DIRECTORY,)
        return (s.st_size, s.st_mtime, s.st_ctime, s.st_ino) if stat.S_ISREG(s.st_mode) else ()

    async def read(self, path: str) -> bytes:
        return bytes(await self._fs.read_file(self._path(path)))

    async def write(self, path: str, data: bytes) -> None:
        await self._fs.write_file(self._path(path), data)

    async def mkdir(self, path: str) -> None:
        await self._fs.mkdir(self._path(path), exist_ok=True)

    async def remove(self, path: str) -> None:
        await self._fs.remove(self._path(path))


class HostFolder:
    """One that is open. problem: why the last sync in the background failed, or None."""

    def __init__(self, fs: Any, path: str, folder: Folder) -> None:
        self._guest = _Guest(fs, path)
        self._outside = folder
        self._known: dict[str, tuple[Stamp, Stamp]] = {}  # path -> (outside, guest) when both were the same
        self._one = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.problem: OSError | None = None

    async def sync(self, prefer: Literal["", "outside", "guest"] = "") -> Synced:
        """Make both the same. prefer: who is right where both changed.

        Raises OSError (EACCES: the user does not allow it, EDQUOT, ENOSPC); what was done until then is done, and
        nothing is half written.
        """
        async with self._one:
            return await self._sync(prefer)

    async def _sync(self, prefer: str) -> Synced:
        done = Synced()
        outside: dict[str, Stamp] = {p: _plain(s) for p, s in (await self._outside.scan()).items()}
        guest = await self._guest.scan()
        done.skipped = self._guest.skipped
        gone: list[tuple[str, Any, Stamp]] = []
        for path in sorted({*outside, *guest, *self._known}):
            if path in done.skipped:
                if path in outside:
                    done.conflicts.append(path)
                continue
            was = self._known.get(path, (None, None))
            now = (outside.get(path), guest.get(path))
            theirs, ours = now[0] != was[0], now[1] != was[1]
            if not theirs and not ours:
                continue
            if theirs and ours:
                if await self._equal(path, *now):
                    self._remember(path, *now)
                    continue
                if not prefer:
                    done.conflicts.append(path)
                    continue
                theirs = prefer == "outside"
            source, target = (self._outside, self._guest) if theirs else (self._guest, self._outside)
            new, old = now if theirs else now[::-1]
            if new is None:
                assert old is not None
                gone.append((path, target, old))
            elif await self._copy(path, source, target, new, old):
                (done.brought if theirs else done.written).append(path)
            else:
                done.conflicts.append(path)
        for path, target, old in reversed(gone):  # what is in a directory before it
            await self._remove(path, target, old, done)
        return done

    async def _equal(self, path: str, outside: Stamp | None, guest: Stamp | None) -> bool:
        if outside is None or guest is None or outside[0] != guest[0]:
            return outside is guest
        if outside[0] == DIRECTORY:
            return True
        return await self._outside.read(path) == await self._guest.read(path)

    def _remember(self, path: str, outside: Stamp | None, guest: Stamp | None) -> None:
        if outside is None or guest is None:
            self._known.pop(path, None)
        else:
            self._known[path] = (outside, guest)

    async def _copy(self, path: str, source: Any, target: Any, new: Stamp, old: Stamp | None) -> bool:
        """False: the other side changed meanwhile, or something is in the way."""
        try:
            if old is not None and (old[0] == DIRECTORY) != (new[0] == DIRECTORY):
                await target.remove(path)
                old = None
            parts = path.split("/")
            for depth in range(1, len(parts)):  # gone on that side, when somebody preferred this one
                await target.mkdir("/".join(parts[:depth]))
            if new[0] == DIRECTORY:
                await target.mkdir(path)
            else:
                data = await source.read(path)
                if _plain(await target.stamp(path)) != old:
                    return False
                await target.write(path, data)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError):
            return False
        except OSError as e:
            if _in_the_way(e):
                return False
            raise
        there = _plain(await target.stamp(path))
        pair = (new, there) if target is self._guest else (there, new)
        self._remember(path, *pair)
        return True

    async def _remove(self, path: str, target: Any, old: Stamp, done: Synced) -> None:
        try:
            if _plain(await target.stamp(path)) != old:
                done.conflicts.append(path)
                return
            await target.remove(path)
        except FileNotFoundError:
            pass
        except OSError as e:
            if not _in_the_way(e):
                raise
            done.conflicts.append(path)
            return
        self._known.pop(path, None)
        done.removed.append(path)

    # ---- by itself ----

    def every(self, seconds: float) -> None:
        """sync() so often, until close(); a failure is kept in `problem`, and the next try comes all the same."""

        async def work() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await self.sync()
                    self.problem = None
                except OSError as e:
                    self.problem = e

        self._task = asyncio.ensure_future(work())

    async def close(self) -> Synced:
        """The last sync; the directory stays, as a copy. Raises OSError."""
        if self._task is not None:
            self._task.cancel()
        return await self.sync()


def _plain(stamp: Any) -> Any:
    return None if stamp is None else (DIRECTORY,) if stamp and stamp[0] == DIRECTORY else tuple(stamp)


def _in_the_way(e: OSError) -> bool:
    return e.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EBUSY)


async def open_folder(
    fs: Any,
    path: str,
    handle: Any,
    *,
    every: float = 0.0,
    wrap: Callable[[Any], Folder] | None = None,
) -> HostFolder:
    """Show the folder of `handle` (a FileSystemDirectoryHandle) at directory `path` of rt.fs; it is made when missing.

    every: seconds between syncs, 0: only when sync() is called. Raises OSError as sync() does. wrap: for tests.
    """
    if wrap is None:
        from ..host.folder import HandleFolder

        wrap = HandleFolder
    await fs.mkdir(path, parents=True, exist_ok=True)
    folder = HostFolder(fs, path, wrap(handle))
    await folder.sync()
    if every:
        folder.every(every)
    return folder
