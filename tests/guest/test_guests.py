"""Every guest program prints the same on the Linux host and inside the kernel: one binary from one C file each.

The host run is the specification (the same source for x86-64); the native kernel build runs the riscv64 binary under
the address and undefined-behaviour sanitizers. tests/workload/test_guest_programs.py: the list in Chromium and Node.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tidemark_py.dev import guests, toolchain

FAMILIES = guests.families()
#: Race-prone programs run this often.
REPEATED = {"gates": 5, "hammer": 5}
HOST_RUNS = 8


@pytest.fixture(scope="session")
def native_kernel() -> Path:
    return toolchain.native_kernel("address")


def host_output(name: str, work: Path) -> tuple[str, int]:
    # whoever started us may ignore signals (nohup, a background job): the program gets the default ones
    done = subprocess.run(
        ["env", "--default-signal", str(guests.host_binary(name))],
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/root"},
    )
    return done.stdout, done.returncode


def host_prints(name: str, work: Path, lines: list[str], code: int) -> list[str] | None:
    """None when the host prints just `lines` with exit `code`, else what it printed.

    A busy Linux host orders a few things by chance (a pty's flush runs on a work queue): it is asked again then, and
    one agreeing run is enough.
    """
    first: list[str] | None = None
    for attempt in range(HOST_RUNS):
        place = work / f"host{attempt}"
        place.mkdir(parents=True)
        expected, expected_code = host_output(name, place)
        if expected.splitlines() == lines and expected_code == code:
            return None
        first = first or [*expected.splitlines(), f"exit {expected_code}"]
    return first


def kernel_output(kernel: Path, name: str, work: Path, *arguments: str) -> tuple[str, int, str]:
    done = guests.run_native(kernel, guests.native_root(work / "root", name), [f"/work/{name}", *arguments])
    return done.stdout, done.returncode, done.stderr


@pytest.mark.parametrize("name", FAMILIES)
def test_guest_prints_what_the_host_prints(name: str, native_kernel: Path, tmp_path: Path) -> None:
    for repeat in range(REPEATED.get(name, 1)):
        work = tmp_path / str(repeat)
        work.mkdir()
        out, code, err = kernel_output(native_kernel, name, work)
        assert "Sanitizer" not in err and "runtime error" not in err, err[-4000:]
        expected = host_prints(name, work, out.splitlines(), code)
        assert expected is None or expected == [*out.splitlines(), f"exit {code}"], err[-2000:]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("hammer", ["3"]),  # rounds
        pytest.param("hammer", ["30"], marks=pytest.mark.slow),
        *((name, []) for name in ("thread", "storm", "gates", "futex", "process_vm", "ptrace")),
    ],
)
def test_no_data_race_in_the_kernel(name: str, arguments: list[str], tmp_path: Path) -> None:
    """Eight processes or threads at once, each on its own worker, under the thread sanitizer."""
    out, _, err = kernel_output(toolchain.native_kernel("thread"), name, tmp_path, *arguments)
    assert "ThreadSanitizer" not in err, err[:4000]
    assert out
