"""Where Python with the wheel runs for a test: `Page` of conftest.py in Chromium, or NodePlace, with the same run()."""

from __future__ import annotations

import json
import subprocess
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tidemark_py.dev import layer_build, pyodide_files
from tidemark_py.dev.toolchain import node

SCRIPT = Path(__file__).resolve().parents[1] / "shim" / "node_place.mjs"
PREAMBLE = """
import asyncio, builtins, js, time
import tidemark_py as tm
from tidemark_py.runtime import PIPE, DEVNULL, STDOUT
from tidemark_py.layers.fetch import from_array

async def shared_runtime():
    rt = getattr(builtins, "shared", None)
    if rt is None or rt.closed:
        rt = builtins.shared = await tm.Runtime.create()
        await rt.fs.apply_layer(await from_array(js.layerBytes(), "busybox"))
    return rt
"""


class NodePlace:
    """Runs Python on Node, all in one process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, code: str, seconds: float = 600) -> Any:
        """The value of the last expression."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(PREAMBLE + textwrap.dedent(code)) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        finally:
            timer.cancel()
        assert line, f"Node ended, or was ended after {seconds} s"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer.get("value")


@contextmanager
def node_place(layer: str) -> Iterator[NodePlace]:
    """One process; `layer` is what its shared runtime has."""
    folder = pyodide_files.pyodide_dir()
    command = [node(), SCRIPT, folder, pyodide_files.wheel(), layer_build.layer_file(layer)]
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield NodePlace(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
