"""asyncio.create_subprocess_exec and _shell: the event loop's two methods, over the runtime. Never blocks.

Follows asyncio/base_subprocess.py and asyncio/unix_events.py. Reading stops while the protocol has paused it, so what
nobody reads stays in the guest's pipe.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .launch import INHERIT, NEW_PIPE, launch
from .machine import Child, Machine, machine
from .subprocess import environment, identity, strings

__all__ = ["patch"]

READ_BYTES = 65536
HIGH_WATER = 65536
CHUNK = 1 << 18
TAKEN = ("env", "pass_fds", "start_new_session", "process_group", "user", "group", "umask")


class _ReadPipe(asyncio.ReadTransport):
    def __init__(self, owner: _Transport, number: int, fd: int) -> None:
        super().__init__({"pipe": fd})
        self._owner, self._number, self._fd = owner, number, fd
        self._attachment = owner.attachment
        self._paused: asyncio.Event = asyncio.Event()
        self._closing = False
        self._task = owner.loop.create_task(self._run())

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            while not self._closing:
                await self._paused.wait()
                if self._closing:
                    break
                data = self._attachment.calls.read(self._fd, READ_BYTES)
                if data is None:
                    await self._attachment.reactor.ready(self._fd)
                    continue
                if not data:
                    break
                self._owner.protocol.pipe_data_received(self._number, data)
        except Exception as e:
            error = None if self._closing else e
        self._closing = True
        self._close_fd()
        self._owner.lost(self._number, error)

    def _close_fd(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0 and self._attachment.closed is None:
            self._attachment.reactor.forget(fd)
            self._attachment.calls.close(fd)

    def pause_reading(self) -> None:
        self._paused.clear()

    def resume_reading(self) -> None:
        self._paused.set()

    def is_reading(self) -> bool:
        return self._paused.is_set() and not self._closing

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._paused.set()
            self._close_fd()


class _WritePipe(asyncio.WriteTransport):
    def __init__(self, owner: _Transport, fd: int) -> None:
        super().__init__({"pipe": fd})
        self._owner, self._fd = owner, fd
        self._attachment = owner.attachment
        self._buffer = bytearray()
        self._closing = False
        self._paused = False
        self._task: asyncio.Task[None] | None = None

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        if not len(view) or self._closing:
            return
        self._buffer += view
        if len(self._buffer) > HIGH_WATER and not self._paused:
            self._paused = True
            self._owner.protocol.pause_writing()
        if self._task is None:
            self._task = self._owner.loop.create_task(self._run())

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            while self._buffer and self._fd >= 0:
                accepted = self._attachment.calls.write(self._fd, memoryview(bytes(self._buffer[:CHUNK])))
                del self._buffer[:accepted]
                if self._paused and len(self._buffer) <= HIGH_WATER // 4:
                    self._paused = False
                    self._owner.protocol.resume_writing()
                if not accepted:
                    await self._attachment.reactor.ready(self._fd, True)
        except Exception as e:
            error = e
        self._task = None
        if error is not None or self._closing:
            self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        self._buffer.clear()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            if self._attachment.closed is None:
                self._attachment.reactor.forget(fd)
                self._attachment.calls.close(fd)
            self._owner.lost(0, error)

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._lose(None)

    def peer_gone(self) -> None:
        """Nobody reads any more: an error when something was still to be written, as unix_events has it."""
        self._lose(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) if self._buffer else None)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if self._task is None:
                self._owner.loop.call_soon(self._lose, None)


class _Process:
    """What get_extra_info("subprocess") gives: Popen's names that do not wait."""

    def __init__(self, transport: _Transport, pid: int) -> None:
        self._transport, self.pid = transport, pid
        self.stdin = self.stdout = self.stderr = None  # the transport has them

    @property
    def returncode(self) -> int | None:
        """Once the loop has heard of it."""
        return self._transport.get_returncode()

    def poll(self) -> int | None:
        """The same: the loop waits, nobody else."""
        return self.returncode

    def send_signal(self, signal: int) -> None:
        """kill(2)"""
        self._transport.attachment.kill(self.pid, int(signal))

    def terminate(self) -> None:
        """SIGTERM"""
        self.send_signal(15)

    def kill(self) -> None:
        """SIGKILL"""
        self.send_signal(9)


