"""A page of our own server and browser (DevTools protocol) with the wheel in it: for what is killed or measured cold.

`with StorePage(...) as store: life = store.life(); life.python("...")`; life.crash() kills the tab as the system would.
"""

from __future__ import annotations

import contextlib
import json
import queue
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tidemark_py.dev import pyodide_files
from tidemark_py.dev.browser import Browser, BrowserError, Page
from tidemark_py.dev.server import Server

PAGE = """<!doctype html><meta charset="utf-8"><title>store</title><script type="module">
import { loadPyodide } from "/pyodide/pyodide.mjs";
const get = async (name) => { const r = await fetch(name); if (!r.ok) throw new Error(name); return r.arrayBuffer(); };
const [wheel, snapshot] = await Promise.all([get("/tidemark.whl"), get("/snapshot.bin")]);
const pyodide = await loadPyodide({ indexURL: "/pyodide/", _loadSnapshot: new Uint8Array(snapshot) });
globalThis.snapshotBytes = snapshot;
const find = "import site, sys; p = site.getsitepackages()[0]; p in sys.path or sys.path.append(p); p";
const site = pyodide.runPython(find);
pyodide.unpackArchive(wheel, "zip", { extractDir: site });
globalThis.python = async (code) => {
  try {
    return JSON.stringify({ value: await pyodide.runPythonAsync(code) });
  } catch (e) {
    return JSON.stringify({ error: String(e.message) });
  }
};
globalThis.ready = true;
</script>"""
PREAMBLE = """
import asyncio, json, time, js
import tidemark_py as tm
from tidemark_py.runtime import PIPE
from tidemark_py.sdk.providers import Lock, Oci, install

async def new_runtime():
    return await tm.Runtime.create(snapshot=js.snapshotBytes)
"""


class Life:
    """One tab, from its start to its end."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.page: Page = browser.page(lambda _level, text: self.lines.put(text))
        self.page.goto(url)
        self.page.wait_for("globalThis.ready", 180)
        self.python(PREAMBLE)

    def python(self, code: str, seconds: float = 300) -> Any:
        """The last expression, through JSON. Raises AssertionError with Python's own text."""
        text = self.page.evaluate(f"python({json.dumps(textwrap.dedent(code))})", seconds)
        answer = json.loads(text)
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def line(self, seconds: float) -> str:
        """What the page's console says next."""
        return self.lines.get(timeout=seconds)

    def crash(self) -> None:
        """The tab's process is gone at once."""
        with contextlib.suppress(BrowserError):  # nobody is left to answer
            self.page.call("Page.crash", timeout=5)
        assert self.page.crashed.wait(60)
        self.page.close()


class StorePage:
    """Server and browser; `files`: address -> file or directory."""

    def __init__(self, where: Path, files: Mapping[str, Path]) -> None:
        html = where / "store.html"
        html.write_text(PAGE)
        public = {
            "/pyodide": pyodide_files.pyodide_dir(),
            "/tidemark.whl": pyodide_files.wheel(),
            "/snapshot.bin": pyodide_files.snapshot(),
            "/store.html": html,
            **files,
        }
        self.server = Server(public)
        self.browser = Browser()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()
        self.server.close()

    def life(self) -> Life:
        """A new tab."""
        return Life(self.browser, self.server.url("/store.html"))

    def sent(self, prefix: str) -> int:
        """Body bytes that were sent of what lies below."""
        return sum(count for path, count in self.server.sent.items() if path.startswith(prefix))
