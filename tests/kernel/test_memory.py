"""mm/ alone, natively under sanitizers: directed cases and a random walk against a model (mm_test.c)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "tidemark_py" / "kernel"


def test_address_space_follows_its_model(tmp_path: Path) -> None:
    program = tmp_path / "mm_test"
    sources = [
        ROOT / "tests/kernel/mm_test.c",
        *sorted((KERNEL / "mm").glob("*.c")),
        *sorted((KERNEL / "core").glob("*.c")),
    ]
    flags = ["-std=gnu17", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-fno-strict-aliasing"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [os.environ.get("CC", "cc"), *flags, *sanitizers, *map(str, sources), "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
