"""Waiting in synchronous Python by JSPI: the event loop goes on meanwhile. Called by the shims."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

__all__ = ["can_block", "run_blocking"]


def can_block() -> bool:
    """This call came by a way that JSPI can suspend (runPythonAsync, an async def that JavaScript awaits)."""
    from pyodide.ffi import can_run_sync

    return bool(can_run_sync())


def run_blocking(awaitable: Awaitable[Any]) -> Any:
    """The awaited result. Raises what it raised."""
    from pyodide.ffi import run_sync

    return run_sync(awaitable)
