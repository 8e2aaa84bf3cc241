"""Debian's programs print in Chromium and Node what they print under qemu-riscv64: tests/workload/programs.

The quick ones run in one session per host; the others, one layer each, under `build.py test --all`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.workload.conftest import HOSTS
from tidemark_py.dev import workloads
from tidemark_py.dev.toolchain import BUILD, ROOT, BuildError

ALL = workloads.programs()
NAMES = [p.name if p.quick else pytest.param(p.name, marks=pytest.mark.slow) for p in ALL]
COMMAND = [sys.executable, str(ROOT / "build.py"), "workloads"]


@cache
def results(host: str, name: str) -> dict[str, dict[str, Any]]:
    """Of all quick programs (name is ""), or of one."""
    report = BUILD / "workloads" / f"{host}.{name or 'quick'}.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    chosen = ["--only", name] if name else ["--quick"]
    subprocess.run([*COMMAND, "--host", host, "--report", str(report), *chosen], capture_output=True, timeout=3000)
    return {row["name"]: row for row in json.loads(report.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("host", [HOSTS[0], pytest.param("node", marks=pytest.mark.slow)])
def test_program_prints_what_it_prints_under_qemu(host: str, name: str) -> None:
    """A miss that its script names is expected, and must not have gone."""
    quick = next(p for p in ALL if p.name == name).quick
    row = results(host, "" if quick else name)[name]
    if row["known"]:
        assert not row["passed"], f"works now: remove the miss from {name}.sh ({row['known']})"
        pytest.xfail(row["known"])
    assert row["passed"], row["reason"]


def test_head_lines_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text("# packages: a b\n# seconds: 7\n# env: K=V=W\n# miss node chromium: why\necho\n")
    p = workloads.parse(script)
    assert (p.packages, p.seconds, p.env, p.quick) == (["a", "b"], 7, {"K": "V=W"}, False)
    assert p.misses == {"node": "why", "chromium": "why"}
    script.write_text("# miss firefox: why\n")
    with pytest.raises(BuildError, match="names hosts"):
        workloads.parse(script)


def test_every_program_has_an_expected_output_and_says_how_it_was_made() -> None:
    for p in ALL:
        assert p.expected, p.name
        assert p.expected_file.read_text(encoding="utf-8").startswith(
            f"made by: python3 build.py workloads --expect {p.name} ({'Linux' if p.on_host else 'qemu-riscv64'} "
        )


def test_a_miss_has_a_reason() -> None:
    expected = "one\ntwo\n"
    assert workloads.why(expected, expected, 0, "noise") == ""
    assert workloads.why(expected, "one\n", 139, "boom\n") == "exit code 139 (SIGSEGV); 1 lines differ: -two; boom"
    assert workloads.why(expected, expected, 137, "", 5, ["unknown call"]) == "not done in 5 s; unknown call"


def test_a_run_that_was_cut_off_goes_on_with_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run_all(chosen: list[workloads.Program], host: str, _: str, done: Callable[[workloads.Result], None]) -> None:
        for p in chosen:
            ran.append(p.name)
            if p.name == "lua" and len(ran) == 2:
                raise KeyboardInterrupt
            done(workloads.Result(p.name, host, p.name != "dash" or len(ran) > 2))

    monkeypatch.setattr(workloads, "run_all", run_all)
    o = workloads.Options(["dash", "lua"], ["node"], report=tmp_path / "r.json", resume=True)
    with pytest.raises(KeyboardInterrupt):
        workloads.workloads(o)
    assert workloads.workloads(o) == 0  # what failed runs again, beside what had not run
    assert workloads.workloads(o) == 0  # nothing is left
    assert ran == ["dash", "lua", "dash", "lua"]
    assert [r["passed"] for r in json.loads((tmp_path / "r.json").read_text())] == [True, True]
    assert "| lua | passed |" in capsys.readouterr().out
    (tmp_path / "r.json").write_text("{")
    with pytest.raises(BuildError, match="not a report"):
        workloads.workloads(o)
    with pytest.raises(BuildError, match="--report"):
        workloads.workloads(workloads.Options(["dash"], resume=True))
