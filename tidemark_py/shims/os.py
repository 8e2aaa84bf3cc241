"""os and io: pipes of the runtime behind ordinary numbers, and processes. Everything else goes to CPython's own.

os.fork and os.exec* stay what Pyodide makes of them: a Python in a tab cannot be copied.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import operator
import os
import shutil
import stat
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..abi.gen import messages as m
from ..host.blocking import can_block
from .launch import INHERIT, kill, launch
from .machine import Machine, machine
from .subprocess import environment, strings

__all__ = ["KernelIO", "patch"]

_real: dict[str, Any] = {}


def _table() -> Machine:
    return machine()


class KernelIO(io.RawIOBase):
    """FileIO's part for a pipe of the runtime."""

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


def _open(
    file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None, errors: str | None = None,
    newline: str | None = None, closefd: bool = True, opener: Any = None,
) -> Any:  # fmt: skip
    if not isinstance(file, int) or isinstance(file, bool) or file not in _table().descriptors:
        return _real["open"](file, mode, buffering, encoding, errors, newline, closefd, opener)
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
    this = machine()
    ends = this.block(this.port.request(m.StreamPipe()))
    return this.adopt(ends.read), this.adopt(ends.write)


def _pipe2(flags: int) -> tuple[int, int]:
    return _pipe()


def _read(fd: int, n: int, /) -> bytes:
    this = _table()
    return this.read(fd, n) if fd in this.descriptors else _real["read"](fd, n)


def _write(fd: int, data: Any, /) -> int:
    this = _table()
    return this.write(fd, data) if fd in this.descriptors else _real["write"](fd, data)


def _close(fd: int) -> None:
    _table().forget(fd)
    _real["close"](fd)


def _closerange(low: int, high: int, /) -> None:
    this = _table()
    for number in [n for n in this.descriptors if low <= n < high]:
        this.forget(number)
    _real["closerange"](low, high)


def _dup(fd: int, /) -> int:
    this = _table()
    number: int = this.dup(fd) if fd in this.descriptors else _real["dup"](fd)
    return number


def _dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    this = _table()
    _real["dup2"](fd, fd2, inheritable)
    if fd != fd2:
        if fd in this.descriptors:
            this.put(this.descriptors[fd], fd2)
        else:
            this.forget(fd2)
    (this.inheritable.add if inheritable else this.inheritable.discard)(fd2)
    return fd2


def _get_inheritable(fd: int, /) -> bool:
    _real["fstat"](fd)  # Emscripten keeps no such flag, and knows every number to be inheritable
    return fd in _table().inheritable or fd in STANDARD


def _set_inheritable(fd: int, inheritable: int, /) -> None:
    _real["fstat"](fd)
    this = _table()
    if inheritable:
        this.inheritable.add(fd)
    else:
        this.inheritable.discard(fd)


# ---- processes ----


def _waitpid(pid: int, options: int, /) -> tuple[int, int]:
    this = machine()
    if pid < -1 or pid == 0:
        pid = -1
    done = this.reaped(pid)
    if done is None and options & os.WNOHANG:
        if this.turn():
            done = this.reaped(pid)
        return done or (0, 0)
    return done or this.wait(pid)


def _wait() -> tuple[int, int]:
    return _waitpid(-1, 0)


def _kill(pid: int, sig: int, /) -> None:
    this = machine()
    if pid == os.getpid() and pid not in this.children:
        _real["kill"](pid, sig)
        return
    kill(this, pid, sig)


def _killpg(pgid: int, sig: int, /) -> None:
    kill(machine(), -pgid, sig)


def _spawn(path: Any, argv: Any, env: Any, search: bool, **options: Any) -> int:
    this = machine()
    streams = [INHERIT, INHERIT, INHERIT]
    more: dict[int, int] = {}
    for action in options.get("file_actions") or ():
        if action[0] == os.POSIX_SPAWN_DUP2:
            source, target = action[1], action[2]
            if target < 3:
                streams[target] = source if source > 2 or source in this.descriptors else streams[source]
            else:
                more[target] = source
        elif action[0] == os.POSIX_SPAWN_OPEN:
            raise OSError(errno.ENOSYS, "posix_spawn cannot open files for the child: open them first", action[2])
    refused = {n for n in ("setsigmask", "scheduler", "resetids") if options.get(n)}
    if refused or options.get("setpgroup") not in (None, 0):
        raise OSError(errno.ENOSYS, f"posix_spawn cannot do this here: {', '.join(sorted(refused)) or 'setpgroup'}")
    name = os.fsdecode(path)
    child = this.block(
        launch(
            this,
            strings(argv),
            executable=name if search or "/" in name else f"./{name}",
            env=environment(env),
            streams=(streams[0], streams[1], streams[2]),
            fd_map=more,
            session=bool(options.get("setsid")),
            group=options.get("setpgroup") == 0,
        )
    )
    return int(child.pid)


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
    child = this.block(launch(this, args, executable="/bin/sh", env=environment(None)))
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


