"""Waiting in synchronous Python by JSPI: the event loop goes on meanwhile. Called by the shims."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

__all__ = ["can_block", "run_blocking", "run_code"]


def can_block() -> bool:
    """This call came by a way that JSPI can suspend (runPythonAsync, an async def that JavaScript awaits)."""
    from pyodide.ffi import can_run_sync

    return bool(can_run_sync())


def run_blocking(awaitable: Awaitable[Any]) -> Any:
    """The awaited result. Raises what it raised."""
    from pyodide.ffi import run_sync

    return run_sync(awaitable)


async def run_code(code: str, filename: str) -> Any:
    """Run a person's program with top-level await; its synchronous calls may wait. Raises what it raises."""
    from pyodide.code import eval_code_async

    return await eval_code_async(code, {"__name__": "__main__"}, filename=filename)
