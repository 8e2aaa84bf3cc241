"""The files every page of ours needs: Pyodide from npm, the wheel, Pyodide's memory snapshot; and who makes the last.

Owns build/pyodide-snapshot.bin: Pyodide's memory after start, with the modules that the roles and the runtime import,
the package's own too (host/baked.py). It is made in Chromium (one made on Node breaks run_sync), belongs to one exact
Pyodide, and saves over a second per worker. Private API of Pyodide: every reader falls back to the plain start.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .toolchain import BUILD, BuildError, npm_modules, step

SNAPSHOT = BUILD / "pyodide-snapshot.bin"
# what roles, runtime and agents import; nothing that opens files or keeps JavaScript objects
MODULES = (
    "asyncio", "base64", "collections.abc", "contextlib", "dataclasses", "enum", "errno", "functools", "gzip",
    "hashlib", "importlib.resources", "io", "itertools", "json", "mmap", "os", "pathlib", "queue", "re", "shlex",
    "signal", "stat", "struct", "subprocess", "tarfile", "tempfile", "time", "traceback", "typing", "urllib.parse",
    "weakref", "zipfile",
)  # fmt: skip
FIRST_MEMORY_BYTES = 30 << 20
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")


def pyodide_dir() -> Path:
    """The npm package's folder. Raises BuildError."""
    folder = npm_modules() / "pyodide"
    if not (folder / "pyodide.mjs").exists():
        raise BuildError("Pyodide is not here: run `python3 build.py setup`")
    return folder


def wheel() -> Path:
    """The built wheel. Raises BuildError."""
    found = sorted((BUILD / "dist").glob("tidemark_py-*.whl"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise BuildError("the wheel is not here: run `python3 build.py wheel`")
    return found[-1]


def served() -> dict[str, Path]:
    """Public paths of a server for them."""
    return {"/pyodide": pyodide_dir(), "/wheel": wheel(), "/pyodide-snapshot.bin": SNAPSHOT}


def _stamp_text() -> str:
    digest = hashlib.sha256(json.dumps(MODULES).encode() + wheel().read_bytes())
    for name in CORE:
        digest.update((pyodide_dir() / name).read_bytes())
    return digest.hexdigest()


def snapshot() -> Path:
    """The memory snapshot, made when it is missing or another Pyodide's. Raises BuildError, BrowserError."""
    from .browser import Browser
    from .server import Server

    stamp = SNAPSHOT.with_suffix(".stamp")
    text = _stamp_text()
    if SNAPSHOT.exists() and stamp.exists() and stamp.read_text() == text:
        return SNAPSHOT
    BUILD.mkdir(exist_ok=True)
    blank = BUILD / "blank.html"
    blank.write_text('<!doctype html><link rel="icon" href="data:,">')
    public = {"/": blank, "/pyodide": pyodide_dir(), "/wheel": wheel()}
    got: list[bytes] = []
    code = """(async () => {
      const { loadPyodide } = await import("/pyodide/pyodide.mjs");
      const pyodide = await loadPyodide({ indexURL: location.origin + "/pyodide/", _makeSnapshot: true });
      const site = pyodide.runPython("import site; site.getsitepackages()[0]");
      pyodide.unpackArchive(await (await fetch("/wheel")).arrayBuffer(), "zip", { extractDir: site });
      pyodide.runPython(%s);
      const memory = pyodide.makeMemorySnapshot();
      const r = await fetch("/upload/snapshot?token=%s", { method: "POST", body: memory });
      return r.ok;
    })()"""
    imports = "import tarfile\nimport tidemark_py.host.baked\ntidemark_py.host.baked.bake()\ndel tidemark_py\n"
    imports += "\n".join(f"import {m}" for m in MODULES)
    imports += "\ndel " + ", ".join(sorted({m.split(".")[0] for m in MODULES}))
    with (
        step("Pyodide memory snapshot, in Chromium"),
        Server(public, upload=lambda _, body: got.append(body)) as server,
        Browser() as browser,
    ):
        page = browser.page()
        page.goto(server.url("/"))
        page.evaluate(code % (json.dumps(imports), server.token), timeout=120)
    if not got:
        raise BuildError("Chromium made no memory snapshot")
    if len(got[0]) > FIRST_MEMORY_BYTES + 4096:
        raise BuildError(
            f"Pyodide's memory snapshot has {len(got[0]) >> 20} MiB: none starts from more than its first memory, "
            f"{FIRST_MEMORY_BYTES >> 20} MiB. Bake less in tidemark_py/host/baked.py, or the longest module first"
        )
    SNAPSHOT.write_bytes(got[0])
    stamp.write_text(text)
    return SNAPSHOT
