"""Every guest program of tests/guest prints in Chromium and in Node what it prints on the Linux host.

The native kernel runs the same list under the sanitizers in tests/guest/test_guests.py.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.guest.test_guests import host_prints
from tests.workload.conftest import HOSTS, ROOT
from tidemark_py.dev import guests
from tidemark_py.dev.toolchain import BUILD

FAMILIES = guests.families()


@cache
def results(host: str) -> dict[str, dict[str, Any]]:
    """One batch for all programs, each on a fresh file system."""
    root = BUILD / "guests" / "root"
    shutil.rmtree(root, ignore_errors=True)
    (root / "work").mkdir(parents=True)
    for name in FAMILIES:
        shutil.copy2(guests.riscv_binary(name), root / "work" / name)
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root"}
    rows = [{"id": n, "argv": [f"/work/{n}"], "cwd": "/work", "timeout_s": 120, "env": env} for n in FAMILIES]
    command = [
        sys.executable,
        str(ROOT / "build.py"),
        "run",
        "--host",
        host,
        "--layer",
        "deb:busybox-static",
        "--layer",
        f"dir:{root}",
        "--batch",
        "-",
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    return {row["id"]: row for row in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("host", HOSTS)
def test_guest_prints_what_the_host_prints(host: str, name: str, tmp_path: Path) -> None:
    row = results(host)[name]
    raw = base64.b64decode(row["stdout_b64"]) if "stdout_b64" in row else row["stdout"].encode()
    lines = raw.decode(errors="backslashreplace").splitlines()
    expected = host_prints(name, tmp_path, lines, row["exit_code"])
    assert expected is None or expected == [*lines, f"exit {row['exit_code']}"], row["stderr"][-2000:]
