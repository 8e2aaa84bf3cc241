"""Attachment: the user's Pyodide as a process of the kernel: pid, descriptors, children, by system calls of its own.

Its pipes, waitpid, kill and descriptors are the kernel's; numbers of this Python stand for descriptors of the kernel
(`files`, js_shim/kernel_fs.js). Nothing here is a second copy of the kernel's state but what a wait has already reaped.
owner: shims (install()). Raises OSError as the man pages of section 2 say, TidemarkError where Python cannot wait.
"""

from __future__ import annotations

import errno
import signal as signal_module
import stat as st
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..abi.gen import linux
from ..abi.gen.abi import ENOTHERE, Spawn, Syscall
from ..abi.gen.guest import Sigaction
from ..abi.gen.messages import ProcessSpawn
from ..channel.wire import linux_error
from ..errors import CannotWait, NotHere
from ..state.calls import DATA, RECORD, KernelCalls
from .reactor import Reactor
from .spawn import find_program, pack_request

__all__ = ["Attachment"]

HANDLED = 8  # any address: the handler itself is Python's
FETCH_SECONDS = 0.01  # nobody tells an attached process that a body has come: it looks


class Attachment:
    """Made by shims.install()."""

    def __init__(self, kernel: Any, files: Any, suspend: Callable[[Any], Any]) -> None:
        self.kernel, self.files = kernel, files
        self.calls = KernelCalls(kernel, kernel.staging_bytes)
        self.reactor = Reactor(self.calls, kernel, suspend, self.interrupt_children)
        self.pid: int = kernel.pid
        self.closed: Exception | None = None
        self.handle(signal_module.SIGCHLD, True)
        self.handle(signal_module.SIGINT, True)

    # ---- descriptors ----

    def descriptor(self, number: int) -> int:
        """The kernel's descriptor behind a number of this Python, or -1."""
        return int(self.files.descriptor(number))

    def waiting(self, number: int) -> int:
        """The same for what may have to wait (no file, not non-blocking)."""
        return int(self.files.waiting(number))

    def adopt(self, fd: int, name: str) -> int:
        """A number of this Python for descriptor `fd` of the kernel, which it takes over."""
        try:
            return int(self.files.adopt(fd, name))
        except BaseException:
            self.calls.close(fd)
            raise

    def pipe(self) -> tuple[int, int]:
        """pipe(2), as numbers of this Python."""
        read_end, write_end = self.calls.pipe()
        try:
            first = self.adopt(read_end, f"pipe:[{read_end}]")
        except BaseException:
            self.calls.close(write_end)
            raise
        return first, self.adopt(write_end, f"pipe:[{write_end}]")

    def openpty(self, rows: int = 24, columns: int = 80) -> tuple[int, int]:
        """(master, slave) of pty(7), as numbers of this Python."""
        master, slave = self.calls.open_pty(rows, columns)
        flags = self.calls.call(Syscall.fcntl, master, linux.F_GETFL)
        self.calls.call(Syscall.fcntl, master, linux.F_SETFL, flags & ~linux.O_NONBLOCK)
        first = self.adopt(master, "/dev/ptmx")
        return first, self.adopt(slave, "/dev/pts")

    def read(self, fd: int, size: int, seconds: float | None = None) -> bytes:
        """read(2) of a kernel descriptor, waiting. Raises TimeoutError."""
        found: list[bytes] = []

        def done() -> bool:
            data = self.calls.read(fd, size)
            if data is None:
                self.reactor.ready(fd, arm=False)
                return False
            found.append(data)
            return True

        if size <= 0:
            return b""
        if not self.reactor.wait(done, seconds):
            raise TimeoutError
        return found[0]

    def write(self, fd: int, data: memoryview) -> int:
        """write(2) of a kernel descriptor, waiting until all is written."""
        at = 0

        def done() -> bool:
            nonlocal at
            while at < len(data):
                accepted = self.calls.write(fd, data[at:])
                if not accepted:
                    self.reactor.ready(fd, True, arm=False)
                    return False
                at += accepted
            return True

        self.reactor.wait(done)
        return at

    # ---- processes ----

    def spawn(
        self,
        argv: Sequence[str],
        fds: Mapping[int, int],
        *,
        executable: str = "",
        env: Mapping[str, str],
        cwd: str,
        session: bool = False,
        terminal: bool = False,
        group: bool = False,
        user: int = 0,
        group_id: int = 0,
        umask: int = 0o022,
    ) -> int:
        """A child with exactly the descriptors `fds` (its number -> the kernel's here). terminal: its 0 becomes its
        controlling terminal. Raises OSError naming the program, or `cwd`."""
        variables = [f"{name}={value}" for name, value in env.items()]
        flags = (Spawn.SETSID if session or terminal else 0) | (Spawn.SETPGID if group else 0)
        if terminal:
            flags |= Spawn.CTTY | Spawn.FOREGROUND
        if not st.S_ISDIR(self.calls.stat(cwd).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", cwd)
        program = executable or argv[0]
        path = find_program(self.calls, program, variables, cwd)
        message = ProcessSpawn(
            root=0, argv=list(argv), executable=executable, env=variables, cwd=cwd, stdin=0, stdout=0, stderr=0,
            pass_fds=[], tty=terminal, rows=0, columns=0, session=session, group=group, uid=user, gid=group_id,
            umask=umask, memory_limit=0, preopens=[], capabilities=0,
        )  # fmt: skip
        request = pack_request(message, path, dict(fds), flags, self.calls.data_bytes)
        pid = -ENOTHERE

        def started() -> bool:
            nonlocal pid
            self.kernel.write(DATA, request)
            pid = int(self.kernel.call("tk_spawn", DATA, len(request)))
            return pid != -ENOTHERE

        if not started():
            self.until_here(started, path)
        if pid < 0:
            raise linux_error(-pid, program)
        return pid

    def until_here(self, here: Callable[[], bool], path: str) -> None:
        """Wait for the body of a lazy layer's file, which is on its way. Raises NotHere where Python cannot."""
        try:
            self.reactor.wait(here, None, FETCH_SECONDS)
        except CannotWait:
            raise NotHere(path) from None

    def missing(self, fd: int) -> int:
        """How many bytes of an open file are not here; they are asked for."""
        return int(self.kernel.call("tk_fetch_file", fd))

    def reap(self, pid: int, options: int = 0) -> tuple[int, int] | None:
        """wait4(2), not waiting: (pid, status) or None. Raises ChildProcessError."""
        result = self.calls.call(Syscall.wait4, pid, RECORD, options | linux.WNOHANG, 0)
        if result == 0:
            return None
        (status,) = struct.unpack("<i", self.kernel.read(RECORD, 4))
        return result, status

    def kill(self, pid: int, signal: int) -> None:
        """kill(2). Handlers of this Python run when it was one of those meant."""
        self.calls.kill(pid, signal)
        self.reactor.take_signals()

    def interrupt_children(self) -> None:
        """SIGINT to the children that started no group of their own: this Python has had its own."""
        self.handle(signal_module.SIGINT, False)
        with suppress(OSError):
            self.calls.kill(0, signal_module.SIGINT)
        self.handle(signal_module.SIGINT, True)

    def handle(self, signal: int, handled: bool, ignored: bool = False) -> None:
        """sigaction(2): whether this Python has a handler. What has none does nothing to an attached process."""
        handler = HANDLED if handled else linux.SIG_IGN if ignored else linux.SIG_DFL
        self.kernel.write(RECORD, Sigaction(handler=handler).pack())
        self.calls.raw(Syscall.rt_sigaction, int(signal), RECORD, 0, 8)

    # ---- the end ----

    def close(self, error: Exception) -> None:
        """The process ends; whatever waits fails with `error`."""
        if self.closed is not None:
            return
        self.closed = error
        self.reactor.fail(error)
        self.files.close()
        try:
            self.kernel.detach()
        finally:
            self.kernel.close(error)
