"""One `build.py run --batch` per host for all scripts of the workload tests; sessions for what a batch cannot say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.workload.cases import BASH, SH, Case
from tidemark_py.dev import layer_build, pyodide_files
from tidemark_py.dev.session import Session

ROOT = Path(__file__).resolve().parents[2]
SPEC = "deb:busybox-static,dash,bash,coreutils,grep,sed,gawk,findutils"
HOSTS = [pytest.param("chromium", marks=pytest.mark.page), "node"]
SHELLS: dict[str, list[str]] = {"busybox": ["busybox", "sh"], "dash": ["dash"], "bash": ["bash"]}
CASES: list[tuple[str, Case]] = [(sh, c) for sh in SHELLS for c in SH] + [("bash", c) for c in BASH]
TIMEOUT_S = 30

Result = dict[str, Any]


@cache
def results(host: str) -> dict[str, Result]:
    """Every case on every shell in one browser or Node session, by "shell.name"."""
    rows = [
        {"id": f"{sh}.{c.name}", "argv": [*SHELLS[sh], "-c", c.script], "stdin": c.stdin, "timeout_s": TIMEOUT_S}
        for sh, c in CASES
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    command = [sys.executable, str(ROOT / "build.py"), "run", "--host", host, "--layer", SPEC, "--batch", "-"]
    r = subprocess.run(command, input=text, capture_output=True, text=True, timeout=1800, check=False)
    assert r.returncode == 0, r.stderr
    return {row["id"]: row for row in map(json.loads, r.stdout.splitlines())}


@pytest.fixture
def result() -> Callable[[str, str], Result]:
    """result(host, id)"""
    return lambda host, name: results(host)[name]


@pytest.fixture(scope="module", params=HOSTS)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session for a module's tests, on each host."""
    pyodide_files.snapshot()
    with Session([layer_build.layer_file(SPEC)], request.param) as s:
        yield s