async def _find(this: Machine, names: list[str]) -> str | None:
    for name in names:
        with suppress(OSError):
            mode = (await this.runtime.fs.stat(name)).st_mode
            if stat.S_ISREG(mode) and mode & 0o111:
                return name
    return None


def _which(cmd: Any, mode: int = os.F_OK | os.X_OK, path: Any = None) -> Any:
    found = _real["which"](cmd, mode, path)
    if found is not None or not can_block():
        return found
    name = os.fsdecode(cmd)
    folders = os.fsdecode(path if path is not None else os.environ.get("PATH", os.defpath)).split(os.pathsep)
    names = [name] if os.path.dirname(name) else [os.path.join(folder or ".", name) for folder in folders]
    this = machine()
    guest = this.block(_find(this, [os.path.abspath(n) for n in names])) if name else None
    return os.fsencode(guest) if guest is not None and isinstance(cmd, bytes) else guest


def _fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
    this = _table()
    number = fd if isinstance(fd, int) else fd.fileno()
    if cmd == fcntl.F_GETFD:
        return 0 if _get_inheritable(number) else fcntl.FD_CLOEXEC
    if cmd == fcntl.F_SETFD:
        _set_inheritable(number, not arg & fcntl.FD_CLOEXEC)
        return 0
    if number in this.descriptors and cmd in (F_SETPIPE_SZ, F_GETPIPE_SZ):
        return this.block(this.port.request(m.StreamControl(this.descriptors[number].fd, cmd, int(arg)))).result
    return _real["fcntl"](fd, cmd, arg)


def _not_here(real: int, effective: int, /) -> None:
    """Its presence tells subprocess that user= and group= work for children."""
    for number in (real, effective):
        if not -1 <= operator.index(number) < 1 << 32:
            raise OverflowError("the number of a user or group has 32 bits")
    if {real, effective} <= {-1, 0}:
        return  # nothing would change
    raise PermissionError(errno.EPERM, "this Python stays who it is; give user= and group= to the child")


NEW: dict[str, Callable[..., Any]] = {
    "pipe": _pipe, "pipe2": _pipe2, "read": _read, "write": _write, "close": _close, "closerange": _closerange,
    "dup": _dup, "dup2": _dup2, "get_inheritable": _get_inheritable, "set_inheritable": _set_inheritable,
    "waitpid": _waitpid, "wait": _wait, "kill": _kill, "killpg": _killpg, "posix_spawn": _posix_spawn,
    "posix_spawnp": _posix_spawnp, "system": _system, "get_terminal_size": _get_terminal_size,
    "_spawnvef": _spawnvef, "getuid": lambda: 0, "getgid": lambda: 0, "geteuid": lambda: 0, "getegid": lambda: 0,
    "setreuid": _not_here, "setregid": _not_here,
}  # fmt: skip
F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032
STANDARD = (0, 1, 2)
NOT_STARTED = 127
CONSTANTS = {"POSIX_SPAWN_OPEN": 0, "POSIX_SPAWN_CLOSE": 1, "POSIX_SPAWN_DUP2": 2, "POSIX_SPAWN_CLOSEFROM": 3}


def patch() -> None:
    """Once; _real keeps CPython's own."""
    for name, function in NEW.items():
        _real[name] = getattr(os, name, None)
        setattr(os, name, function)
    for name, value in CONSTANTS.items():
        if not hasattr(os, name):
            setattr(os, name, value)
    _real["which"], _real["fstat"] = shutil.which, os.fstat
    shutil.which = _which
    _real["fcntl"] = fcntl.fcntl
    fcntl.fcntl = _fcntl
    _real["open"] = builtins.open
    builtins.open = io.open = _open
    os.environ.pop("PYTHONINSPECT", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if not sys.executable or "pyodide" in sys.executable or "this.program" in sys.executable:
        sys.executable = sys._base_executable = "/usr/bin/python3"  # type: ignore[attr-defined]
