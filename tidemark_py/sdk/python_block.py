"""Python in a <tidemark-run>: the tab's own Python (Pyodide) with tidemark_py.install()ed processes.

Owns: one block at a time (they share sys.stdout), its output, its traceback without our frames. Called by sdk/elements.
Missing: a block that computes without end cannot be stopped from Python; the page then offers to start anew.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
import traceback
from contextlib import suppress
from typing import Any

__all__ = ["run", "stop"]

FILE = "<block>"
_lock: asyncio.Lock | None = None


class _Output(io.TextIOBase):
    """sys.stdout of a block."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """To the element."""
        if text:
            self.session.output(text.encode("utf-8", "replace"))
        return len(text)


async def run(session: Any, code: str) -> None:
    """Run it and report its end: exit code 0, or 1 after an uncaught exception, as python3 does."""
    global _lock
    from ..host.blocking import run_code
    from ..shims import install

    _lock = _lock or asyncio.Lock()
    async with _lock:
        await install(session.elements.runtime)
        if session.closing:
            return
        out = _Output(session)
        saved = sys.stdout, sys.stderr
        session.post("started", pid=0)
        began = time.perf_counter()
        result = 0
        sys.stdout = sys.stderr = out
        try:
            await run_code(code, FILE)
        except asyncio.CancelledError:
            out.write("stopped\n")
            result = 130
        except SystemExit as e:
            result = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
            if isinstance(e.code, str):
                out.write(e.code + "\n")
        except BaseException as e:  # shown in the element, as python3 shows it
            out.write(_text(e))
            result = 1
        finally:
            sys.stdout, sys.stderr = saved
        session.post("exit", code=result, ms=(time.perf_counter() - began) * 1000)


def _text(error: BaseException) -> str:
    """The traceback from the block's own first line on."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != FILE:
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame))


async def stop(elements: Any, session: Any, signal: int) -> None:
    """What it started gets the signal, then it is cancelled where it awaits."""
    from ..shims import machine

    current = machine._machine
    if current is not None:
        for pid in list(current.children):
            with suppress(OSError):
                await elements.runtime.kill(pid, signal)
    await asyncio.sleep(0.05)
    if session.task is not None and session.number in elements.sessions:
        session.task.cancel()
