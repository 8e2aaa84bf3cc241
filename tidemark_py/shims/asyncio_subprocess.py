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
from typing import Any

from ..channel.streams import StreamReader, StreamWriter
from .launch import INHERIT, NEW_PIPE, launch
from .machine import Child, machine
from .subprocess import environment, identity, strings

__all__ = ["patch"]

READ_BYTES = 65536
HIGH_WATER = 65536
TAKEN = ("env", "pass_fds", "start_new_session", "process_group", "user", "group", "umask")


class _ReadPipe(asyncio.ReadTransport):
    def __init__(self, owner: _Transport, number: int, reader: StreamReader) -> None:
        super().__init__({"pipe": reader})
        self._owner, self._number, self._reader = owner, number, reader
        self._paused: asyncio.Event = asyncio.Event()
        self._paused.set()
        self._closing = False
        self._task = owner.loop.create_task(self._run())

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            while not self._closing:
                await self._paused.wait()
                data = await self._reader.read(READ_BYTES)
                if not data or self._closing:
                    break
                self._owner.protocol.pipe_data_received(self._number, data)
        except Exception as e:
            error = None if self._closing else e
        self._closing = True
        self._reader.close()
        self._owner.lost(self._number, error)

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
            self._reader.close()


class _WritePipe(asyncio.WriteTransport):
    def __init__(self, owner: _Transport, writer: StreamWriter) -> None:
        super().__init__({"pipe": writer})
        self._owner, self._writer = owner, writer
        self._unwritten = 0
        self._closing = False
        self._paused = False

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        if not len(view) or self._closing:
            return
        self._unwritten += len(view)
        if self._unwritten > HIGH_WATER and not self._paused:
            self._paused = True
            self._owner.protocol.pause_writing()
        self._writer.write(view)
        self._owner.loop.create_task(self._written(len(view)))

    async def _written(self, size: int) -> None:
        error: Exception | None = None
        try:
            await self._writer.drain()
        except Exception as e:
            error = e
        if error is not None:
            self._lose(error)  # who waits for room hears of it there
            return
        self._unwritten -= size
        if self._paused and self._unwritten <= HIGH_WATER // 4:
            self._paused = False
            self._owner.protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        writer, self._writer = self._writer, None  # type: ignore[assignment]
        if writer is not None:
            writer.close()
            self._owner.lost(0, error)

    def get_write_buffer_size(self) -> int:
        return self._unwritten

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
        self._lose(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) if self._unwritten else None)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._owner.loop.create_task(self._close())

    async def _close(self) -> None:
        error: Exception | None = None
        if self._writer is not None:
            try:
                await self._writer.drain()
            except Exception as e:
                error = e
            self._lose(error)


class _Transport(asyncio.SubprocessTransport):
    def __init__(self, loop: Any, protocol: Any, child: Child, popen_args: Any) -> None:
        super().__init__({"subprocess": child.process})
        self.loop, self.protocol, self._child = loop, protocol, child
        self._returncode: int | None = None
        self._waiters: list[asyncio.Future[int]] = []
        self._closed = False
        self._finished = False
        self._exited = False
        process = child.process
        self._pipes: dict[int, Any] = {}
        self._open: set[int] = set()
        # The child's end of its stdin must not close ours while asyncio still owns it.
        if process.stdin is not None:
            self._pipes[0] = _WritePipe(self, process.stdin)
            process.stdin = None
        machine().children.pop(child.pid, None)  # ours: os.wait() does not see it
        readers = {1: process.stdout, 2: process.stderr}
        self._readers = {n: r for n, r in readers.items() if r is not None}
        self._open = {*self._pipes, *self._readers}

    def start(self) -> None:
        for number, reader in self._readers.items():
            self._pipes[number] = _ReadPipe(self, number, reader)
            self._pipes[number].pause_reading()
        self.protocol.connection_made(self)
        for number in self._readers:
            self._pipes[number].resume_reading()
        self.loop.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            await self._child.ended()
            code = self._child.process.returncode
        except Exception:
            code = 255  # the runtime is gone
        self._returncode = code
        self._exited = True
        self.protocol.process_exited()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(code or 0)
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
        self._child.process.send_signal(signal)

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
        if self._returncode is None and not self._child.process._exit.done:
            self._child.process.kill()


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
    child = await launch(
        machine(),
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
    transport = _Transport(loop, protocol, child, args)
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
