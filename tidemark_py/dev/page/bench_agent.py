"""Runs in the page: subprocess' own figures. Started by dev/bench_subprocess.py, which times nothing itself.

Wire: console lines `BENCH {json}`; between "before" and "go" the tool looks at the browser's memory.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from typing import Any

import js
from pyodide.ffi import create_once_callable

import tidemark_py as tm

WARM_UP = 50
PIPE_BYTES = 400 << 20


def say(**message: Any) -> None:
    """Tell the tool."""
    js.console.log("BENCH " + json.dumps(message))


def true_ms(count: int) -> list[float]:
    """Milliseconds of each of `count` runs in a row."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        subprocess.run(["true"], check=True)
        times.append((time.perf_counter() - began) * 1000)
    return times


def megabytes_a_second(blocks: int) -> float:
    """Of a guest's output read by Python, dd's start and end included."""
    command = ["dd", "if=/dev/zero", "bs=64k", f"count={blocks}"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        assert p.stdout
        got = 0
        while data := p.stdout.read(1 << 20):
            got += len(data)
    if got != blocks << 16:
        raise RuntimeError(f"{got} bytes came of {blocks << 16}")
    return got / (time.perf_counter() - began) / 1e6


async def look() -> None:
    """Let the tool look at the memory, after the garbage has gone."""
    looked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    js.benchGo = create_once_callable(lambda: looked.set_result(None))
    say(kind="look")
    await looked


async def main() -> None:
    """Everything."""
    count = int(js.benchRuns)
    saved = await (await js.fetch("/pyodide-snapshot.bin")).arrayBuffer()
    runtime = await tm.install(layers=["/layer.tdl"], snapshot=saved)
    began = time.perf_counter()
    true_ms(1)
    first = (time.perf_counter() - began) * 1000
    true_ms(WARM_UP)
    await look()
    before = (await runtime.snapshot()).counters
    times = true_ms(count)
    after = (await runtime.snapshot()).counters
    await look()
    true_ms(count)
    await look()
    rates = [megabytes_a_second(PIPE_BYTES >> 16) for _ in range(3)]
    changed = {k: after[k] - before[k] for k in ("processes", "memories", "heap_used")}
    worst = statistics.quantiles(times, n=100)[-1]
    say(
        kind="end", first_ms=first, median_ms=statistics.median(times), p99_ms=worst, rate=max(rates), changed=changed,
        pyodide_bytes=int(js.pyodideModule.HEAP8.length),
    )  # fmt: skip


await main()  # type: ignore[top-level-await]  # noqa: F704, PLE1142  (Pyodide runs this text by runPythonAsync)
