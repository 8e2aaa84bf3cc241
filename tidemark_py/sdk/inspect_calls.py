"""What the inspector page asks of the elements' server: processes with their memory and descriptors, counters, events,
and the system calls of one process. Read-only but for a signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from ..abi.gen.abi import Syscall
from ..errors import TidemarkError

__all__ = ["calls"]


def _call_name(number: int) -> str:
    try:
        return Syscall(number).name
    except ValueError:
        return str(number)


def calls(elements: Any) -> dict[str, Callable[..., Coroutine[Any, Any, Any]]]:
    """name -> call, for elements.Elements."""
    watching: list[asyncio.Task[None]] = []
    tracing: dict[int, asyncio.Task[None]] = {}
    measuring = [False]
    runtime = elements.runtime

    async def state() -> dict[str, Any]:
        """KernelRuntimeState as plain values; threads also say the system call they are in by name."""
        value: dict[str, Any] = (await runtime.snapshot()).to_json()
        for thread in value["threads"]:
            thread["call"] = _call_name(thread["syscall"])
        return value

    async def watch(on: bool) -> None:
        """Events as they come, until told otherwise."""
        while watching:
            watching.pop().cancel()
        if on:
            watching.append(elements.background(_events()))

    async def _events() -> None:
        async for event in runtime.events:
            elements.post(t="event", **asdict(event))

    async def kill(pid: int, signal: int) -> None:
        await runtime.kill(pid, signal)

    async def trace(pid: int, on: bool) -> None:
        """The process's system calls as text, line by line."""
        if task := tracing.pop(pid, None):
            task.cancel()
        if not on:
            return
        follow = getattr(runtime, "strace", None)
        if follow is None:
            raise TidemarkError("this build of the runtime cannot show system calls")
        tracing[pid] = elements.background(_lines(follow, pid))

    async def _lines(follow: Any, pid: int) -> None:
        try:
            async for line in follow(pid):
                elements.post(t="trace", pid=pid, text=str(line))
        except (OSError, TidemarkError) as e:
            elements.post(t="trace", pid=pid, text=f"--- {e}")

    async def metrics(on: bool) -> list[dict[str, Any]]:
        """What was measured so far; measuring goes on from zero, or ends, when that changes."""
        if on != measuring[0]:
            await runtime.measure(on)
            measuring[0] = on
        return [asdict(metric) for metric in await runtime.metrics()]

    return {"state": state, "watch": watch, "kill": kill, "trace": trace, "metrics": metrics}