class _Transport(asyncio.SubprocessTransport):
    def __init__(self, loop: Any, protocol: Any, this: Machine, child: Child) -> None:
        super().__init__({"subprocess": _Process(self, child.pid)})
        self.loop, self.protocol, self._machine, self._child = loop, protocol, this, child
        self.attachment = this.attachment
        self._returncode: int | None = None
        self._waiters: list[asyncio.Future[int]] = []
        self._closed = False
        self._finished = False
        self._exited = False
        self._pipes: dict[int, Any] = {}
        if 0 in child.ends:
            self._pipes[0] = _WritePipe(self, child.ends[0])
        self._open = set(child.ends)

    def start(self) -> None:
        readers = [number for number in (1, 2) if number in self._child.ends]
        for number in readers:
            self._pipes[number] = _ReadPipe(self, number, self._child.ends[number])
        self.protocol.connection_made(self)
        for number in readers:
            self._pipes[number].resume_reading()
        self.loop.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            code = os.waitstatus_to_exitcode(await self._machine.ended_later(self._child.pid))
        except Exception:
            code = 255  # the runtime is gone, or somebody else has reaped it
        self._returncode = code
        self._exited = True
        self.protocol.process_exited()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(code)
        stdin = self._pipes.get(0)
        if stdin is not None:
            stdin.peer_gone()
        self._finish()

    def lost(self, number: int, error: Exception | None) -> None:
        """A pipe has ended."""
        if number in self._open:
            self._open.discard(number)
            self.protocol.pipe_connection_lost(number, error)
            self._finish()

    def _finish(self) -> None:
        if self._exited and not self._open and not self._finished:
            self._finished = True
            self.protocol.connection_lost(None)

    async def _wait(self) -> int:
        if self._returncode is not None:
            return self._returncode
        waiter: asyncio.Future[int] = self.loop.create_future()
        self._waiters.append(waiter)
        return await waiter

    def get_pid(self) -> int:
        return self._child.pid

    def get_returncode(self) -> int | None:
        return self._returncode

    def get_pipe_transport(self, fd: int) -> Any:
        return self._pipes.get(fd)

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self._closed

    def send_signal(self, signal: int) -> None:
        if self._returncode is not None:
            raise ProcessLookupError
        self.attachment.kill(self._child.pid, int(signal))

    def terminate(self) -> None:
        self.send_signal(15)

    def kill(self) -> None:
        self.send_signal(9)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for pipe in list(self._pipes.values()):
            pipe.close()
        if self._returncode is None and self.attachment.closed is None:
            with suppress(ProcessLookupError):
                self.get_extra_info("subprocess").kill()


def _stream(value: Any) -> int:
    if value is None:
        return INHERIT
    if value == subprocess.PIPE:
        return NEW_PIPE
    return value if isinstance(value, int) else int(value.fileno())


async def _exec(
    loop: Any,
    factory: Callable[[], Any],
    args: list[Any],
    stdin: Any,
    stdout: Any,
    stderr: Any,
    options: dict[str, Any],
) -> tuple[Any, Any]:
    for name in ("universal_newlines", "text", "encoding", "errors"):
        if options.pop(name, None):
            raise ValueError(f"{name} must be {'None' if name in ('encoding', 'errors') else 'False'}")
    if options.pop("bufsize", 0) != 0:
        raise ValueError("bufsize must be 0")
    if options.pop("preexec_fn", None) is not None:
        raise RuntimeError("preexec_fn cannot run: the child is not a copy of this Python")
    cwd, executable = options.pop("cwd", None), options.pop("executable", None)
    given = {name: options.pop(name) for name in TAKEN if name in options}
    for ignored in ("close_fds", "restore_signals", "creationflags", "startupinfo", "pipesize"):
        options.pop(ignored, None)
    if options:
        raise TypeError(f"{', '.join(sorted(options))}: cannot be given to a child here")
    if given.get("process_group") not in (None, 0):
        raise OSError(errno.ENOSYS, "process_group: a child can only start a group of its own (0)")
    umask = given.get("umask", -1)
    this = machine()
    child = launch(
        this,
        strings(args),
        executable="" if executable is None else os.fsdecode(executable),
        cwd=None if cwd is None else os.fsdecode(cwd),
        env=environment(given.get("env")),
        streams=(_stream(stdin), _stream(stdout), _stream(stderr)),
        pass_fds=list(given.get("pass_fds", ())),
        session=bool(given.get("start_new_session", False)),
        group=given.get("process_group") == 0,
        user=identity(given.get("user")),
        group_id=identity(given.get("group")),
        umask=0o022 if umask < 0 else umask,
    )
    protocol = factory()
    transport = _Transport(loop, protocol, this, child)
    transport.start()
    return transport, protocol


async def _subprocess_exec(
    self: Any, protocol_factory: Any, program: Any, *args: Any, stdin: Any = subprocess.PIPE,
    stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE, shell: bool = False, **options: Any,
) -> tuple[Any, Any]:  # fmt: skip
    if shell:
        raise ValueError("shell must be False")
    for arg in (program, *args):
        if not isinstance(arg, (str, bytes, os.PathLike)):
            raise TypeError(f"program arguments must be a bytes or text string, not {type(arg).__name__}")
    return await _exec(self, protocol_factory, [program, *args], stdin, stdout, stderr, options)


async def _subprocess_shell(
    self: Any, protocol_factory: Any, cmd: Any, *, stdin: Any = subprocess.PIPE,
    stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE, shell: bool = True, **options: Any,
) -> tuple[Any, Any]:  # fmt: skip
    if not isinstance(cmd, (bytes, str)):
        raise ValueError("cmd must be a string")
    if not shell:
        raise ValueError("shell must be True")
    return await _exec(self, protocol_factory, ["/bin/sh", "-c", cmd], stdin, stdout, stderr, options)


def patch() -> None:
    """Pyodide's event loop gets both methods."""
    loop: Any = type(asyncio.get_event_loop())
    loop.subprocess_exec = _subprocess_exec
    loop.subprocess_shell = _subprocess_shell
