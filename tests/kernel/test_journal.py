"""Kept file systems alone, natively under sanitizers: journal_test.c over the real file room."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "tidemark_py" / "kernel"


def test_what_was_taken_makes_the_same_tree_again(tmp_path: Path) -> None:
    program = tmp_path / "journal_test"
    sources = [
        ROOT / "tests/kernel/journal_test.c",
        *sorted((KERNEL / "file").glob("*.c")),
        *sorted((KERNEL / "core").glob("*.c")),
    ]
    flags = ["-std=gnu17", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [os.environ.get("CC", "cc"), *flags, *sanitizers, *map(str, sources), "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
