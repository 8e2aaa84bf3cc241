"""The cpu alone, natively: its unit tests under sanitizers, and a short differential run against qemu-riscv64."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel import cpu_fuzz, units


def test_cpu_units_under_sanitizers(tmp_path: Path) -> None:
    units.run("cpu_test", [*units.rooms("cpu"), units.KERNEL / "core/string.c"], tmp_path)


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
