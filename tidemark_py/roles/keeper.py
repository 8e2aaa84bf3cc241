"""Keeper: keeps the changes of file systems of type "kept" in files of the host (OPFS in a browser, a folder on Node).

Owned by the kernel worker. The kernel says NOTIFY_JOURNAL when something changed or somebody waits in fsync(2); a round
takes all changes (kernel/file/journal.c), writes them as one transaction (state/kept.py), makes them durable and only
then says so. Without anybody waiting a round comes COMMIT_SECONDS after the first change. Everything a round does is
synchronous: nothing comes between. When the log is more than twice as long as the tree, the round writes the whole tree
into the other file instead. When the host has no room, nothing of the round counts: fsync and the next writes are
ENOSPC until a later round succeeds.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..abi.gen.abi import Errno, Syscall
from ..channel.wire import linux_error
from ..errors import SnapshotError
from ..host.contract import Host, KeptFile, KeptFolder, Kernel
from ..state.calls import KernelCalls
from ..state.kept import HEAD_BYTES, LogScan, damaged, head, scan, segment

__all__ = ["Keeper", "Kept"]

COMMIT_SECONDS = 1.0
RETRY_SECONDS = 5.0
BUFFER_BYTES = 1 << 20
PAGE = 4096
SLACK_BYTES = 8 << 20  # a log may be so much longer than twice its tree


@dataclass(slots=True)
class Kept:
    """One that is mounted. files[current] is the log; folder None: a view that changes nothing outside."""

    name: str
    path: str
    root: int
    number: int
    folder: KeptFolder | None
    files: tuple[KeptFile, ...] = ()
    current: int = 0
    generation: int = 0
    transaction: int = 0
    end: int = 0
    limit: int = 0  # bytes of file bodies
    timed: bool = False


class Keeper:
    """log: one line of diagnostics. prefetch: until all of a directory is here (of lazy layers)."""

    def __init__(
        self,
        kernel: Kernel,
        host: Host,
        calls: KernelCalls,
        log: Callable[[str], None],
        prefetch: Callable[[int, str], Awaitable[object]],
    ) -> None:
        self._kernel = kernel
        self._host = host
        self._calls = calls
        self._log = log
        self._prefetch = prefetch
        self._kept: dict[int, Kept] = {}
        self._buffer = 0
        self._buffer_bytes = 0

    # ---- mounting ----

    async def mount(self, root: int, path: str, name: str, read_only: bool, limit: int) -> tuple[Kept, bool]:
        """Show what is kept under `name` at `path`; whether it is a new one, which gets what `path` had.

        Raises OSError (EBUSY: another tab or path has it), SnapshotError when what was kept is damaged.
        """
        if any(k.name == name and k.folder is not None for k in self._kept.values()) and not read_only:
            raise OSError(errno.EBUSY, "it is mounted already", name)
        folder = await self._host.open_kept(name, read_only)
        number = -1
        try:
            log = self._newest(folder, name)
            number = int(self._kernel.call("tk_journal_new", 0))
            if number < 0:
                raise linux_error(-number)
            kept = Kept(name, path, root, number, None if read_only else folder, folder.files)
            if log is not None:
                kept.current, found = log
                kept.generation, kept.transaction, kept.end = found.generation, found.transaction, found.end
                self._replay(kept, found)
                if found.dropped and not read_only:
                    folder.files[kept.current].truncate(found.end)
                if found.dropped:
                    self._log(f"kept files {name!r}: {found.dropped} bytes of an unfinished transaction were dropped")
            result = int(self._kernel.call("tk_journal_replayed", number))
            if result < 0:
                raise damaged(name, "their names are no tree")
            await self._limit(kept, limit)
            if log is None and not read_only:
                await self._prefetch(root, path)
            self._show(kept, read_only, new=log is None)
        except BaseException:
            if number >= 0:
                self._kernel.call("tk_journal_discard", number)
            folder.close()
            raise
        self._kept[number] = kept
        if read_only:
            folder.close()
        elif self._round(kept):
            raise OSError(errno.ENOSPC, "the browser has no room for it now: nothing is kept until there is", name)
        return kept, log is None

    def _newest(self, folder: KeptFolder, name: str) -> tuple[int, LogScan] | None:
        """(which file, what is in it); None: nothing was kept yet. Raises SnapshotError."""
        found: list[tuple[int, LogScan]] = []
        problem: SnapshotError | None = None
        for i, file in enumerate(folder.files):
            try:
                found.append((i, scan(file, name)))
            except SnapshotError as e:
                problem = e
        whole = [f for f in found if f[1].transaction]
        newest = max(whole, key=lambda f: f[1].generation, default=None)
        if problem is not None:  # the other file may be older: nobody knows what is missing
            raise problem
        if newest is None and any(f[1].generation > 1 for f in found):
            raise damaged(name, "no transaction is whole")
        return newest

    def _replay(self, kept: Kept, log: LogScan) -> None:
        file = kept.files[kept.current]
        for at, count in log.segments:
            self._room(count)
            self._kernel.poke(self._buffer, file.read(at, count))
            result = int(self._kernel.call("tk_journal_replay", kept.number, self._buffer, count))
            if result in (-int(Errno.ENOMEM), -int(Errno.ENOSPC)):
                raise OSError(errno.ENOMEM, "the kernel memory has no room for what is kept", kept.name)
            if result < 0:
                raise damaged(kept.name, f"bad records at byte {at}")

    def _show(self, kept: Kept, read_only: bool, new: bool) -> None:
        from ..state.tree import read_tree, write_tree

        calls = self._calls
        calls.use_root(kept.root)
        before = read_tree(calls, kept.path) if new and not read_only else b""
        calls.mount(kept.name, kept.path, "kept", read_only, "")
        if before:
            write_tree(calls, kept.path, before)

    async def _limit(self, kept: Kept, limit: int) -> None:
        """So that a log and the tree written anew beside it fit into what the host gives."""
        if kept.folder is None:
            return
        room = (await kept.folder.room()) + sum(f.size() for f in kept.files)
        most = max(0, room - 2 * SLACK_BYTES) // 3
        kept.limit = min(limit or most, most) // PAGE * PAGE
        self._kernel.call("tk_journal_limit", kept.number, max(1, kept.limit // PAGE))

    def _room(self, count: int) -> None:
        """A buffer of so many bytes. Raises OSError(ENOMEM)."""
        if count <= self._buffer_bytes:
            return
        if self._buffer:
            self._kernel.call("tk_blob_free", self._buffer, self._buffer_bytes)
            self._buffer = self._buffer_bytes = 0
        size = max(count, BUFFER_BYTES)
        address = int(self._kernel.call("tk_blob_alloc", size))
        if not address:
            raise OSError(errno.ENOMEM, "the kernel memory has no room for a buffer")
        self._buffer, self._buffer_bytes = address, size

    # ---- rounds ----

    def notified(self, number: int) -> None:
        """NOTIFY_JOURNAL"""
        kept = self._kept.get(number)
        if kept is None:
            return
        if self._kernel.call("tk_journal_wanted", number) or self._gone(kept):
            self._round(kept)
        elif not kept.timed and kept.folder is not None:
            self._later(kept, COMMIT_SECONDS)

    def _later(self, kept: Kept, seconds: float) -> None:
        kept.timed = True

        def now() -> None:
            kept.timed = False
            if self._kept.get(kept.number) is kept:
                self._round(kept)

        self._host.call_later(seconds, now)

    def _gone(self, kept: Kept) -> bool:
        return int(self._kernel.call("tk_journal_bytes", kept.number)) == 0

    def _round(self, kept: Kept) -> int:
        """0, or the Errno of why nothing was kept."""
        upto = self._kernel.call("tk_journal_begin", kept.number)
        if upto < 0:
            self._close(kept)
            return 0
        if kept.folder is None:
            return 0
        try:
            if kept.end > 2 * self._kernel.call("tk_journal_bytes", kept.number) + SLACK_BYTES or not kept.generation:
                self._write_anew(kept)
            else:
                self._append(kept)
        except OSError as e:
            self._log(f"kept files {kept.name!r}: nothing can be written ({e.strerror or e})")
            result = Errno.ENOSPC if e.errno in (errno.ENOSPC, errno.EDQUOT) else Errno.EIO
            self._kernel.call("tk_journal_done", kept.number, upto, -int(result))
            if not kept.timed:
                self._later(kept, RETRY_SECONDS)
            return int(result)
        self._kernel.call("tk_journal_done", kept.number, upto, 0)
        return 0

    def _take(self, kept: Kept, file: KeptFile, at: int, transaction: int) -> int:
        """Write everything that changed as one transaction from `at` on; where it ends (`at`: nothing changed)."""
        start = at
        self._room(BUFFER_BYTES)
        while True:
            count = int(self._kernel.call("tk_journal_take", kept.number, self._buffer, self._buffer_bytes))
            if count == -int(Errno.ENOBUFS):
                self._room(self._buffer_bytes * 4)
                continue
            if count < 0:
                raise linux_error(-count)
            if count == 0:
                break
            at = self._put(file, at, segment(transaction, self._kernel.image(self._buffer, count)))
        if at > start:
            at = self._put(file, at, segment(transaction, b"", last=True))
        return at

    @staticmethod
    def _put(file: KeptFile, at: int, data: bytes) -> int:
        file.write(at, data)
        return at + len(data)

    def _append(self, kept: Kept) -> None:
        file = kept.files[kept.current]
        try:
            end = self._take(kept, file, kept.end, kept.transaction + 1)
            if end > kept.end:
                file.flush()
        except OSError:
            with suppress(OSError):
                file.truncate(kept.end)
            raise
        if end > kept.end:
            kept.transaction, kept.end = kept.transaction + 1, end

    def _write_anew(self, kept: Kept) -> None:
        other = kept.files[1 - kept.current]
        generation = kept.generation + 1
        try:
            other.truncate(0)
            self._kernel.call("tk_journal_take_all", kept.number)
            end = self._take(kept, other, HEAD_BYTES, 1)
            other.write(0, head(generation))
            other.flush()
        except OSError:
            with suppress(OSError):
                other.truncate(0)
            raise
        old = kept.files[kept.current]
        kept.current, kept.generation, kept.transaction, kept.end = 1 - kept.current, generation, 1, end
        with suppress(OSError):  # it is older: nobody will ask it
            old.truncate(0)

    # ---- the end ----

    def sync(self) -> None:
        """Everything changed until now is durable. Raises OSError when a host has no room."""
        self._calls.raw(Syscall.sync)  # what mappings share counts too; init itself cannot wait
        for kept in list(self._kept.values()):
            if problem := self._round(kept):
                raise linux_error(problem, kept.path)

    def at(self, root: int, path: str) -> Kept | None:
        """The kept file system mounted there."""
        return next((k for k in self._kept.values() if k.root == root and k.path == path), None)

    def list(self) -> list[dict[str, Any]]:
        """What is mounted."""
        return [
            {"name": k.name, "path": k.path, "read_only": k.folder is None, "limit": k.limit, "log_bytes": k.end}
            for k in self._kept.values()
        ]

    def _close(self, kept: Kept) -> None:
        self._kept.pop(kept.number, None)
        if kept.folder is not None:
            kept.folder.close()
