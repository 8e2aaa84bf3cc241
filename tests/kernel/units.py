"""A C program of unit tests over some of the kernel's rooms, built natively with a sanitizer: it finds nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "tidemark_py" / "kernel"
FLAGS = ("-std=gnu17", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-fno-strict-aliasing", "-pthread")


def rooms(*names: str) -> list[Path]:
    """The C files of rooms ("file", "core")."""
    return [path for name in names for path in sorted((KERNEL / name).glob("*.c"))]


def run(test: str, sources: Iterable[Path], work: Path, sanitizer: str = "address,undefined") -> None:
    """tests/kernel/`test`.c with `sources`: it exits with 0 within five minutes and the sanitizer is silent."""
    program = work / test
    files = [str(ROOT / "tests" / "kernel" / f"{test}.c"), *map(str, sources)]
    sanitized = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"]
    subprocess.run([os.environ.get("CC", "cc"), *FLAGS, *sanitized, *files, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr[-4000:]
