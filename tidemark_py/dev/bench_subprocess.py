"""`build.py bench --only subprocess`: what processes cost Python in a page, beside this machine's own Python.

Figures: subprocess.run(["true"]) warm (median, 99th percentile), the memory that a thousand in a row leave behind (the
kernel's own counters, and the browser's as this machine sees it), megabytes a second through a pipe into Python.
"""

from __future__ import annotations

import json
import queue
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from . import layer_build, pyodide_files
from .bench import host_busybox
from .browser import Browser, Page
from .memory import used_bytes
from .server import Server
from .toolchain import BUILD, BuildError

AGENT = Path(__file__).resolve().parent / "page" / "bench_agent.py"
RUNS = 1000
LIMIT_S = 300.0
AIM_MS, AIM_RATE = 5.0, 100.0
SCRIPT = """(async () => {
  const { loadPyodide } = await import("/pyodide/pyodide.mjs");
  const pyodide = await loadPyodide({ indexURL: location.origin + "/pyodide/" });
  const site = pyodide.runPython("import site; site.getsitepackages()[0]");
  pyodide.unpackArchive(await (await fetch("/wheel")).arrayBuffer(), "zip", { extractDir: site });
  globalThis.pyodideModule = pyodide._module;
  globalThis.benchRuns = %d;
  const failed = (e) => console.log("BENCH " + JSON.stringify({kind: "failed", why: String(e)}));
  pyodide.runPythonAsync(await (await fetch("/agent.py")).text()).catch(failed);
})(); 0"""


def outside() -> dict[str, float]:
    """The same by this machine's Python and busybox."""
    busybox = str(host_busybox())
    times = []
    for _ in range(200):
        began = time.perf_counter()
        subprocess.run([busybox, "true"], check=True)
        times.append((time.perf_counter() - began) * 1000)
    began = time.perf_counter()
    command = [busybox, "dd", "if=/dev/zero", "bs=64k", "count=6400"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        assert p.stdout
        got = 0
        while data := p.stdout.read(1 << 20):
            got += len(data)
    return {"median_ms": statistics.median(times), "rate": got / (time.perf_counter() - began) / 1e6}


def _collect(page: Page) -> None:
    """Garbage must not look like a leak."""
    page.call("HeapProfiler.enable")
    page.call("HeapProfiler.collectGarbage", timeout=60)


def inside() -> dict[str, Any]:
    """In Chromium. Raises BuildError."""
    heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def take(_: str, text: str) -> None:
        kind, _, rest = text.partition(" ")
        if kind == "BENCH":
            heard.put(json.loads(rest))

    blank = BUILD / "blank.html"
    blank.write_text('<!doctype html><link rel="icon" href="data:,">')
    pyodide_files.snapshot()
    layer = layer_build.layer_file("deb:busybox-static")
    files = {"/layer.tdl": layer, "/agent.py": AGENT, "/": blank}
    looks: list[int] = []
    with Server({**pyodide_files.served(), **files}) as server, Browser() as browser:
        page = browser.page(take)
        page.goto(server.url("/"))
        page.evaluate(SCRIPT % RUNS, timeout=LIMIT_S)
        while True:
            try:
                m = heard.get(timeout=LIMIT_S)
            except queue.Empty:
                raise BuildError(f"the bench's page said nothing in {LIMIT_S:.0f} s") from None
            if m["kind"] == "failed":
                raise BuildError(f"the bench's page failed: {m['why'][-600:]}")
            if m["kind"] == "end":
                return {**m, "browser_bytes": looks}
            _collect(page)
            looks.append(used_bytes(browser.pid))
            page.evaluate("globalThis.benchGo(); 0")


def bench(as_json: bool = False) -> int:
    """Run and print; 1 when a figure is worse than its aim. Raises BuildError."""
    ours, native = inside(), outside()
    grown = ours["changed"]
    leaked = grown["processes"] or grown["memories"] or abs(grown["heap_used"]) > 1 << 20
    if as_json:
        print(json.dumps({"runs": RUNS, "ours": ours, "native": native}, indent=2))
    else:
        m = f"{ours['median_ms']:.2f} ms, 99 % in {ours['p99_ms']:.2f} ms, the first {ours['first_ms']:.0f} ms"
        print(f'subprocess.run(["true"]), warm    {m}; native Python {native["median_ms"]:.2f} ms; aim {AIM_MS:g} ms')
        kernel = f"kernel heap {grown['heap_used']:+,} bytes, {grown['processes']:+} processes"
        seen = "browser " + ", ".join(f"{n / 2**20:.0f}" for n in ours["browser_bytes"]) + " MiB after 0, 1 and 2 times"
        print(f"{RUNS:,} in a row                    {kernel}, {grown['memories']:+} memories; {seen}")
        rate = f"{ours['rate']:.0f} MB/s; native Python {native['rate']:.0f} MB/s; aim {AIM_RATE:g} MB/s"
        print(f"a pipe into Python                {rate}")
    return 1 if leaked or ours["median_ms"] > AIM_MS or ours["rate"] < AIM_RATE else 0
