"""Starting a child for subprocess, asyncio and os.posix_spawn: which descriptor it gets, and pumps for real files.

A descriptor of the runtime is given to the child itself. One of this Pyodide's own files cannot be: it is pumped
through a pipe, from where it stands to its end, or as the child writes. An inherited stdin reads as empty; inherited
output goes to sys.stdout and sys.stderr as they are at that moment.
"""

from __future__ import annotations

import asyncio
import codecs
import errno
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..abi.gen import messages as m
from .machine import Child, Machine

__all__ = ["INHERIT", "NEW_PIPE", "inherited", "kill", "launch"]

INHERIT = -10
NEW_PIPE, DEVNULL, STDOUT = -1, -3, -2  # as subprocess has them
NULL_OF_INIT = -2
INHERITED_MOST = 64
CHUNK = 1 << 18
REAL_READ, REAL_WRITE, REAL_CLOSE, REAL_DUP, REAL_FSTAT = os.read, os.write, os.close, os.dup, os.fstat


class Sink:
    """Where a pump writes."""

    def __init__(self, number: int) -> None:
        self.number = -1
        self.stream: Any = None
        if number in (1, 2) and stat.S_ISCHR(REAL_FSTAT(number).st_mode):
            self.stream = sys.stdout if number == 1 else sys.stderr
            self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        else:
            self.number = REAL_DUP(number)

    def write(self, data: bytes) -> None:
        """All of it."""
        if self.stream is not None:
            self.stream.write(self.decoder.decode(data))
            self.stream.flush()
            return
        view = memoryview(data)
        while view:
            view = view[REAL_WRITE(self.number, view) :]

    def close(self) -> None:
        """Our number of it."""
        if self.number >= 0:
            REAL_CLOSE(self.number)


def _is_null(number: int) -> bool:
    got = REAL_FSTAT(number)
    return stat.S_ISCHR(got.st_mode) and got.st_rdev == os.stat("/dev/null").st_rdev


async def _drain(reader: Any, sink: Sink) -> None:
    try:
        while data := await reader.read(65536):
            sink.write(data)
    finally:
        sink.close()


async def _feed(writer: Any, number: int) -> None:
    try:
        with suppress(OSError):
            while data := REAL_READ(number, CHUNK):
                writer.write(data)
                await writer.drain()
    finally:
        REAL_CLOSE(number)
        writer.close()


def _source(machine: Machine, wanted: int, number: int) -> tuple[int, int]:
    """(what Runtime.spawn is told, the real descriptor to pump or -1) for the child's 0, 1 or 2."""
    if wanted in (NEW_PIPE, DEVNULL, STDOUT):
        return wanted, -1
    real = number if wanted == INHERIT else wanted
    if real in machine.descriptors:
        return machine.descriptors[real].fd, -1
    try:
        null = _is_null(real)
    except OSError:
        if wanted != INHERIT:
            raise
        null = True  # a standard stream that is closed here
    if null or (number == 0 and stat.S_ISCHR(REAL_FSTAT(real).st_mode)):
        return DEVNULL, -1
    return NEW_PIPE, real


def _passed(machine: Machine, number: int) -> int:
    """The descriptor of init behind a number beyond 2. Raises OSError for a file of this Pyodide's own."""
    if number in machine.descriptors:
        return machine.descriptors[number].fd
    if _is_null(number):
        return NULL_OF_INIT
    raise OSError(errno.EBADF, "only pipes of the runtime can be passed to a child beyond 0, 1 and 2")


def inherited(machine: Machine) -> list[int]:
    """What a child gets without close_fds: inheritable pipes, and every /dev/null that is open here."""
    found = sorted(machine.inheritable)
    for number in range(3, INHERITED_MOST):
        if number not in machine.descriptors:
            with suppress(OSError):
                if _is_null(number):
                    found.append(number)
    return found


def _same_file(a: int, b: int) -> bool:
    if a == b:
        return True
    x, y = REAL_FSTAT(a), REAL_FSTAT(b)
    return stat.S_ISREG(x.st_mode) and (x.st_dev, x.st_ino) == (y.st_dev, y.st_ino)


async def launch(
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
    group: bool = False,
    user: int = 0,
    group_id: int = 0,
    umask: int = 0o022,
) -> Child:
    """A child. streams: NEW_PIPE, DEVNULL, STDOUT, INHERIT or a number here. Raises OSError as exec and chdir do."""
    given, pumped = zip(*(_source(machine, wanted, n) for n, wanted in enumerate(streams)), strict=True)
    stderr = given[2]
    if pumped[1] >= 0 and pumped[2] >= 0 and _same_file(pumped[1], pumped[2]):
        stderr = STDOUT
    more = {
        n: _passed(machine, source) for n, source in {**{n: n for n in pass_fds if n > 2}, **(fd_map or {})}.items()
    }
    if cwd is None:
        cwd = os.getcwd()
        if cwd not in machine.directories:  # this Python's own directory, which guests need not have
            await machine.runtime.fs.mkdir(cwd, parents=True, exist_ok=True)
            machine.directories.add(cwd)
    sinks = {n: Sink(pumped[n]) for n in (1, 2) if pumped[n] >= 0 and not (n == 2 and stderr == STDOUT)}
    feed = REAL_DUP(pumped[0]) if pumped[0] >= 0 else -1
    try:
        process = await machine.runtime.spawn(
            argv,
            executable=executable,
            stdin=given[0],
            stdout=given[1],
            stderr=stderr,
            env=os.environ if env is None else env,
            cwd=cwd,
            pass_fds=more,
            start_new_session=session,
            process_group=group,
            user=user,
            group=group_id,
            umask=umask,
        )
    except BaseException:
        for sink in sinks.values():
            sink.close()
        if feed >= 0:
            REAL_CLOSE(feed)
        raise
    readers = {1: process.stdout, 2: process.stderr}
    pumps = [asyncio.ensure_future(_drain(readers[n], sink)) for n, sink in sinks.items()]
    if feed >= 0:
        asyncio.ensure_future(_feed(process.stdin, feed))  # noqa: RUF006 - it ends with the child's stdin
        process.stdin = None
    for n in sinks:
        setattr(process, ("", "stdout", "stderr")[n], None)
    child = Child(process, pumps)
    machine.children[child.pid] = child
    return child


def kill(machine: Machine, pid: int, signal: int) -> None:
    """kill(2). Raises ProcessLookupError."""
    machine.block(machine.port.request(m.ProcessKill(pid, int(signal))))
