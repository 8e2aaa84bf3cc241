"""CPython's own process tests inside Pyodide: `build.py suites`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidemark_py.dev.toolchain import ROOT

pytestmark = [pytest.mark.page, pytest.mark.slow]


def suites(report: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, outcomes, output."""
    command = [sys.executable, str(ROOT / "build.py"), "suites", "--report", str(report), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    return done.returncode, json.loads(report.with_suffix(".json").read_text()), done.stdout + done.stderr


def test_popen_and_which_pass(tmp_path: Path) -> None:
    """test_stty_match wants a terminal, on Linux too."""
    code, outcomes, text = suites(tmp_path / "r.md", "--suite", "test_popen", "--suite", "test_shutil")
    failed = [o["test"] for o in outcomes if o["outcome"] != "passed"]
    assert (code, failed) == (0, ["TestGetTerminalSize.test_stty_match"]), text[-3000:]
    assert len(outcomes) >= 30


def test_no_test_hangs_and_enough_of_test_subprocess_passes(tmp_path: Path) -> None:
    code, outcomes, text = suites(tmp_path / "r.md")
    assert code == 0, text[-6000:]
    assert len([o for o in outcomes if o["suite"] == "test.test_subprocess"]) >= 290
