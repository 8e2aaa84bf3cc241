"""`build.py bench --only queues`: records of 32 bytes between two workers in Chromium, by our queue (SPSC and MPSC), by
a ring under a mutex and by postMessage: millions a second, and microseconds for a ping-pong, medians of several rounds.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from .browser import Browser
from .server import Server
from .toolchain import BUILD, ROOT, step

__all__ = ["bench"]

PAGE = Path(__file__).resolve().parent / "page" / "bench_queues.js"
LIMIT_S = 300.0
KINDS = ("spsc", "mpsc", "mutex", "postMessage")


def bench(as_json: bool = False, rounds: int = 5) -> int:
    """Run and print. Raises BuildError."""
    blank = BUILD / "blank.html"
    blank.parent.mkdir(exist_ok=True)
    blank.write_text('<!doctype html><link rel="icon" href="data:,">', encoding="utf-8")
    files = {"/": blank, "/bench.js": PAGE, "/tidemark": ROOT / "js_shim"}
    with Server(files) as server, Browser() as browser:
        page = browser.page()
        page.goto(server.url("/"))
        with step(f"queues: {rounds} rounds of {len(KINDS)} kinds"):
            found = page.evaluate(f"import('/bench.js').then((m) => m.bench({rounds}))", timeout=LIMIT_S)
    figures = {
        kind: {key: statistics.median(f[key] for f in found if f["kind"] == kind) for key in ("rate", "round_us")}
        for kind in KINDS
    }
    if as_json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"{'between two workers':<22}{'million records/s':>20}{'ping-pong, us':>16}")
    for kind, f in figures.items():
        print(f"{kind:<22}{f['rate']:>20.2f}{f['round_us']:>16.1f}")
    return 0
