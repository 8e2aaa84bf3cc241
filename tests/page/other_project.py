"""Another project, whose pytest has the wheel's plugin: called by the tests of the plugin and of saved machines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tidemark_py.dev import pyodide_files

ROOT = Path(__file__).resolve().parents[2]


def run_pytest(folder: Path, *options: str, seconds: float) -> str:
    """What the tests in `folder` say, which must pass; killed after `seconds`."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tidemark_py.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *options, "--dist-dir", str(pyodide_files.pyodide_dir()), "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout
