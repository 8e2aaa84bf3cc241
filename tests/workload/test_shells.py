"""Shell scripts on unmodified busybox sh, dash and bash, in Chromium and Node: same output as on a Linux machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.workload.cases import BASH, SH, Case
from tests.workload.conftest import CASES, HOSTS, Result

HERE = [(sh, c) for sh, cases in (("dash", SH), ("bash", (*SH, *BASH))) for c in cases]


@pytest.mark.parametrize(("shell", "case"), HERE, ids=[f"{sh}.{c.name}" for sh, c in HERE])
def test_this_machine_agrees(shell: str, case: Case) -> None:
    """What a case expects is what Linux does: this machine's own shell prints it."""
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    env = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8"}
    r = subprocess.run(
        [shell, "-c", case.script], input=case.stdin.encode(), capture_output=True, timeout=60, env=env, check=False
    )
    assert (r.stdout.decode(), r.returncode) == (case.expected, case.code), r.stderr.decode()


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("shell", "case"), CASES, ids=[f"{sh}.{c.name}" for sh, c in CASES])
def test_script(host: str, shell: str, case: Case, result: Callable[[str, str], Result]) -> None:
    """The script's output and exit code."""
    r = result(host, f"{shell}.{case.name}")
    assert (r.get("stdout"), r["exit_code"]) == (case.expected, case.code), r
