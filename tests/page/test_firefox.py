"""Terminal and subprocess in Debian's Firefox, again and again. Slow: Firefox comes by apt when it is not here."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tidemark_py.dev import pyodide_files, site, tools_setup
from tidemark_py.dev.server import Server
from tidemark_py.dev.toolchain import node

pytestmark = [pytest.mark.page, pytest.mark.slow]
STARTS = 20
SECONDS = 1800


def test_terminal_and_subprocess_in_firefox() -> None:
    modules = tools_setup.firefox()
    pyodide_files.snapshot()
    script = Path(__file__).with_name("firefox.mjs")
    with Server({"/": site.build()}) as server:
        command = [str(node()), str(script), str(modules), str(shutil.which("firefox-esr")), server.url("/")]
        done = subprocess.run([*command, str(STARTS)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "error" not in found, found
    assert "firefox" in found["version"].lower() and len(found["elements"]) == STARTS
    for each in found["elements"]:
        assert each["isolated"] is True and not each["notice"], each
        assert "riscv64" in each["terminal"] and "a+b+" in each["terminal"], each
        assert "['BROWSER', 'IN', 'PROCESSES', 'THE'] exit code 0" in each["python"], each
    assert found["main"] == ["hi", 3, 50, True, "done\n", -9, "on"]
