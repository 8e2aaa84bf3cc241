"""`build.py bench --only frames`: pictures of guests on a page in Chromium, by <tidemark-canvas>.

Figures: microseconds from a guest's publishing to the renderer's taking, when little happens; frames a second of the
particle demo beside the same demo in plain JavaScript (workers, SharedArrayBuffer, the same renderer); and the longest
task of the page's own thread meanwhile, by the browser's own trace of its tasks.
"""

from __future__ import annotations

import json
import queue
import time
from pathlib import Path
from typing import Any

from . import pyodide_files, site
from .browser import Browser, Page
from .server import Server
from .toolchain import BUILD, ROOT, BuildError, step

__all__ = ["bench"]

HEAD = (
    '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
    '<script type="module" src="/tidemark/element.js"></script>'
    "<style>tidemark-canvas{width:400px;height:300px}</style>"
)
CANVAS = "document.querySelector('tidemark-canvas')"
PLAIN = Path(__file__).resolve().parent / "page" / "bench_particles.js"
AIM_LATENCY_US, AIM_BLOCKED_MS = 200.0, 4.0
IDLE_PAUSE_MS = 100
SECONDS = 10.0
PARTICLES, THREADS = 100_000, 2
START_S = 120.0


def _stats(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(f"{CANVAS}.stats()")
    return found


def _longest_tasks(page: Page, seconds: float) -> tuple[float, float]:
    """Longest task of the page's main thread in `seconds`, in ms: by the clock, by the processor."""
    events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def heard(method: str, params: dict[str, Any]) -> None:
        if method == "Tracing.dataCollected":
            for event in params["value"]:
                events.put(event)
        elif method == "Tracing.tracingComplete":
            events.put({"over": True})

    page.on_event = heard
    config = {"includedCategories": ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"]}
    page.call("Tracing.start", transferMode="ReportEvents", traceConfig=config)
    time.sleep(seconds)
    page.call("Tracing.end")
    threads: dict[tuple[int, int], str] = {}
    tasks: list[dict[str, Any]] = []
    while not (event := events.get(timeout=60)).get("over"):
        if event.get("name") == "thread_name":
            threads[event["pid"], event["tid"]] = event["args"]["name"]
        elif event.get("ph") == "X" and event.get("name") in ("RunTask", "ThreadControllerImpl::RunTask"):
            tasks.append(event)
    page.on_event = None
    own = [e for e in tasks if threads.get((e["pid"], e["tid"])) == "CrRendererMain"]
    if not own:
        raise BuildError("the browser's trace has no task of the page's thread")
    return max(e["dur"] for e in own) / 1000, max(e.get("tdur", 0) for e in own) / 1000


def bench(as_json: bool = False, seconds: float = SECONDS) -> int:
    """Run and print; 1 when a figure is worse than its aim. Raises BuildError."""
    pyodide_files.snapshot()
    folder = BUILD / "bench-frames"
    folder.mkdir(parents=True, exist_ok=True)
    demo = f"particles /dev/frame1 100000000 {THREADS} {PARTICLES}"
    idle = f"triangle /dev/frame0 0 {IDLE_PAUSE_MS}"
    (folder / "idle.html").write_text(f'{HEAD}<tidemark-canvas layer="/layers/frames" cmd="{idle}" device="frame0">')
    (folder / "demo.html").write_text(f'{HEAD}<tidemark-canvas layer="/layers/frames" cmd="{demo}" device="frame1">')
    (folder / "plain.html").write_text('<!doctype html><link rel="icon" href="data:,"><canvas width=400 height=300>')
    figures: dict[str, float] = {}
    files = {"/": site.build(), "/b": folder, "/plain.js": PLAIN, "/shim": ROOT / "js_shim"}
    with Server(files) as server, Browser() as browser:
        page = browser.page()
        with step("frames: latency when idle"):
            page.goto(server.url("/b/idle.html"))
            page.wait_for(f"{CANVAS}.shown === true", START_S)
            time.sleep(seconds)
            p50, p99, most = _stats(page)["latency_us"]
            figures |= {"latency_us": p50, "latency_p99_us": p99, "latency_max_us": most}
        with step("frames: particles"):
            page.goto(server.url("/b/demo.html"))
            page.wait_for(f"{CANVAS}.shown === true", START_S)
            time.sleep(3)
            began, before = time.perf_counter(), _stats(page)["frames"]
            wall, processor = _longest_tasks(page, seconds)
            figures["fps"] = (_stats(page)["frames"] - before) / (time.perf_counter() - began)
            figures |= {"blocked_ms": wall, "blocked_cpu_ms": processor}
        with step("frames: particles in plain JavaScript"):
            page.goto(server.url("/b/plain.html"))
            arguments = f"{PARTICLES}, {THREADS}, {seconds * 1000}"
            figures["plain_fps"] = page.evaluate(f"import('/plain.js').then((m) => m.run({arguments}))", seconds + 60)
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        f = figures
        late = f"{f['latency_us']:.0f} us, 99 % {f['latency_p99_us']:.0f}, most {f['latency_max_us']:.0f}"
        print(f"publish to take, idle             {late}; aim {AIM_LATENCY_US:g} us")
        print(f"{PARTICLES:,} particles               {f['fps']:.1f} frames/s; plain JavaScript {f['plain_fps']:.1f}")
        task = f"{f['blocked_ms']:.1f} ms, of the processor's time {f['blocked_cpu_ms']:.1f} ms"
        print(f"longest task of the page's thread {task}; aim {AIM_BLOCKED_MS:g} ms")
    return 1 if figures["latency_us"] > AIM_LATENCY_US or figures["blocked_ms"] > AIM_BLOCKED_MS else 0
