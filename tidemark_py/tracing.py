"""Tracing: system calls and events of guests while they run. Runtime.strace and Runtime.trace are its front.

Owns who listens to which process; the kernel records for all of them at once (kernel/task/trace.h), and nothing while
nobody listens. A listener of one process gets what it forks, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from .abi.gen import messages as m
from .abi.gen.abi import Event, Trace, TraceOn
from .channel.port import Port
from .errors import RuntimeClosed
from .state.trace import TraceEvent, format_trace, parse_trace

__all__ = ["Tracing"]


class _Listener:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.family = {pid}
        self.queue: asyncio.Queue[TraceEvent | None] = asyncio.Queue()

    def heard(self, event: TraceEvent) -> None:
        if event.kind == Trace.EVENT and event.nr == Event.SPAWN and event.args[2] in self.family:
            self.family.add(event.pid)
        if not self.pid or event.pid in self.family or event.kind in (Trace.LOST, Trace.MESSAGE):
            self.queue.put_nowait(event)


class Tracing:
    """kernel: the port to the kernel worker; raises what ended the runtime. raw: sees every record's bytes as well."""

    def __init__(self, kernel: Callable[[], Port]) -> None:
        self._kernel = kernel
        self._listeners: list[_Listener] = []
        self._over: BaseException | None = None
        self.raw: Callable[[bytes], None] | None = None

    async def switch(self, pid: int, calls: bool, events: bool, timeline: bool = False, profile: bool = False) -> None:
        """Record, or stop recording, for `raw`. Raises ProcessLookupError."""
        what = (TraceOn.CALLS if calls else 0) | (TraceOn.EVENTS if events else 0)
        what |= (TraceOn.TIMELINE if timeline else 0) | (TraceOn.PROFILE if profile else 0)
        await self._kernel().request(m.TraceSet(pid, int(what)))

    async def events(self, pid: int = 0, timeline: bool = False) -> AsyncIterator[TraceEvent]:
        """Records of process `pid` and what it forks (0: of all) from now on, until the runtime ends."""
        listener = _Listener(pid)
        self._listeners.append(listener)
        try:
            await self.switch(pid, calls=True, events=True, timeline=timeline)
            while (event := await listener.queue.get()) is not None:
                yield event
            if self._over is not None and not isinstance(self._over, RuntimeClosed):
                raise self._over
        finally:
            self._listeners.remove(listener)
            if self._over is None and all(other.pid != pid for other in self._listeners):
                with suppress(Exception):  # the process may be gone, or the runtime
                    self._kernel().request(m.TraceSet(pid, 0))

    async def lines(self, pid: int = 0) -> AsyncIterator[str]:
        """The same as strace(1) prints it; times count from the first line."""
        epoch = 0
        async for event in self.events(pid):
            epoch = epoch or event.start_ns
            yield format_trace(event, epoch)

    def recorded(self, records: bytes) -> None:
        """The kernel worker sent some."""
        if self.raw is not None:
            self.raw(records)
        if self._listeners:
            for event in parse_trace(records):
                for listener in self._listeners:
                    listener.heard(event)

    def end(self, error: BaseException) -> None:
        """The runtime is over."""
        self._over = error
        for listener in self._listeners:
            listener.queue.put_nowait(None)
