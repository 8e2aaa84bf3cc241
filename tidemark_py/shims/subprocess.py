"""subprocess: CPython's own Popen, with starting, waiting and communicating replaced. Its pipes are os.pipe's.

Follows Lib/subprocess.py. Refused by name: preexec_fn. Ignored: restore_signals (a child starts with the defaults).
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .launch import INHERIT, inherited, launch
from .machine import Machine, machine

__all__ = ["environment", "identity", "patch", "strings"]

READ_BYTES = 1 << 18


def strings(values: Any) -> list[str]:
    """argv as text: bytes and paths too. Raises ValueError for a NUL inside."""
    found = [os.fsdecode(value) for value in values]
    if any("\0" in text for text in found):
        raise ValueError("embedded null byte")
    return found


def current_environment() -> dict[str, str]:
    """The process' own, with what os.putenv and os.unsetenv did behind os.environ's back."""
    create = getattr(sys.modules.get("posix"), "_create_environ", None)
    if create is None:
        return dict(os.environ)
    return {os.fsdecode(name): os.fsdecode(value) for name, value in create().items()}


def environment(env: Mapping[Any, Any] | None) -> dict[str, str]:
    """env as text; None is this process' own. Raises ValueError as fork_exec does."""
    if env is None:
        return current_environment()
    result = {os.fsdecode(k): os.fsdecode(v) for k, v in env.items()}
    for name, value in result.items():
        if "=" in name:
            raise ValueError("illegal environment variable name")
        if "\0" in name or "\0" in value:
            raise ValueError("embedded null byte")
    return result


def identity(number: Any) -> int:
    """uid or gid for a child; None is root. Raises OverflowError."""
    if number is not None and int(number) >= 1 << 32:
        raise OverflowError("the number of a user or group has 32 bits")
    return 0 if number is None else int(number)


def _execute_child(
    self: Any, args: Any, executable: Any, preexec_fn: Any, close_fds: bool, pass_fds: Any, cwd: Any, env: Any,
    startupinfo: Any, creationflags: int, shell: bool, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int,
    errread: int, errwrite: int, restore_signals: bool, gid: Any, gids: Any, uid: Any, umask: int,
    start_new_session: bool, process_group: int,
) -> None:  # fmt: skip
    if isinstance(args, (str, bytes, os.PathLike)):
        if shell and isinstance(args, os.PathLike):
            raise TypeError("path-like args is not allowed when shell is true")
        args = [args]
    else:
        args = list(args)
    if shell:
        args = ["/bin/sh", "-c", *args]
        if executable:
            args[0] = executable
    if executable is None:
        executable = args[0]
    sys.audit("subprocess.Popen", executable, args, cwd, env)
    if preexec_fn is not None:
        raise RuntimeError("preexec_fn cannot run: the child is not a copy of this Python")
    if not args:
        raise ValueError("argv is empty")
    if process_group > 0:
        raise OSError(errno.ENOSYS, "process_group: a child can only start a group of its own (0)")
    this = machine()
    passed = list(pass_fds)
    if not close_fds:
        passed += [n for n in inherited(this) if n not in passed]
    self.pid = launch(
        this,
        strings(args),
        executable="" if executable == args[0] else os.fsdecode(executable),
        cwd=None if cwd is None else os.fsdecode(cwd),
        env=environment(env),
        streams=tuple(INHERIT if n == -1 else n for n in (p2cread, c2pwrite, errwrite)),  # type: ignore[arg-type]
        pass_fds=passed,
        session=start_new_session,
        group=process_group == 0,
        user=identity(uid),
        group_id=identity(gid),
        umask=0o022 if umask < 0 else umask,
    ).pid
    self._child_created = True
    self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)


def _wait(self: Any, timeout: float | None) -> Any:
    if self.returncode is None:
        try:
            status = machine().wait(self.pid, 0, timeout)[1]
        except TimeoutError:
            raise subprocess.TimeoutExpired(self.args, timeout) from None  # type: ignore[arg-type]
        except ChildProcessError:
            status = 0
        if self.returncode is None:
            self._handle_exitstatus(status)
    return self.returncode


def _talk(this: Machine, self: Any, remaining: float | None) -> bool:
    """Feed its stdin, collect its output, until every stream has ended. False: not in time."""
    attachment = this.attachment
    reading = {s: attachment.descriptor(s.fileno()) for s in (self.stdout, self.stderr) if s and not s.closed}
    writing = -1
    if self.stdin and not self.stdin.closed and self._input:
        writing = attachment.descriptor(self.stdin.fileno())
        view = memoryview(self._input).cast("B")

    def read(stream: Any) -> None:
        fd = reading[stream]
        while (data := attachment.calls.read(fd, READ_BYTES)) is not None:
            self._fileobj2output[stream].append(data)
            if not data:
                del reading[stream]
                stream.close()
                return
        attachment.reactor.ready(fd, arm=False)

    def write() -> None:
        nonlocal writing
        try:
            while self._input_offset < len(view):
                accepted = attachment.calls.write(writing, view[self._input_offset :])
                if not accepted:
                    attachment.reactor.ready(writing, True, arm=False)
                    return
                self._input_offset += accepted
        except BrokenPipeError:
            pass
        writing = -1
        with suppress(BrokenPipeError):
            self.stdin.close()

    def done() -> bool:
        if writing >= 0:
            write()
        for stream in list(reading):
            read(stream)
        return not reading and writing < 0

    return this.wait_until(done, None if remaining is None else max(remaining, 0))


def _communicate(self: Any, input: Any, endtime: float | None, orig_timeout: float | None) -> tuple[Any, Any]:
    this = machine()
    if self.stdin and not self._communication_started:
        try:
            self.stdin.flush()
        except BrokenPipeError:
            pass
        except ValueError:
            if not self.stdin.closed:
                raise
        if not input:
            with suppress(BrokenPipeError):
                self.stdin.close()
    if not self._communication_started:
        self._fileobj2output = {s: [] for s in (self.stdout, self.stderr) if s}
    stdout = self._fileobj2output[self.stdout] if self.stdout else None
    stderr = self._fileobj2output[self.stderr] if self.stderr else None
    self._save_input(input)
    whole = _talk(this, self, self._remaining_time(endtime))
    self._check_timeout(endtime, orig_timeout, stdout, stderr, skip_check_and_raise=not whole)
    try:
        self.wait(timeout=self._remaining_time(endtime))
    except subprocess.TimeoutExpired as exc:
        exc.timeout = orig_timeout  # type: ignore[assignment]
        raise
    out = None if stdout is None else b"".join(stdout)
    err = None if stderr is None else b"".join(stderr)
    if self.text_mode:
        if out is not None:
            out = self._translate_newlines(out, self.stdout.encoding, self.stdout.errors)
        if err is not None:
            err = self._translate_newlines(err, self.stderr.encoding, self.stderr.errors)
    return out, err


def patch() -> None:
    """Needs the os shim first: what __del__ uses is taken from there."""
    module: Any = subprocess
    module._can_fork_exec = True
    late = module._del_safe
    late.waitpid = staticmethod(os.waitpid)
    late.waitstatus_to_exitcode = staticmethod(os.waitstatus_to_exitcode)
    late.WIFSTOPPED, late.WSTOPSIG = staticmethod(os.WIFSTOPPED), staticmethod(os.WSTOPSIG)
    late.WNOHANG = os.WNOHANG
    module.Popen._execute_child = _execute_child
    module.Popen._wait = _wait
    module.Popen._communicate = _communicate
