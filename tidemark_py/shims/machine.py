"""Machine: this Pyodide's view of a runtime: descriptors, children, and the one way to block.

Descriptors: a pipe end is a real Emscripten number (an open /dev/null, so that nobody else is given the number) with a
descriptor of init behind it, in `Machine.descriptors`. The os shim reads, writes, duplicates and closes them by it.
Blocking is JSPI (run_sync), on the page and in workers: the event loop goes on meanwhile. owner: install().
Missing: Atomics.wait in workers without JSPI.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ..abi.gen import messages as m
from ..channel.later import Later
from ..errors import TidemarkError
from ..host.blocking import can_block, run_blocking
from ..runtime import Process, Runtime

__all__ = ["Child", "Descriptor", "Machine", "machine", "use"]

CANNOT_BLOCK = (
    "Python cannot wait for a process here: run the code by runPythonAsync (or in an async def that JavaScript awaits) "
    "in a browser with JSPI, or use asyncio.create_subprocess_exec"
)
COPY_SECONDS = 0.5
REAL_CLOSE, REAL_OPEN = os.close, os.open


class Descriptor:
    """A descriptor of init, shared by every number that was duplicated from it. What a wait that timed out had asked
    for is kept for the next read."""

    __slots__ = ("buffer", "ended", "error", "fd", "numbers", "pending", "port")

    def __init__(self, port: Any, fd: int) -> None:
        self.port = port
        self.fd = fd
        self.numbers = 0
        self.buffer = bytearray()
        self.pending: Later[Any] | None = None
        self.ended = False
        self.error: Exception | None = None

    def ask(self, size: int) -> Later[Any] | None:
        """What to wait for before take() has something; None when it has."""
        if self.buffer or self.ended or self.error is not None:
            return None
        if self.pending is None:
            self.pending = self.port.request(m.StreamRead(self.fd, max(size, 1)))
            self.pending.then(self._came)
            return None if self.buffer or self.ended or self.error is not None else self.pending
        return self.pending

    def _came(self, later: Later[Any]) -> None:
        self.pending = None
        try:
            data = later.result().data
        except Exception as e:
            self.error = e
        else:
            self.buffer += data
            self.ended = not data

    def take(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end. Raises what the read raised."""
        if self.error is not None and not self.buffer:
            error, self.error = self.error, None
            raise error
        if len(self.buffer) <= size:
            data = bytes(self.buffer)
            self.buffer.clear()
            return data
        data = bytes(memoryview(self.buffer)[:size])
        del self.buffer[:size]
        return data


class Child:
    """A child of this Python: its Process, and the copies to real files, which are whole before its end is seen."""

    def __init__(self, process: Process, pumps: list[asyncio.Task[None]]) -> None:
        self.process = process
        self.pid = process.pid
        self.pumps = pumps

    @property
    def status(self) -> int | None:
        """As waitpid gives it, once it ended and what it wrote has arrived."""
        state = self.process.exit
        if state is None or any(not pump.done() for pump in self.pumps):
            return None
        return state.status

    async def ended(self) -> int:
        """The same, awaited. What its own children still write is not waited for."""
        state = await self.process._exit
        if self.pumps:
            await asyncio.wait(self.pumps, timeout=COPY_SECONDS)
            self.pumps = []
        return state.status


