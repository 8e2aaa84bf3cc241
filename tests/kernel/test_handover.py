"""Hand-overs that go wrong: second and stale resumes, owners without workers, workers that vanish, the memory cap.

The native host plays the owner and fails on purpose; the guest accounts for every fork, exec and thread.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tidemark_py.dev import guests, toolchain

STATS = re.compile(r"memories (\d+), resumes (\d+), refused (\d+)")
SUMS = re.compile(r"done (\d+) refused (\d+) killed (\d+)")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return guests.native_root(tmp_path_factory.mktemp("handover") / "root", "account", "gates")


def run(root: Path, options: list[str], argv: list[str]) -> tuple[str, str]:
    done = guests.run_native(toolchain.native_kernel("address"), root, argv, ["--stats", *options])
    assert done.returncode == 0, done.stderr[-4000:]
    assert "BAD" not in done.stdout, done.stdout
    return done.stdout, done.stderr


def test_second_and_stale_resumes_are_refused_and_counted(root: Path) -> None:
    out, err = run(root, ["--inject-resumes"], ["/work/gates", "500"])
    assert "wait: 500 forks, bad 0" in out
    found = STATS.search(err)
    assert found
    resumes, refused = int(found[2]), int(found[3])
    assert resumes >= 500
    assert refused == 3 * resumes  # one too early, one from the future, one a second time


def test_hand_over_that_fails_leaves_no_child(root: Path) -> None:
    _, err = run(root, ["--fail-every", "3"], ["/work/account", "60"])
    sums = SUMS.search(err)
    assert sums
    assert int(sums[2]) >= 60 and int(sums[3]) == 0


def test_worker_that_vanishes_ends_its_process_by_sigkill(root: Path) -> None:
    _, err = run(root, ["--lose-every", "3"], ["/work/account", "60", "processes"])
    sums = SUMS.search(err)
    assert sums
    assert int(sums[3]) > 0


def test_memory_cap_refuses_no_fork_while_a_memory_is_being_zeroed(root: Path) -> None:
    _, err = run(root, ["--memories", "2"], ["/work/account", "60", "processes"])
    sums = SUMS.search(err)
    assert sums
    assert int(sums[2]) == 0
