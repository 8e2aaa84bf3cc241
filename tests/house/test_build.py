"""build.py: its docstring lists its tasks, and set-up says what to install instead of failing half-way."""

from __future__ import annotations

import shutil

import pytest

import build
from tidemark_py.dev import tools_setup
from tidemark_py.dev.toolchain import BuildError


def test_the_docstring_lists_every_task() -> None:
    listed = {line.split()[0] for line in (build.__doc__ or "").splitlines() if line.startswith("  ") and line.strip()}
    assert set(build.TASKS) <= listed


def test_a_missing_machine_program_is_named_with_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BuildError, match="sudo apt-get install -y --no-install-recommends chromium chromium-driver"):
        tools_setup.require(tools_setup.BROWSER)


def test_a_second_setup_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools_setup, "run", lambda *a, **k: pytest.fail(f"ran {a}"))
    tools_setup.setup(browser=False)
