"""Starting a child for subprocess, asyncio and os.posix_spawn: which descriptor it gets, and pumps for other streams.

A descriptor of the kernel is given to the child itself: position and all are shared. A file of this Pyodide's own (not
below a mount of the kernel) cannot be: it is pumped through a pipe, from where it stands to its end, or as the
child writes. An inherited stdin reads as empty; inherited output goes to sys.stdout and sys.stderr as they are then.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..abi.gen import linux
from ..channel.later import Later
from ..process.attachment import Attachment
from .machine import Child, Machine

__all__ = ["DEVNULL", "INHERIT", "NEW_PIPE", "STDOUT", "inherited", "launch"]

INHERIT = -10
NEW_PIPE, STDOUT, DEVNULL = -1, -2, -3  # as subprocess has them
INHERITED_MOST = 64
CHUNK = 1 << 16
REAL_READ, REAL_WRITE, REAL_CLOSE, REAL_DUP, REAL_FSTAT = os.read, os.write, os.close, os.dup, os.fstat


class Drain:
    """What the child writes into `fd` goes to a stream of this Python: sys.stdout's or sys.stderr's, or a file's."""

    def __init__(self, attachment: Attachment, fd: int, number: int) -> None:
        self._attachment, self._fd = attachment, fd
        self.over = False
        self.done: Later[None] = Later()
        self._number = -1
        self._stream: Any = None
        if number in (1, 2) and stat.S_ISCHR(REAL_FSTAT(number).st_mode):
            self._stream = sys.stdout if number == 1 else sys.stderr
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        else:
            self._number = REAL_DUP(number)

    def begin(self) -> None:
        """Reads when there is something."""
        self._attachment.reactor.ready(self._fd).then(self._ready)

    def _ready(self, later: Later[None]) -> None:
        try:
            later.result()
            while (data := self._attachment.calls.read(self._fd, CHUNK)) is not None:
                if not data:
                    self.end()
                    return
                self._write(data)
        except Exception:  # nobody to tell: the runtime or the stream is gone
            self.end()
            return
        self.begin()

    def _write(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.write(self._decoder.decode(data))
            self._stream.flush()
            return
        view = memoryview(data)
        while view:
            view = view[REAL_WRITE(self._number, view) :]

    def end(self) -> None:
        """Nothing more is copied."""
        if self.over:
            return
        self.over = True
        if self._number >= 0:
            REAL_CLOSE(self._number)
        with suppress(Exception):
            self._attachment.reactor.forget(self._fd)
            self._attachment.calls.close(self._fd)
        self.done.resolve(None)


class Feed:
    """A file of this Pyodide's own becomes the child's input."""

    def __init__(self, attachment: Attachment, fd: int, number: int) -> None:
        self._attachment, self._fd = attachment, fd
        self._number = REAL_DUP(number)
        self._data = memoryview(b"")
        self._over = False

    def begin(self) -> None:
        """Writes as the child reads."""
        try:
            while True:
                if not self._data:
                    self._data = memoryview(REAL_READ(self._number, CHUNK))
                if not self._data:
                    break
                accepted = self._attachment.calls.write(self._fd, self._data)
                if not accepted:
                    self._attachment.reactor.ready(self._fd, True).then(lambda _: None if self._over else self.begin())
                    return
                self._data = self._data[accepted:]
        except Exception:  # the child reads no more
            pass
        self.end()

    def end(self) -> None:
        """Nothing more is copied."""
        if self._over:
            return
        self._over = True
        REAL_CLOSE(self._number)
        with suppress(Exception):
            self._attachment.reactor.forget(self._fd)
            self._attachment.calls.close(self._fd)


def _is_null(number: int) -> bool:
    got = REAL_FSTAT(number)
    return stat.S_ISCHR(got.st_mode) and got.st_rdev == os.stat("/dev/null").st_rdev


def inherited(machine: Machine) -> list[int]:
    """What a child gets without close_fds: inheritable descriptors of the kernel, and every /dev/null open here."""
    found = [int(n) for n in machine.attachment.files.inheritable()]
    for number in range(3, INHERITED_MOST):
        if number not in found:
            with suppress(OSError):
                if _is_null(number):
                    found.append(number)
    return sorted(found)


def _same_file(a: int, b: int) -> bool:
    if a == b:
        return True
    x, y = REAL_FSTAT(a), REAL_FSTAT(b)
    return stat.S_ISREG(x.st_mode) and (x.st_dev, x.st_ino) == (y.st_dev, y.st_ino)


class _Plan:
    """The child's descriptors, and what to close when it has them."""

    def __init__(self, machine: Machine) -> None:
        self.attachment = machine.attachment
        self.calls = machine.attachment.calls
        self.fds: dict[int, int] = {}
        self.child_ends: list[int] = []
        self.our_ends: dict[int, int] = {}
        self.pumps: list[Drain | Feed] = []
        self._pumped: dict[int, int] = {}

    def null(self) -> int:
        """The guests' /dev/null."""
        fd = self.calls.openat("/dev/null", linux.O_RDWR)
        self.child_ends.append(fd)
        return fd

    def pipe(self, number: int) -> int:
        """Our end of a new pipe that is the child's `number`."""
        read_end, write_end = self.calls.pipe()
        child, mine = (read_end, write_end) if number == 0 else (write_end, read_end)
        self.child_ends.append(child)
        self.fds[number] = child
        return mine

    def stream(self, number: int, wanted: int) -> None:
        """The child's 0, 1 or 2. Raises OSError(EBADF)."""
        if wanted == NEW_PIPE:
            self.our_ends[number] = self.pipe(number)
        elif wanted == DEVNULL:
            self.fds[number] = self.null()
        elif wanted == STDOUT:
            self.fds[number] = self.fds[1]
        else:
            self._given(number, number if wanted == INHERIT else wanted, wanted == INHERIT)

    def _given(self, number: int, real: int, inherit: bool) -> None:
        fd = self.attachment.descriptor(real)
        if fd >= 0:
            self.fds[number] = fd
            return
        try:
            null = _is_null(real)
        except OSError:
            if not inherit:
                raise
            null = True  # a standard stream that is closed here
        if null or (number == 0 and stat.S_ISCHR(REAL_FSTAT(real).st_mode)):
            self.fds[number] = self.null()
        elif number == 2 and 1 in self._pumped and _same_file(self._pumped[1], real):
            self.fds[2] = self.fds[1]
        else:
            self._pumped[number] = real
            mine = self.pipe(number)
            self.pumps.append((Feed if number == 0 else Drain)(self.attachment, mine, real))

    def passed(self, number: int, source: int) -> None:
        """Beyond 2. Raises OSError for a file of this Pyodide's own."""
        fd = self.attachment.descriptor(source)
        if fd < 0 and not _is_null(source):
            raise OSError(errno.EBADF, "only what the kernel has can be passed to a child beyond 0, 1 and 2")
        self.fds[number] = fd if fd >= 0 else self.null()

    def undo(self) -> None:
        """No child came of it."""
        for fd in self.our_ends.values():
            self.calls.close(fd)
        for pump in self.pumps:
            pump.end()


def launch(
    machine: Machine,
    argv: Sequence[str],
    *,
    executable: str = "",
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    streams: tuple[int, int, int] = (INHERIT, INHERIT, INHERIT),
    pass_fds: Sequence[int] = (),
    fd_map: Mapping[int, int] | None = None,
    session: bool = False,
    terminal: bool = False,
    group: bool = False,
    user: int = 0,
    group_id: int = 0,
    umask: int = 0o022,
) -> Child:
    """A child. streams: NEW_PIPE (our end is the Child's ends[n]), DEVNULL, STDOUT, INHERIT or a number here; fd_map:
    its number -> one here. Raises OSError as exec and chdir do."""
    folder = machine.directory(cwd)
    plan = _Plan(machine)
    try:
        try:
            for number, wanted in enumerate(streams):
                plan.stream(number, wanted)
            for target, source in {**{n: n for n in pass_fds if n > 2}, **(fd_map or {})}.items():
                plan.passed(target, source)
            pid = machine.attachment.spawn(
                argv,
                plan.fds,
                executable=executable,
                env=os.environ if env is None else env,
                cwd=folder,
                session=session,
                terminal=terminal,
                group=group,
                user=user,
                group_id=group_id,
                umask=umask,
            )
        finally:
            for fd in plan.child_ends:
                plan.calls.close(fd)
    except BaseException:
        plan.undo()
        raise
    child = Child(pid, plan.our_ends, [pump for pump in plan.pumps if isinstance(pump, Drain)])
    machine.children[pid] = child
    for pump in plan.pumps:
        pump.begin()
    return child
