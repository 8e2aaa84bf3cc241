"""The file room alone, natively under sanitizers: file_test.c over the real kernel core."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "tidemark_py" / "kernel"


def test_file_room_under_sanitizers(tmp_path: Path) -> None:
    program = tmp_path / "file_test"
    sources = [
        ROOT / "tests/kernel/file_test.c",
        *sorted((KERNEL / "file").glob("*.c")),
        *sorted((KERNEL / "core").glob("*.c")),
    ]
    flags = ["-std=gnu17", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [os.environ.get("CC", "cc"), *flags, *sanitizers, *map(str, sources), "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
