"""Compiled Python files of layers: what Debian's py3compile(1) and libpython3-minimal's postinst would have left.

Owns .cache/pycache. The layer's own python3 compiles its files, under qemu-riscv64; each result is kept by interpreter,
path, time and content, so that another layer with the same files costs nothing. Without them every first import parses
its source, which takes most of a start-up. Called by layer_build with a LayerWriter.
Missing: optimised files (-O), packages outside the usual directories.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ..layers.format import Entry
from ..layers.writer import LayerWriter
from .apt import Progress
from .qemu import qemu_riscv64
from .toolchain import CACHE as CACHE_ROOT
from .toolchain import BuildError, jobs

CACHE = CACHE_ROOT / "pycache"
VERSION = 1  # raise when the same sources give other files
INTERPRETER = re.compile(r"usr/bin/python3\.(\d+)")
COMPILED = re.compile(r"usr/(lib/python3(\.\d+)?|share/python3)/.+\.py")
LEFT_OUT = re.compile(r"/(test|tests|idlelib|turtledemo|lib2to3)/")
NEEDED = re.compile(r"(usr/)?lib/(riscv64-linux-gnu/[^/]+\.so[^/]*|ld-linux[^/]*|python3\.\d+/(?!test/).*)")
TIMEOUT_S = 900
COMPILE = """
import py_compile, sys
for line in sys.stdin:
    source, target, shown = line.rstrip("\\n").split("\\t")
    try:
        py_compile.compile(source, target, shown, doraise=True, quiet=2)
    except Exception as e:
        print(shown, type(e).__name__, file=sys.stderr)
"""


def interpreter(w: LayerWriter) -> Entry | None:
    """The layer's newest python3.N."""
    found = [(int(m[1]), e) for e in w.files.values() if e.is_file and (m := INTERPRETER.fullmatch(e.path))]
    return max(found, key=lambda f: f[0])[1] if found else None


def add(w: LayerWriter, progress: Progress) -> int:
    """Add __pycache__ files for the layer's Python sources; how many. Raises BuildError."""
    python = interpreter(w)
    if python is None:
        return 0
    tag = "cpython-3" + python.path.rpartition(".")[2]
    sources = _sources(w)
    python_digest = _digest(w, python)
    kept = {e.path: CACHE / _key(w, python_digest, e) for e in sources}
    missing = [e for e in sources if not kept[e.path].exists()]
    if missing:
        progress(f"layer: compiling {len(missing)} Python files")
        _compile(w, python, missing, kept)
    added = 0
    for e in sources:
        body = kept[e.path].read_bytes() if kept[e.path].exists() else b""
        if not body:
            continue  # not for this version of Python: imported by nobody
        directory, _, name = e.path.rpartition("/")
        path = f"{directory}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
        w.add(Entry(path, stat.S_IFREG | 0o644, mtime_ns=e.mtime_ns), body)
        added += 1
    return added


def _sources(w: LayerWriter) -> list[Entry]:
    """Regular files; a link (sitecustomize.py is one) counts as a copy of what it leads to."""
    found = []
    for e in list(w.files.values()):
        if COMPILED.fullmatch(e.path) and not LEFT_OUT.search(e.path) and not stat.S_ISDIR(e.mode):
            target = w.find(e.path)
            if target and target.is_file:
                found.append(replace(target, path=e.path))
    return found


def _digest(w: LayerWriter, e: Entry) -> str:
    return hashlib.sha256(w.read(e)).hexdigest()


def _key(w: LayerWriter, python_digest: str, e: Entry) -> str:
    text = f"{VERSION} {python_digest} {e.path} {e.mtime_ns} {_digest(w, e)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _compile(w: LayerWriter, python: Entry, missing: list[Entry], kept: dict[str, Path]) -> None:
    qemu, _ = qemu_riscv64()
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tidemark-python-") as work:
        root, out = Path(work) / "root", Path(work) / "out"
        out.mkdir()
        _sysroot(w, python, missing, root)
        lines = [f"{root / e.path}\t{out / str(i)}\t/{e.path}\n" for i, e in enumerate(missing)]
        command = [str(qemu), "-L", str(root), str(root / python.path), "-I", "-S", "-B", "-c", COMPILE]

        def share(n: int) -> None:
            text = "".join(lines[n :: jobs()])
            r = subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
            if r.returncode:
                raise BuildError(f"the layer's python3 could not compile its files: {r.stderr.strip()[-500:]}")

        with ThreadPoolExecutor(jobs()) as pool:
            list(pool.map(share, range(jobs())))
        for i, e in enumerate(missing):
            body = (out / str(i)).read_bytes() if (out / str(i)).exists() else b""
            part = kept[e.path].with_suffix(".part")
            part.write_bytes(body)  # empty: does not compile
            part.replace(kept[e.path])


def _sysroot(w: LayerWriter, python: Entry, missing: list[Entry], root: Path) -> None:
    """What the interpreter needs, and the sources with their times, which go into the compiled files."""
    wanted = {e.path: e for e in [*missing, python]}
    for entry in list(w.files.values()):
        e = wanted.get(entry.path, entry)
        if e.path not in wanted and not NEEDED.fullmatch(e.path) and e.path not in ("lib", "bin"):
            continue
        path = root / e.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(e.mode):
            path.symlink_to(e.link.lstrip("/") if e.path in ("lib", "bin") else e.link)
        elif e.is_file:
            path.write_bytes(w.read(e))
            path.chmod(0o755)
            os.utime(path, ns=(e.mtime_ns, e.mtime_ns))
