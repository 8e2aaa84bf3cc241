"""js_shim/queue.js on Node: every interleaving of its own text, bad input, real workers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tidemark_py.dev.toolchain import node


def test_queue_module() -> None:
    test = Path(__file__).with_name("queue_test.mjs")
    done = subprocess.run([str(node()), "--test", str(test)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "# fail 0" in done.stdout or "fail 0" in done.stdout
