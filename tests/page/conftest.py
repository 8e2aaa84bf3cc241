"""Chromium with an isolated page in which the wheel is installed: `page.run(code)` runs Python there.

Needs Chromium and chromium-driver; `build.py test` builds the wheel and the layer first.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_pyodide.config import get_global_config
from pytest_pyodide.fixture import selenium_common

from tidemark_py.dev import layer_build, pyodide_files
from tidemark_py.dev.server import Server
from tidemark_py.layers.lazy import index_file
from tidemark_py.pytest_server import isolated_server

from .elements import Pages

ROOT = Path(__file__).resolve().parents[2]
SERVED = ROOT / "build" / "page"
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-sandbox",
]
LAYER = "deb:busybox-static"
INSTALL = """
const get = async (name) => { const r = await fetch(name); if (!r.ok) throw new Error(name); return r.arrayBuffer(); };
pyodide.unpackArchive(await get("tidemark.whl"), "wheel");
"""
# What most tests want: a runtime on busybox; kept between tests of a module unless a test breaks it.
PREAMBLE = """
import asyncio, builtins, js, time
import tidemark_py as tm
from tidemark_py.runtime import PIPE, DEVNULL, STDOUT

async def snapshot_bytes():
    if not hasattr(builtins, "saved"):
        builtins.saved = await (await js.fetch("snapshot.bin")).arrayBuffer()
    return builtins.saved

async def new_runtime(**options):
    return await tm.Runtime.create(snapshot=await snapshot_bytes(), **options)

async def busybox(runtime):
    if not hasattr(builtins, "layer"):
        builtins.layer = await tm.layers.fetch("busybox.tdl.gz")
    await runtime.fs.apply_layer(builtins.layer)
    return runtime

async def shared_runtime():
    rt = getattr(builtins, "shared", None)
    if rt is None or rt.closed:
        rt = builtins.shared = await busybox(await new_runtime())
    return rt
"""


def _copy(source: Path, name: str) -> None:
    target = SERVED / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        shutil.copy(source, target)


@pytest.fixture(scope="session")
def web_server_main(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Pyodide, our wheel, a layer and the memory snapshot, with the isolation headers."""
    SERVED.mkdir(parents=True, exist_ok=True)
    for name in pyodide_files.CORE:
        _copy(pyodide_files.pyodide_dir() / name, name)
    shutil.copy(pyodide_files.wheel(), SERVED / "tidemark.whl")
    _copy(pyodide_files.snapshot(), "snapshot.bin")
    shutil.copy(layer_build.layer_file(LAYER), SERVED / "busybox.tdl.gz")
    lazy_layer = layer_build.build_layer(LAYER, SERVED / "lazy.tdx")
    (SERVED / "nowhere.tdx").write_bytes(index_file(lazy_layer, "nothing-is-here"))
    request.config.option.dist_dir = SERVED
    get_global_config().set_flags("chrome", [*get_global_config().get_flags("chrome"), *FLAGS])
    with isolated_server(SERVED, **{"Cache-Control": "no-cache"}) as served:
        yield served


class Page:
    """Runs Python in the page."""

    def __init__(self, selenium: Any) -> None:
        self.selenium = selenium

    def run(self, code: str, seconds: float = 60) -> Any:
        """The value of the last expression; what the page printed shows when the test fails."""
        self.selenium.set_script_timeout(seconds)
        code = PREAMBLE + textwrap.dedent(code)
        try:
            return self.selenium.run_js(
                f"const r = await pyodide.runPythonAsync({code!r}, {{globals: pyodide.toPy({{}})}});"
                "return r?.toJs ? r.toJs({dict_converter: Object.fromEntries}) : r;",
                pyodide_checks=False,
            )
        finally:
            print(self.selenium.logs)
            self.selenium.clean_logs()


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest, web_server_main: Any) -> Iterator[Page]:
    """A fresh page per module."""
    with selenium_common(request, "chrome", web_server_main) as selenium:
        selenium.run_js(INSTALL, pyodide_checks=False)
        yield Page(selenium)


@pytest.fixture
def blank(request: pytest.FixtureRequest, web_server_main: Any) -> Iterator[SimpleNamespace]:
    """A page of its own, for tests that spoil it."""
    with selenium_common(request, "chrome", web_server_main) as selenium:
        selenium.run_js(INSTALL, pyodide_checks=False)
        yield SimpleNamespace(page=Page(selenium), selenium=selenium)


@pytest.fixture(scope="module")
def pages(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Pages of a test's own on the site's origin."""
    folder = tmp_path_factory.mktemp("pages")
    with Server({"/": built, "/t": folder}) as server:
        yield Pages(server, folder)
