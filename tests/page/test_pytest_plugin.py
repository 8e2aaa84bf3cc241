"""The pytest plugin, as another project's conftest.py uses it, in a pytest of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemark_py.dev import layer_build

from .other_project import run_pytest

pytestmark = pytest.mark.page
CONFTEST = """
import pytest

@pytest.fixture
def selenium(tidemark_page):
    return tidemark_page
"""
TESTS = """
import pytest

pytestmark = pytest.mark.tidemark_layers({layer!r})

def test_subprocess(tidemark):
    assert tidemark.run('''
        import subprocess
        subprocess.check_output(["echo", "from the tab"], text=True)
    ''') == "from the tab\\n"

def test_page(selenium):
    assert selenium.run_async("import os; os.popen('echo hi').read() + str(os.system('exit 3') >> 8)") == "hi\\n3"
"""


def test_another_projects_tests_run_processes_in_a_page(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS.format(layer=str(layer_build.layer_file("deb:busybox-static"))))
    assert "2 passed" in run_pytest(tmp_path, seconds=180)
