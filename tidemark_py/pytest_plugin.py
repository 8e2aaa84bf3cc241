"""pytest plugin (entry point `tidemark`): pages of pytest-pyodide in which processes work.

Fixtures: `tidemark_page`, an isolated page with this package unpacked and installed (subprocess works in it; it is what
pytest-pyodide calls a selenium, so run_in_pyodide tests may take it), once per module; `tidemark`, which runs Python
there; `tidemark_machine`, a saved machine that goes on in the page, from where it was saved, anew for each test: its
file is named by the marker `tidemark_saved("shell.tdm")`, its layers by the next.
Marker: `tidemark_layers("busybox.tdl", "https://...")` on the module: files of this machine, or URLs.
Needs pytest-pyodide and its --dist-dir; without them only tests that ask for a fixture fail. Chromium only.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Tidemark", "tidemark", "tidemark_machine", "tidemark_page", "tidemark_server"]

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PACKAGE = Path(__file__).resolve().parent
LEFT_OUT = {"kernel", "dev", "__pycache__"}
# in the page: `machine` is the Runtime, `shell` and the like are in machine.processes()
RESTORE = """
import asyncio, builtins, js, time
import tidemark_py as tm
async def _bytes(url):
    return (await (await js.fetch(url)).arrayBuffer()).to_bytes()
_began = time.perf_counter()
builtins.machine = await tm.Runtime.restore(await _bytes(%r), layers=[await tm.layers.fetch(u) for u in %r])
time.perf_counter() - _began
"""
INSTALL = """
const get = async (name) => { const r = await fetch(name); if (!r.ok) throw new Error(name); return r.arrayBuffer(); };
const site = pyodide.runPython("import site; site.getsitepackages()[0]");
pyodide.unpackArchive(await get("tidemark.zip"), "zip", { extractDir: site });
await pyodide.runPythonAsync(`
import js, tidemark_py
await tidemark_py.install(layers=%s)
`, { globals: pyodide.toPy({}) });
"""


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", "tidemark_layers(*layers): files or URLs of layers for tidemark_page")
    config.addinivalue_line("markers", "tidemark_saved(file): what rt.save() gave, for tidemark_machine")


def _package() -> bytes:
    """This package, as it is installed here, with the shim inside."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for path in sorted(PACKAGE.rglob("*")):
            inside = path.relative_to(PACKAGE)
            if path.is_file() and not LEFT_OUT & set(inside.parts):
                z.write(path, f"tidemark_py/{inside.as_posix()}")
        shim = PACKAGE.parent / "js_shim"
        if not (PACKAGE / "_assets" / "js_shim").is_dir():
            for path in sorted(shim.rglob("*.js")):
                z.write(path, f"tidemark_py/_assets/js_shim/{path.relative_to(shim).as_posix()}")
    return out.getvalue()


class Tidemark:
    """Python in the page: `tidemark.run(code)` is the value of its last expression; top-level await is there."""

    def __init__(self, selenium: Any) -> None:
        self.selenium = selenium
        self.restore_seconds = 0.0

    def run(self, code: str, seconds: float = 60) -> Any:
        """Raises pytest-pyodide's JavascriptException with the Python traceback."""
        self.selenium.set_script_timeout(seconds)
        return self.selenium.run_async(textwrap.dedent(code))


@pytest.fixture(scope="session")
def tidemark_server(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Path]]:
    """(pytest-pyodide's server with the isolation headers, the folder it serves)"""
    pytest.importorskip("pytest_pyodide.server", reason="tidemark_page needs pytest-pyodide")
    from .pytest_server import isolated_server

    dist = Path(request.config.option.dist_dir).resolve()
    if not (dist / "pyodide.mjs").exists():
        pytest.fail(f"--dist-dir {dist} has no pyodide.mjs: unpack a Pyodide release or its npm package there")
    with tempfile.TemporaryDirectory(prefix="tidemark-pytest-") as name:
        folder = Path(name)
        for path in dist.iterdir():
            (folder / path.name).symlink_to(path)
        (folder / "tidemark.zip").unlink(missing_ok=True)
        (folder / "tidemark.zip").write_bytes(_package())
        with isolated_server(folder) as served:
            yield served, folder


@pytest.fixture(scope="module")
def tidemark_page(request: pytest.FixtureRequest, tidemark_server: tuple[Any, Path]) -> Iterator[Any]:
    """A page where `import subprocess` works. The module's tidemark_layers marker says on which layers."""
    from pytest_pyodide.config import get_global_config
    from pytest_pyodide.fixture import selenium_common

    served, folder = tidemark_server
    marker = request.node.get_closest_marker("tidemark_layers")
    layers = [_serve_layer(str(layer), folder) for layer in (marker.args if marker else ())]
    config = get_global_config()
    flags = config.get_flags("chrome")
    config.set_flags("chrome", [*flags, *(f for f in FLAGS if f not in flags)])
    with selenium_common(request, "chrome", served) as selenium:
        selenium.set_script_timeout(120)
        selenium.run_js(INSTALL % layers, pyodide_checks=False)
        yield selenium


def _serve_layer(layer: str, folder: Path) -> str:
    if "://" in layer:
        return layer
    path = Path(layer)
    if not path.is_file():
        pytest.fail(f"tidemark_layers: no file {path.resolve()}: make one by `python3 build.py layer SPEC -o FILE`")
    if not (folder / path.name).exists():
        shutil.copy(path, folder / path.name)
    return path.name


@pytest.fixture
def tidemark(tidemark_page: Any) -> Tidemark:
    """Runs Python in tidemark_page."""
    return Tidemark(tidemark_page)


@pytest.fixture
def tidemark_machine(
    request: pytest.FixtureRequest, tidemark_server: tuple[Any, Path], tidemark: Tidemark
) -> Iterator[Tidemark]:
    """`tidemark` with the saved machine as `machine` in the page; restore_seconds says how long it took."""
    marker = request.node.get_closest_marker("tidemark_saved")
    if marker is None or not marker.args:
        pytest.fail('tidemark_machine wants a marker: @pytest.mark.tidemark_saved("file that rt.save() made")')
    saved = _serve_file(Path(marker.args[0]), tidemark_server[1])
    layers = request.node.get_closest_marker("tidemark_layers")
    names = [_serve_layer(str(layer), tidemark_server[1]) for layer in (layers.args if layers else ())]
    tidemark.restore_seconds = float(tidemark.run(RESTORE % (saved, names)))
    yield tidemark
    tidemark.run("import builtins; builtins.machine.close()")


def _serve_file(path: Path, folder: Path) -> str:
    if not path.is_file():
        pytest.fail(f"tidemark_saved: no file {path.resolve()}: write what `await rt.save()` gives there")
    name = f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}-{path.name}"
    shutil.copy(path, folder / name)
    return name
