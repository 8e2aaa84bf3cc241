"""The cpu alone, natively: its unit tests under sanitizers, and a short differential run against qemu-riscv64."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.kernel import cpu_fuzz


def test_cpu_units_under_sanitizers(tmp_path: Path) -> None:
    program = tmp_path / "cpu_test"
    sources = [
        *sorted((cpu_fuzz.KERNEL / "cpu").glob("*.c")),
        cpu_fuzz.KERNEL / "core/string.c",
        cpu_fuzz.ROOT / "tests/kernel/cpu_test.c",
    ]
    flags = [
        "-std=gnu17",
        "-g",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ]
    subprocess.run([os.environ.get("CC", "cc"), *flags, *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_random_programs_do_as_under_qemu(tmp_path: Path) -> None:
    stats = cpu_fuzz.run(
        seed=int(os.environ.get("TIDEMARK_FUZZ_SEED", "7001")), instructions=100_000, command=[], directory=tmp_path
    )
    _, missing = cpu_fuzz.report(stats)
    assert not missing


@pytest.mark.slow
def test_a_million_instructions_do_as_under_qemu(tmp_path: Path) -> None:
    stats = cpu_fuzz.run(seed=1, instructions=1_000_000, command=[], directory=tmp_path)
    text, missing = cpu_fuzz.report(stats)
    print(text)
    assert not missing
