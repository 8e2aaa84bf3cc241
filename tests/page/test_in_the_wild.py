"""The wheel and the elements where other people would put them: plain Pyodide with micropip, a worker kernel as
JupyterLite has one, a script tag from another origin, layers from any address with CORS."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemark_py.dev import pyodide_files, site
from tidemark_py.dev.browser import Browser
from tidemark_py.dev.server import Server
from tidemark_py.dev.toolchain import WHEELS

pytestmark = pytest.mark.page
PROGRAM = """
import micropip
await micropip.install("WHEEL")
import tidemark_py
await tidemark_py.install(layers=["LAYER"])
import subprocess
done = subprocess.run("printf 'b\\\\na\\\\n' | sort; exit 3", shell=True, capture_output=True, text=True)
f"{done.stdout.split()} {done.returncode}"
"""
PLAIN = """<!doctype html><link rel="icon" href="data:,"><script type="module">
  import { loadPyodide } from "/pyodide/pyodide.mjs";
  window.result = (async () => {
    const pyodide = await loadPyodide({ indexURL: "/pyodide/" });
    await pyodide.loadPackage(MICROPIP);
    return pyodide.runPythonAsync(PROGRAM);
  })().catch((e) => String(e));
</script>"""
# the shape of JupyterLite's Pyodide kernel: everything of Python in a module worker, cells by message
KERNEL = """<!doctype html><link rel="icon" href="data:,"><script type="module">
  const code = `
    const { loadPyodide } = await import(${JSON.stringify(location.origin + "/pyodide/pyodide.mjs")});
    const pyodide = await loadPyodide({ indexURL: ${JSON.stringify(location.origin + "/pyodide/")} });
    await pyodide.loadPackage(${JSON.stringify(MICROPIP)});
    const answer = (v) => postMessage(String(v));
    onmessage = (e) => pyodide.runPythonAsync(e.data).then(answer, answer);
    postMessage("kernel");`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
  const next = () => new Promise((r) => worker.addEventListener("message", (e) => r(e.data), { once: true }));
  window.result = (async () => {
    await next();
    worker.postMessage(PROGRAM);
    const first = await next();
    worker.postMessage("subprocess.check_output(['cat'], input=b'second cell').decode()");
    return first + "; " + (await next());
  })();
</script>"""


class Elsewhere(http.server.SimpleHTTPRequestHandler):
    """Another origin that lets itself be used: CORS, and CORP for workers and scripts."""

    def end_headers(self) -> None:
        """Its headers."""
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The origin of the built site on another server."""
    pyodide_files.snapshot()
    handler = functools.partial(Elsewhere, directory=str(site.build()))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with Browser() as b:
        yield b


def result(browser: Browser, folder: Path, html: str, elsewhere: str) -> str:
    """What the page's `result` is, with Pyodide from its own origin, wheel and layer from elsewhere."""
    wheel, micropip = pyodide_files.wheel(), next(WHEELS.glob("micropip-*.whl"))
    program = PROGRAM.replace("WHEEL", f"{elsewhere}/tidemark/{wheel.name}")
    program = program.replace("LAYER", f"{elsewhere}/layers/busybox")
    (folder / "page.html").write_text(
        html.replace("PROGRAM", repr(program)).replace("MICROPIP", f'location.origin + "/wheels/{micropip.name}"')
    )
    public = {"/": folder, "/pyodide": pyodide_files.pyodide_dir(), "/wheels": WHEELS}
    with Server(public) as server:
        page = browser.page()
        page.goto(server.url("/page.html"))
        value = str(page.evaluate("window.result", 120))
        page.close()
        return value


def test_micropip_installs_the_wheel_in_a_plain_page(browser: Browser, tmp_path: Path, elsewhere: str) -> None:
    assert result(browser, tmp_path, PLAIN, elsewhere) == "['a', 'b'] 3"


def test_a_worker_kernel_has_processes(browser: Browser, tmp_path: Path, elsewhere: str) -> None:
    assert result(browser, tmp_path, KERNEL, elsewhere) == "['a', 'b'] 3; second cell"


def test_a_script_tag_from_another_origin(browser: Browser, tmp_path: Path, elsewhere: str) -> None:
    (tmp_path / "page.html").write_text(
        f'<!doctype html><link rel="icon" href="data:,">'
        f'<script type="module" src="{elsewhere}/tidemark/element.js"></script>'
        f'<tidemark-run layer="{elsewhere}/layers/busybox">printf hi | cat</tidemark-run>'
    )
    with Server({"/": tmp_path}) as server:
        page = browser.page()
        page.goto(server.url("/page.html"))
        run = "customElements.whenDefined('tidemark-run').then(() => document.querySelector('tidemark-run').run())"
        assert page.evaluate(run, 90) == 0
        assert page.evaluate("document.querySelector('tidemark-run').output") == "hi"
        page.close()


def test_a_layer_without_cors_is_one_sentence(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/site/tidemark/element.js"></script>'
        '<tidemark-run layer="LAYER">true</tidemark-run>'
    )
    with Server({"/": tmp_path, "/site": site.build()}) as server, Server({"/": site.build()}) as other:
        text = (tmp_path / "page.html").read_text().replace("LAYER", other.url("/layers/busybox"))
        (tmp_path / "page.html").write_text(text)
        page = browser.page()
        page.goto(server.url("/page.html"))
        run = "customElements.whenDefined('tidemark-run').then(() => document.querySelector('tidemark-run').run())"
        assert page.evaluate(run, 90) is None
        said = page.evaluate("document.querySelector('tidemark-run').shadowRoot.querySelector('.state').textContent")
        assert "busybox.tdl.gz" in said and "CORS" in said
        page.close()
