"""Kills without number and memory that runs out: the kernel answers on, and what was taken comes back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tidemark_py.dev import guests, toolchain

STATS = re.compile(r"heap used (\d+) KiB, memories (\d+)")
SIGKILL_EXIT = 137


def run(root: Path, options: list[str], argv: list[str], seconds: int) -> subprocess.CompletedProcess[str]:
    done = guests.run_native(toolchain.native_kernel("address"), root, argv, ["--stats", *options], seconds)
    assert "Sanitizer" not in done.stderr and "panic" not in done.stderr and "runtime error" not in done.stderr, (
        done.stderr[-4000:]
    )
    return done


@pytest.mark.parametrize("most", [50, pytest.param(250, marks=pytest.mark.slow)])
def test_a_thousand_kills_leave_nothing_behind(most: int, tmp_path: Path) -> None:
    root = guests.native_root(tmp_path / "root", "killing")
    used = []
    for rounds in (10, most):  # four processes a round
        done = run(root, [], ["/work/killing", str(rounds)], 300)
        assert done.returncode == 0 and "BAD" not in done.stdout, done.stdout + done.stderr[-2000:]
        found = STATS.search(done.stderr)
        assert found and int(found[2]) == 0
        used.append(int(found[1]))
    assert used[1] - used[0] < 64, used  # KiB


@pytest.mark.slow
def test_the_nth_allocation_fails_for_every_n(tmp_path: Path) -> None:
    survived = 0
    root = guests.native_root(tmp_path / "root", "scarce")
    for n in range(1, 201):
        done = run(root, ["--fail-allocation", str(n)], ["/work/scarce"], 60)
        assert done.returncode in (0, 1, SIGKILL_EXIT, 127, 126), (n, done.returncode, done.stdout, done.stderr[-2000:])
        assert done.returncode != 0 or done.stdout == "still alive: ok\n", (n, done.stdout)
        survived += done.returncode == 0
    assert survived > 100


def test_a_few_failing_allocations(tmp_path: Path) -> None:
    root = guests.native_root(tmp_path / "root", "scarce")
    for n in (3, 17, 40, 71, 111, 160, 199):
        done = run(root, ["--fail-allocation", str(n)], ["/work/scarce"], 60)
        assert done.returncode in (0, 1, SIGKILL_EXIT, 127, 126), (n, done.returncode, done.stdout, done.stderr[-2000:])
        assert done.returncode != 0 or done.stdout == "still alive: ok\n", (n, done.stdout)
