"""What tests of several kinds share: the built site, a browser, servers for both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemark_py.dev import pyodide_files, site
from tidemark_py.dev.browser import Browser
from tidemark_py.dev.server import Server


@pytest.fixture(scope="session")
def built() -> Path:
    """build/site"""
    pyodide_files.snapshot()
    return site.build()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module's tests; a person's gesture is not needed for the clipboard."""
    with Browser() as b:
        yield b


@pytest.fixture(scope="module")
def server(built: Path) -> Iterator[Server]:
    """The site with the isolation headers."""
    with Server({"/": built}) as s:
        yield s
