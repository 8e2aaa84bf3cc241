"""The pytest plugin, as another project uses it: README.md's conftest.py and test, copied, in a pytest of its own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build

from .other_project import ROOT, run_pytest

pytestmark = pytest.mark.page
MORE_TESTS = """
import pytest
from pytest_pyodide import run_in_pyodide

pytestmark = pytest.mark.tidemark_layers("busybox.tdl")

@pytest.fixture(autouse=True)
def no_packages(selenium, monkeypatch):
    # the decorator loads pytest and tblib for nicer reports where they are; npm's Pyodide brings no packages
    monkeypatch.setattr(selenium, "load_package", lambda names: None)

@run_in_pyodide(pytest_assert_rewrites=False)
def test_decorated(selenium):
    import subprocess
    assert subprocess.check_output(["echo", "from the tab"], text=True) == "from the tab\\n"

def test_page(selenium):
    assert selenium.run_async("import os; os.popen('echo hi').read() + str(os.system('exit 3') >> 8)") == "hi\\n3"
"""


def test_another_projects_tests_run_processes_in_a_page(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text("utf-8").partition("Under pytest,")[2]
    conftest, example = re.findall(r"```python\n(.*?)```", section, re.S)[:2]
    assert "tidemark_page" in conftest and "tidemark_layers" in example
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_example.py").write_text(example)
    (tmp_path / "test_more.py").write_text(MORE_TESTS)
    shutil.copy(layer_build.layer_file("deb:busybox-static"), tmp_path / "busybox.tdl")
    assert "3 passed" in run_pytest(tmp_path, seconds=300)
