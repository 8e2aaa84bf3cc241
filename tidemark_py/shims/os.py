"""os, io, fcntl and signal: pipes, terminals, processes and signals of the kernel. Everything else is CPython's own.

Numbers of this Python that stand for descriptors of the kernel (js_shim/kernel_fs.js) work with CPython's functions.
Replaced is what makes such numbers, and what waits: there reading and writing go through the attachment, which keeps
the pumps going and lets the page live on. os.fork and os.exec* stay what Pyodide makes of them: a Python in a tab
cannot be copied.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import operator
import os
import shutil
import signal
import stat
import sys
import termios
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..abi.gen import linux
from ..abi.gen.abi import Syscall
from ..abi.gen.guest import SiginfoChld, Winsize
from ..process.attachment import Attachment
from ..state.calls import RECORD
from .launch import DEVNULL, INHERIT, launch
from .machine import current, machine
from .subprocess import environment, strings

__all__ = ["KernelIO", "patch", "tell_handlers"]

_real: dict[str, Any] = {}


def _waiting(number: int) -> tuple[Attachment, int]:
    """(attachment, the kernel's descriptor behind `number` or -1 when using it cannot wait)"""
    attachment = current().attachment
    return attachment, attachment.waiting(number)


class KernelIO(io.RawIOBase):
    """FileIO's part for a pipe or terminal of the kernel."""

    def __init__(self, number: int, mode: str, closefd: bool = True) -> None:
        self.name: int = number
        self._number = number
        self._readable, self._writable = "r" in mode or "+" in mode, any(c in mode for c in "wax+")
        self._closefd = closefd
        self.mode = "rb" if self._readable and not self._writable else "wb"

    def fileno(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self._number

    def readable(self) -> bool:
        return self._readable

    def writable(self) -> bool:
        return self._writable

    @property
    def closefd(self) -> bool:
        """close() closes the number."""
        return self._closefd

    def readinto(self, buffer: Any) -> int:
        if not self._readable:
            raise io.UnsupportedOperation("File not open for reading")
        view = memoryview(buffer).cast("B")
        data = os.read(self.fileno(), len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        if not self._writable:
            raise io.UnsupportedOperation("File not open for writing")
        return os.write(self.fileno(), data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._closefd:
                os.close(self._number)

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


def _bring(opened: Any, name: Any) -> None:
    """A file of a lazy layer comes before it is read, where reading could not wait for it. Raises NotHere."""
    attachment = current().attachment
    if attachment.kernel.waits or attachment.closed is not None:
        return
    fd = attachment.descriptor(opened.fileno())
    if fd < 0 or not attachment.missing(fd):
        return
    try:
        path = os.path.abspath(os.fsdecode(name))
        attachment.until_here(lambda: not attachment.missing(fd), current().guest_path(path) or path)
    except BaseException:
        opened.close()
        raise


def _open(
    file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None, errors: str | None = None,
    newline: str | None = None, closefd: bool = True, opener: Any = None,
) -> Any:  # fmt: skip
    if not isinstance(file, int) or isinstance(file, bool) or _waiting(file)[1] < 0:
        opened = _real["open"](file, mode, buffering, encoding, errors, newline, closefd, opener)
        if not isinstance(file, int):
            _bring(opened, file)
        return opened
    binary = "b" in mode
    if binary and encoding is not None:
        raise ValueError("binary mode doesn't take an encoding argument")
    if binary and buffering == 1:
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used",
            RuntimeWarning,
            stacklevel=2,
        )
    raw = KernelIO(file, mode, closefd)
    try:
        if buffering == 0:
            if not binary:
                raise ValueError("can't have unbuffered text I/O")
            return raw
        size = io.DEFAULT_BUFFER_SIZE if buffering in (-1, 1) else buffering
        both: Any = io.BufferedReader(raw, size) if raw.readable() else io.BufferedWriter(raw, size)
        if binary:
            return both
        text = io.TextIOWrapper(both, encoding, errors, newline, buffering == 1)
        text.mode = mode  # type: ignore[misc]
        return text
    except BaseException:
        raw.close()
        raise


# ---- descriptors ----


def _pipe() -> tuple[int, int]:
    return machine().attachment.pipe()


def _pipe2(flags: int) -> tuple[int, int]:
    ends = machine().attachment.pipe()
    if flags & linux.O_NONBLOCK:
        for number in ends:
            _set_blocking(number, False)
    return ends


def _openpty() -> tuple[int, int]:
    return machine().attachment.openpty()


def _read(fd: int, n: int, /) -> bytes:
    attachment, kernel_fd = _waiting(fd)
    return attachment.read(kernel_fd, n) if kernel_fd >= 0 else _real["read"](fd, n)


def _write(fd: int, data: Any, /) -> int:
    attachment, kernel_fd = _waiting(fd)
    return attachment.write(kernel_fd, memoryview(data).cast("B")) if kernel_fd >= 0 else _real["write"](fd, data)


def _dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    number: int = _real["dup2"](fd, fd2, inheritable)
    if fd != fd2:
        current().attachment.files.setInheritable(fd2, inheritable)
    return number


def _dup(fd: int, /) -> int:
    number: int = _real["dup"](fd)
    current().attachment.files.setInheritable(number, False)
    return number


def _get_inheritable(fd: int, /) -> bool:
    _real["fstat"](fd)  # Emscripten keeps no such flag, and knows every number to be inheritable
    return fd in STANDARD or bool(current().attachment.files.isInheritable(fd))


def _set_inheritable(fd: int, inheritable: int, /) -> None:
    _real["fstat"](fd)
    current().attachment.files.setInheritable(fd, bool(inheritable))


def _get_blocking(fd: int, /) -> bool:
    attachment = current().attachment
    kernel_fd = attachment.descriptor(fd)
    if kernel_fd < 0:
        return bool(_real["get_blocking"](fd))
    return not attachment.calls.call(Syscall.fcntl, kernel_fd, linux.F_GETFL) & linux.O_NONBLOCK


def _set_blocking(fd: int, blocking: bool, /) -> None:
    attachment = current().attachment
    kernel_fd = attachment.descriptor(fd)
    if kernel_fd < 0:
        _real["set_blocking"](fd, blocking)
        return
    flags = attachment.calls.call(Syscall.fcntl, kernel_fd, linux.F_GETFL) & ~linux.O_NONBLOCK
    attachment.files.setFlags(fd, flags if blocking else flags | linux.O_NONBLOCK)


def _fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
    number = fd if isinstance(fd, int) else fd.fileno()
    if cmd == fcntl.F_GETFD:
        return 0 if _get_inheritable(number) else fcntl.FD_CLOEXEC
    if cmd == fcntl.F_SETFD:
        _set_inheritable(number, not arg & fcntl.FD_CLOEXEC)
        return 0
    attachment = current().attachment
    kernel_fd = attachment.descriptor(number)
    if kernel_fd >= 0 and isinstance(arg, int):
        if cmd in (linux.F_SETPIPE_SZ, linux.F_GETPIPE_SZ, linux.F_GETFL):
            return attachment.calls.call(Syscall.fcntl, kernel_fd, cmd, arg)
        if cmd == linux.F_SETFL:
            attachment.files.setFlags(number, arg)
            return 0
    return _real["fcntl"](fd, cmd, arg)


def _ioctl(fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
    number = fd if isinstance(fd, int) else fd.fileno()
    attachment = current().attachment
    kernel_fd = attachment.descriptor(number)
    if kernel_fd < 0:
        return _real["ioctl"](fd, request, arg, mutate_flag)
    if isinstance(arg, int):
        return attachment.calls.call(Syscall.ioctl, kernel_fd, request, arg)
    data = arg.encode() if isinstance(arg, str) else bytes(arg)
    attachment.kernel.write(RECORD, data)
    result = attachment.calls.call(Syscall.ioctl, kernel_fd, request, RECORD)
    changed = attachment.kernel.read(RECORD, len(data))
    if isinstance(arg, (str, bytes)) or not mutate_flag or memoryview(arg).readonly:
        return changed
    memoryview(arg).cast("B")[:] = changed
    return result


def _link(src: Any, dst: Any, **options: Any) -> None:
    this = current()
    source, target = (this.guest_path(os.path.abspath(os.fsdecode(path))) for path in (src, dst))
    if source is None or target is None or options.get("src_dir_fd") or options.get("dst_dir_fd"):
        _real["link"](src, dst, **options)
    else:
        flags = linux.AT_SYMLINK_FOLLOW if options.get("follow_symlinks") and os.path.islink(src) else 0
        this.attachment.calls.link(source, target, flags)


def _chown(path: Any, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
    this = current()
    if isinstance(path, int):
        _fchown(path, uid, gid)
        return
    guest = this.guest_path(os.path.abspath(os.fsdecode(path))) if dir_fd is None else None
    if guest is None:
        _real["chown"](path, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
    else:
        this.attachment.calls.chown(guest, uid, gid, follow_symlinks)


def _fchown(fd: int, uid: int, gid: int) -> None:
    attachment = current().attachment
    kernel_fd = attachment.descriptor(fd)
    if kernel_fd < 0:
        _real["fchown"](fd, uid, gid)
    else:
        attachment.calls.call(Syscall.fchown, kernel_fd, uid, gid)


def _umask(mask: int, /) -> int:
    _real["umask"](mask)
    return current().attachment.calls.call(Syscall.umask, mask)


# ---- processes ----


def _waitpid(pid: int, options: int, /) -> tuple[int, int]:
    this = machine()
    if options & os.WNOHANG:
        this.attachment.reactor.turn()  # what has happened becomes known
        return this.poll(pid, options) or (0, 0)
    return this.wait(pid, options)


def _wait() -> tuple[int, int]:
    return _waitpid(-1, 0)


def _waitid(idtype: int, id: int, options: int, /) -> Any:
    this = machine()
    calls = this.attachment.calls
    found: list[Any] = []

    def done() -> bool:
        calls.call(Syscall.waitid, idtype, id, RECORD, options | linux.WNOHANG, 0)
        info = SiginfoChld.unpack(this.attachment.kernel.read(RECORD, SiginfoChld.BYTES))
        if info.si_pid:
            found.append(info)
        return bool(found)

    if options & linux.WNOHANG:
        this.attachment.reactor.turn()
        if not done():
            return None
    else:
        this.wait_until(done)
    info = found[0]
    if not options & linux.WNOWAIT:
        this.children.pop(info.si_pid, None)
    return WaitidResult((info.si_pid, info.si_uid, info.si_signo, info.si_status, info.si_code))


class WaitidResult(tuple[int, int, int, int, int]):
    """os.waitid_result, which this Python was built without."""

    si_pid = property(lambda self: self[0])
    si_uid = property(lambda self: self[1])
    si_signo = property(lambda self: self[2])
    si_status = property(lambda self: self[3])
    si_code = property(lambda self: self[4])


def _kill(pid: int, sig: int, /) -> None:
    machine().attachment.kill(pid, int(sig))


def _killpg(pgid: int, sig: int, /) -> None:
    machine().attachment.kill(-pgid, int(sig))


def _spawn(path: Any, argv: Any, env: Any, search: bool, **options: Any) -> int:
    this = machine()
    refused = {n for n in ("setsigmask", "scheduler", "resetids") if options.get(n)}
    if refused or options.get("setpgroup") not in (None, 0):
        raise OSError(errno.ENOSYS, f"posix_spawn cannot do this here: {', '.join(sorted(refused)) or 'setpgroup'}")
    # The child's numbers: what it inherits, then what the actions make of that, in their order.
    given: dict[int, int] = {n: n for n in (0, 1, 2)}
    given.update({n: n for n in (int(each) for each in this.attachment.files.inheritable())})
    opened: list[int] = []
    try:
        for action, *details in options.get("file_actions") or ():
            if action == os.POSIX_SPAWN_DUP2:
                given[details[1]] = given.get(details[0], details[0])
            elif action == os.POSIX_SPAWN_CLOSE:
                given.pop(details[0], None)
            elif action == POSIX_SPAWN_CLOSEFROM:
                given = {n: source for n, source in given.items() if n < details[0]}
            elif action == os.POSIX_SPAWN_OPEN:
                number, name, flags, mode = details
                folder = this.directory(None)
                guest = os.path.join(folder, this.guest_path(os.fsdecode(name)) or os.fsdecode(name))
                kernel_fd = this.attachment.calls.openat(guest, flags, mode)
                opened.append(this.attachment.adopt(kernel_fd, guest))
                given[number] = opened[-1]
            else:
                raise TypeError(f"unknown file_actions identifier {action}")
        nothing = {n for n in (0, 1, 2) if n not in given}
        name = os.fsdecode(path)
        child = launch(
            this,
            strings(argv),
            executable=name if search or "/" in name else f"./{name}",
            env=environment(env),
            streams=tuple(  # type: ignore[arg-type]
                DEVNULL if n in nothing else INHERIT if given[n] == n else given[n] for n in (0, 1, 2)
            ),
            fd_map={n: source for n, source in given.items() if n > 2},
            session=bool(options.get("setsid")),
            group=options.get("setpgroup") == 0,
        )
    finally:
        for number in opened:
            os.close(number)
    return child.pid


def _posix_spawn(path: Any, argv: Any, env: Any, /, **options: Any) -> int:
    return _spawn(path, argv, env, False, **options)


def _posix_spawnp(path: Any, argv: Any, env: Any, /, **options: Any) -> int:
    return _spawn(path, argv, env, True, **options)


def _spawnvef(mode: int, file: Any, args: Any, env: Any, func: Any) -> int:
    """What os.spawnl and its relatives come down to: func is execv, execve, execvp or execvpe."""
    if not isinstance(args, (tuple, list)):
        raise TypeError("argv must be a tuple or a list")
    if not args or not args[0]:
        raise ValueError("argv first element cannot be empty")
    try:
        pid = _spawn(file, args, env, func in (os.execvp, os.execvpe))
    except OSError:
        if mode == os.P_NOWAIT:
            raise
        return NOT_STARTED  # what a child says whose exec failed
    return pid if mode == os.P_NOWAIT else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _system(command: Any) -> int:
    this = machine()
    args = ["/bin/sh", "-c", *strings([command])]
    child = launch(this, args, executable="/bin/sh", env=environment(None))
    return this.wait(child.pid)[1]


def _get_terminal_size(fd: int = 1, /) -> os.terminal_size:
    try:
        size: os.terminal_size = _real["get_terminal_size"](fd)
        return size
    except OSError:
        columns, lines = os.environ.get("COLUMNS", ""), os.environ.get("LINES", "")
        if fd in (0, 1, 2) and columns.isdigit() and lines.isdigit():
            return os.terminal_size((int(columns), int(lines)))
        raise


def _which(cmd: Any, mode: int = os.F_OK | os.X_OK, path: Any = None) -> Any:
    found = _real["which"](cmd, mode, path)
    name = os.fsdecode(cmd)
    where = os.fsdecode(path if path is not None else os.environ.get("PATH", os.defpath))
    if found is not None or not name or not (where or os.path.dirname(name)):  # an empty PATH is no place to look in
        return found
    this = machine()
    folders = where.split(os.pathsep)
    names = [name] if os.path.dirname(name) else [os.path.join(folder or ".", name) for folder in folders]
    for each in names:
        guest = this.directory(os.path.abspath(each))
        with suppress(OSError):
            mode_found = this.attachment.calls.stat(guest).st_mode
            if stat.S_ISREG(mode_found) and mode_found & 0o111:
                return os.fsencode(each) if isinstance(cmd, bytes) else each
    return None


def _simple(number: int) -> Callable[..., int]:
    def call(*arguments: int) -> int:
        a, b = (*arguments, 0, 0)[:2]
        return machine().attachment.calls.call(number, a, b)

    return call


def _signal(signalnum: Any, handler: Any) -> Any:
    old = _real["signal"](signalnum, handler)
    number = int(signalnum)
    if number not in (signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP):  # a child's is always wanted
        current().attachment.handle(number, callable(handler), handler == signal.SIG_IGN)
    return old


def _not_here(real: int, effective: int, /) -> None:
    """Its presence tells subprocess that user= and group= work for children."""
    for number in (real, effective):
        if not -1 <= operator.index(number) < 1 << 32:
            raise OverflowError("the number of a user or group has 32 bits")
    if {real, effective} <= {-1, 0}:
        return  # nothing would change
    raise PermissionError(errno.EPERM, "this Python stays who it is; give user= and group= to the child")


NEW: dict[str, Callable[..., Any]] = {
    "pipe": _pipe, "pipe2": _pipe2, "openpty": _openpty, "read": _read, "write": _write, "dup": _dup,
    "dup2": _dup2,
    "get_inheritable": _get_inheritable, "set_inheritable": _set_inheritable, "get_blocking": _get_blocking,
    "set_blocking": _set_blocking, "link": _link, "chown": _chown, "fchown": _fchown, "umask": _umask,
    "waitpid": _waitpid, "wait": _wait, "waitid": _waitid, "kill": _kill, "killpg": _killpg,
    "posix_spawn": _posix_spawn, "posix_spawnp": _posix_spawnp, "system": _system,
    "get_terminal_size": _get_terminal_size, "getpid": _simple(Syscall.getpid), "getppid": _simple(Syscall.getppid),
    "getpgid": _simple(Syscall.getpgid), "getsid": _simple(Syscall.getsid), "getpgrp": lambda: os.getpgid(0),
    "setpgid": _simple(Syscall.setpgid),
    "_spawnvef": _spawnvef, "getuid": lambda: 0, "getgid": lambda: 0, "geteuid": lambda: 0, "getegid": lambda: 0,
    "setreuid": _not_here, "setregid": _not_here,
}  # fmt: skip
STANDARD = (0, 1, 2)
NOT_STARTED = 127
POSIX_SPAWN_CLOSEFROM = 3
CONSTANTS = {
    "POSIX_SPAWN_OPEN": 0, "POSIX_SPAWN_CLOSE": 1, "POSIX_SPAWN_DUP2": 2, "POSIX_SPAWN_CLOSEFROM": 3,
    "P_ALL": linux.P_ALL, "P_PID": linux.P_PID, "P_PGID": linux.P_PGID, "P_PIDFD": linux.P_PIDFD,
    "WEXITED": linux.WEXITED, "WSTOPPED": linux.WSTOPPED, "WNOWAIT": linux.WNOWAIT,
}  # fmt: skip


def _tcsetwinsize(fd: Any, winsize: tuple[int, int], /) -> None:
    fcntl.ioctl(fd, linux.TIOCSWINSZ, Winsize(ws_row=winsize[0], ws_col=winsize[1]).pack())


def patch() -> None:
    """Once; _real keeps CPython's own."""
    for name, function in NEW.items():
        _real[name] = getattr(os, name, None)
        setattr(os, name, function)
    for name, value in CONSTANTS.items():
        if not hasattr(os, name):
            setattr(os, name, value)
    _real["which"], shutil.which = shutil.which, _which
    _real["fstat"] = os.fstat
    _real["fcntl"], fcntl.fcntl = fcntl.fcntl, _fcntl
    _real["ioctl"], fcntl.ioctl = fcntl.ioctl, _ioctl
    termios.tcsetwinsize = _tcsetwinsize
    _real["signal"], signal.signal = signal.signal, _signal
    _real["open"] = builtins.open
    builtins.open = io.open = _open
    os.environ.pop("PYTHONINSPECT", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if not sys.executable or "pyodide" in sys.executable or "this.program" in sys.executable:
        sys.executable = sys._base_executable = "/usr/bin/python3"  # type: ignore[attr-defined]


def tell_handlers() -> None:
    """A new attachment learns which signals this Python handles."""
    attachment = current().attachment
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP) and number < 32:
            handler = signal.getsignal(number)
            attachment.handle(number, callable(handler), handler == signal.SIG_IGN)
