"""Roots whose file bodies come when they are touched: the native host plays the kernel worker that fetches them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tidemark_py.dev import guests, toolchain

PROGRAMS = ("lazy", "exec", "elf", "memory", "gates", "file")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = guests.native_root(tmp_path_factory.mktemp("lazy") / "root", *PROGRAMS)
    (made / "tmp").mkdir()
    return made


def run(kernel: Path, root: Path, options: list[str], name: str) -> subprocess.CompletedProcess[str]:
    return guests.run_native(kernel, root, [f"/work/{name}"], options)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("delay_us", [0, 500])
def test_what_comes_late_makes_no_difference(name: str, delay_us: int, root: Path) -> None:
    kernel = toolchain.native_kernel("address")
    there = run(kernel, root, [], name)
    late = run(kernel, root, ["--lazy", str(delay_us)], name)
    assert (late.stdout, late.returncode) == (there.stdout, there.returncode), late.stderr[-4000:]
    assert there.returncode == 0 and ": BAD\n" not in there.stdout, there.stdout


def test_kill_does_not_wait_for_the_fetch(root: Path) -> None:
    """20 ms a chunk: the killed child would wait half a second for its table."""
    done = run(toolchain.native_kernel("address"), root, ["--lazy", "20000"], "lazy")
    assert "at once: ok" in done.stdout, done.stdout + done.stderr[-2000:]


def test_no_data_race_between_fetcher_and_guests(root: Path) -> None:
    done = run(toolchain.native_kernel("thread"), root, ["--lazy", "100"], "lazy")
    assert "ThreadSanitizer" not in done.stderr, done.stderr[:4000]
    assert ": BAD\n" not in done.stdout and done.returncode == 0, done.stdout


@pytest.mark.parametrize("every", [2, 5, 17])
def test_chunk_that_cannot_be_had_is_eio_or_sigbus(every: int, root: Path) -> None:
    """The program does not start (126), or ends by SIGBUS; or the chunk was one of a read: EIO and a BAD line."""
    options = ["--lazy", "0", "--fetch-fails-every", str(every)]
    done = run(toolchain.native_kernel("address"), root, options, "lazy")
    assert "Sanitizer" not in done.stderr, done.stderr[-4000:]
    assert done.returncode in (126, 128 + 7, 128 + 11) or ": BAD\n" in done.stdout, (done.returncode, done.stdout)
