"""Pipes, fifos, poll and terminals alone, natively: their unit tests under the sanitizers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "tidemark_py" / "kernel"
BELOW = [
    *(f"core/{name}.c" for name in ("heap", "lock", "string", "log")),
    *(f"file/{name}.c" for name in ("ofd", "fd", "inode", "watch", "xattr")),
    *(f"ipc/{name}.c" for name in ("pipe", "poll")),
]
SCREEN = ("framebuffer", "input")  # tests/page/test_frames.py has them
TERMINALS = [f"tty/{p.name}" for p in sorted((KERNEL / "tty").glob("*.c")) if p.stem not in SCREEN]
ROOMS: dict[str, list[str]] = {"pipe": [], "tty": TERMINALS}


@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
@pytest.mark.parametrize("name", sorted(ROOMS))
def test_units_under_sanitizers(name: str, sanitizer: str, tmp_path: Path) -> None:
    program = tmp_path / name
    sources = [KERNEL / path for path in (*BELOW, *ROOMS[name])]
    flags = ["-std=gnu17", "-g", "-O1", "-fno-builtin", "-pthread", f"-fsanitize={sanitizer}"]
    compiler = os.environ.get("CC", "cc")
    test = ROOT / "tests" / "kernel" / f"{name}_test.c"
    subprocess.run([compiler, *flags, str(test), *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
