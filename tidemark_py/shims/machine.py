"""Machine: this Pyodide's processes: its attachment to a runtime (process/attachment.py), its children, the pumps that
connect them to streams of this Python which are no descriptors of the kernel. owner: install().

Waiting is Atomics.wait inside the kernel in a worker (the event loop stands still meanwhile, as in any Python), and
JSPI on a page's main thread (the event loop goes on).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..errors import CannotWait, RuntimeClosed, TidemarkError
from ..host.blocking import can_block, run_blocking
from ..process.attachment import Attachment

__all__ = ["MOVED", "Child", "Machine", "current", "machine", "suspend", "use"]

CANNOT_BLOCK = (
    "Python cannot wait for a process here, on a page's main thread: run the code by runPythonAsync (or in an async "
    "def that JavaScript awaits) in a browser with JSPI, run Python in a worker, or use asyncio.create_subprocess_exec"
)
COPY_SECONDS = 0.5
MOVED = RuntimeClosed("this Python was installed on another runtime since")


def suspend(awaitable: Any) -> Any:
    """Wait for it in synchronous code by JSPI. Raises CannotWait where that is impossible."""
    if not can_block():
        close = getattr(awaitable, "close", None)
        if close is not None:
            close()
        raise CannotWait(CANNOT_BLOCK)
    return run_blocking(awaitable)


class Child:
    """A child of this Python. pumps: copies to streams that are whole before its end is seen."""

    def __init__(self, pid: int, ends: dict[int, int], pumps: list[Any]) -> None:
        self.pid = pid
        self.ends = ends
        self.pumps = pumps
        self.status: int | None = None
        self.patience = 0.0

    @property
    def copied(self) -> bool:
        """All that it wrote has arrived. What its own children still write is not waited for long."""
        return all(pump.over for pump in self.pumps) or (self.status is not None and time.monotonic() > self.patience)


class Machine:
    """One per Pyodide."""

    def __init__(self, runtime: Any, attachment: Attachment) -> None:
        self.runtime = runtime
        self.attachment = attachment
        self.children: dict[int, Child] = {}
        self.ended: dict[int, Child] = {}
        self.mounts: dict[str, str] = {}
        self.end: Callable[[Exception], None] = attachment.close

    def guest_path(self, path: str) -> str | None:
        """Where guests see a path of this Python, or None."""
        found = [point for point in self.mounts if path == point or path.startswith(f"{point}/")]
        if not found:
            return None
        point = max(found, key=len)
        return (self.mounts[point].rstrip("/") + path[len(point) :]) or "/"

    def directory(self, path: str | None) -> str:
        """A child's working directory: None is this Python's own, which is made when guests do not have it."""
        if path is not None:
            path = os.path.join(os.getcwd(), path)
            return self.guest_path(path) or path
        here = os.getcwd()
        guest = self.guest_path(here)
        if guest is not None:
            return guest
        calls = self.attachment.calls
        try:
            calls.stat(here)
        except FileNotFoundError:
            calls.make_parents(here)
            calls.mkdir(here, 0o755)
        return here

    # ---- waiting ----

    def wait_until(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """False after `seconds`. Raises TidemarkError where Python cannot wait."""
        return self.attachment.reactor.wait(done, seconds)

    def poll(self, pid: int, options: int = 0) -> tuple[int, int] | None:
        """wait4(2) that does not wait. Raises ChildProcessError."""
        for child in self.ended.values():
            if pid in (-1, 0, child.pid) and child.copied:
                del self.ended[child.pid]
                return child.pid, child.status or 0
        try:
            done = self.attachment.reap(pid, options)
        except ChildProcessError:
            if any(pid in (-1, 0, each) for each in self.ended):
                return None
            raise
        if done is None or os.WIFSTOPPED(done[1]) or os.WIFCONTINUED(done[1]):
            return done
        gone = self.children.pop(done[0], None)
        if gone is None or gone.copied:
            return done
        gone.status, gone.patience = done[1], time.monotonic() + COPY_SECONDS
        self.ended[gone.pid] = gone
        return None

    def wait(self, pid: int, options: int = 0, seconds: float | None = None) -> tuple[int, int]:
        """wait4(2). Raises ChildProcessError, TimeoutError."""
        found: list[tuple[int, int]] = []

        def done() -> bool:
            result = self.poll(pid, options)
            if result is not None:
                found.append(result)
            return result is not None

        if not self.wait_until(done, seconds):
            raise TimeoutError
        return found[0]

    async def ended_later(self, pid: int) -> int:
        """Its status, awaited. Raises ChildProcessError when somebody else has reaped it."""
        while (done := self.poll(pid)) is None:
            child = self.ended.get(pid)
            if child is not None:
                await _first([pump.done for pump in child.pumps], COPY_SECONDS)
            else:
                await self.attachment.reactor.children()
        return done[1]


async def _first(laters: list[Any], seconds: float) -> None:
    async def all_of() -> None:
        for later in laters:
            await later

    with suppress(TimeoutError):
        await asyncio.wait_for(all_of(), seconds + 0.01)


_machine: Machine | None = None


def use(new: Machine | None) -> None:
    """From now on the shims work on this one."""
    global _machine
    _machine = new


def current() -> Machine:
    """The last installed one, closed or not: its numbers are told from others."""
    if _machine is None:
        raise TidemarkError("processes are not installed here: await tidemark_py.install()")
    return _machine


def machine() -> Machine:
    """The installed one. Raises TidemarkError."""
    if _machine is None:
        raise TidemarkError("processes are not installed here: await tidemark_py.install()")
    if _machine.attachment.closed is not None:
        raise _machine.attachment.closed
    return _machine