class Machine:
    """One per Pyodide."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.descriptors: dict[int, Descriptor] = {}
        self.inheritable: set[int] = set()
        self.children: dict[int, Child] = {}
        self.directories: set[str] = {"/", "/tmp"}

    @property
    def port(self) -> Any:
        """The kernel worker. Raises RuntimeClosed and its like."""
        return self.runtime._kernel

    # ---- blocking ----

    def block(self, awaitable: Awaitable[Any], seconds: float | None = None) -> Any:
        """Wait for it. Raises TimeoutError after `seconds`, TidemarkError where Python cannot wait."""
        if isinstance(awaitable, Later) and awaitable.done:
            return awaitable.result()
        if not can_block():
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise TidemarkError(CANNOT_BLOCK)
        if seconds is not None:
            awaitable = asyncio.wait_for(_wait(awaitable), max(seconds, 0))
        elif isinstance(awaitable, Later):
            awaitable = _wait(awaitable)
        return run_blocking(awaitable)

    def turn(self) -> bool:
        """Let everything that has happened so far become known. False where Python cannot wait."""
        if self.runtime.closed or not can_block():
            return False
        with suppress(OSError):
            self.block(self.port.request(m.ProcessKill(1, 0)))
        return True

    # ---- descriptors ----

    def adopt(self, fd: int) -> int:
        """A number for descriptor `fd` of init."""
        return self._number(Descriptor(self.port, fd))

    def _number(self, descriptor: Descriptor) -> int:
        number = REAL_OPEN("/dev/null", os.O_RDWR)
        self.descriptors[number] = descriptor
        descriptor.numbers += 1
        return number

    def dup(self, number: int) -> int:
        """Another number of the same description."""
        return self._number(self.descriptors[number])

    def put(self, descriptor: Descriptor, number: int) -> None:
        """`number`, which is open, becomes this description."""
        self.forget(number)
        self.descriptors[number] = descriptor
        descriptor.numbers += 1

    def forget(self, number: int) -> None:
        """`number` is closed."""
        descriptor = self.descriptors.pop(number, None)
        self.inheritable.discard(number)
        if descriptor is None:
            return
        descriptor.numbers -= 1
        if descriptor.numbers == 0:
            descriptor.port.request(m.StreamClose(descriptor.fd))

    def close(self, number: int) -> None:
        """close(2)"""
        self.forget(number)
        REAL_CLOSE(number)

    def read(self, number: int, size: int, seconds: float | None = None) -> bytes:
        """read(2), waiting."""
        descriptor = self.descriptors[number]
        if size == 0:
            return b""
        while (later := descriptor.ask(size)) is not None:
            self.block(_settled(later), seconds)
        return descriptor.take(size)

    def write(self, number: int, data: Any) -> int:
        """write(2), waiting until all is in the pipe."""
        view = memoryview(data).cast("B")
        self.block(self.port.request(m.StreamWrite(self.descriptors[number].fd, bytes(view))))
        return len(view)

    # ---- children ----

    def reaped(self, pid: int) -> tuple[int, int] | None:
        """(pid, status) of an ended child (-1: any), then forgotten; None while none has. Raises ChildProcessError."""
        candidates = [child for child in self.children.values() if pid in (-1, child.pid)]
        if not candidates:
            raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
        for child in candidates:
            status = child.status
            if status is not None:
                del self.children[child.pid]
                return child.pid, status
        return None

    def wait(self, pid: int, seconds: float | None = None) -> tuple[int, int]:
        """Until a child has ended. Raises TimeoutError, ChildProcessError."""
        done = self.reaped(pid)
        while done is None:
            children = list(self.children.values()) if pid == -1 else [self.children[pid]]
            self.block(_first([child.ended for child in children]), seconds)
            done = self.reaped(pid)
        return done


async def _wait(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _settled(later: Later[Any]) -> None:
    """Waits; the outcome is somebody else's."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    later.then(lambda _: None if future.done() else future.set_result(None))
    await future


async def _first(waits: list[Callable[[], Awaitable[int]]]) -> None:
    if len(waits) == 1:
        await waits[0]()
        return
    tasks = [asyncio.ensure_future(wait()) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


_machine: Machine | None = None


def use(new: Machine | None) -> None:
    """From now on the shims work on this one."""
    global _machine
    _machine = new


def machine() -> Machine:
    """The installed one. Raises TidemarkError."""
    if _machine is None:
        raise TidemarkError("processes are not installed here: await tidemark_py.install()")
    return _machine
