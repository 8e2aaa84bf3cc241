"""What a page without isolation headers could do: the figures behind "no mode without shared memory" (limits.html).

Measured, not believed: what Chromium gives such a page, and how many programs would run in the one worker that is left,
that is, start no second process or thread. What such a page says instead: tests/workload/test_site.py.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from pathlib import Path

import pytest

from tidemark_py.dev import guests, toolchain
from tidemark_py.dev.browser import Browser

pytestmark = [pytest.mark.page, pytest.mark.slow]
STARTS = re.compile(r"\bclone3?\(")
ENDLESS = {"hammer", "storm"}  # they start processes and threads as long as they are told to
WORKER = """
onmessage = async ({ data }) => {
  const found = { isolated: crossOriginIsolated, global: typeof SharedArrayBuffer, links: {} };
  const kernel = await WebAssembly.compile(await (await fetch("kernel.wasm")).arrayBuffer());
  for (const shared of [true, false]) {
    const of = {
      memory: (name) => new WebAssembly.Memory({ initial: 1024, maximum: name === "env" ? 65535 : 65536, shared }),
      function: () => () => 0,
    };
    const imports = {};
    for (const i of WebAssembly.Module.imports(kernel)) (imports[i.module] ??= {})[i.name] = of[i.kind](i.module);
    try {
      new WebAssembly.Instance(kernel, imports);
      found.links[shared ? "shared" : "unshared"] = "";
    } catch (e) {
      found.links[shared ? "shared" : "unshared"] = e.message;
    }
  }
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  found.waits = Atomics.wait(new Int32Array(memory.buffer), 0, 0, 1);
  try {
    new MessageChannel().port1.postMessage(memory);
    found.posted = "";
  } catch (e) {
    found.posted = e.name;
  }
  postMessage(found);
};
"""
PAGE = """<!doctype html><script>
globalThis.found = new Promise((done, fail) => {
  const worker = new Worker("worker.js");
  worker.onmessage = (e) => done(JSON.stringify(e.data));
  worker.onerror = (e) => fail(e.message);
  worker.postMessage(0);
});
</script>"""


def test_such_a_page_has_one_worker_for_everything(tmp_path: Path) -> None:
    (tmp_path / "worker.js").write_text(WORKER)
    (tmp_path / "page.html").write_text(PAGE)
    (tmp_path / "kernel.wasm").symlink_to(toolchain.BUILD / "kernel.wasm")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    browser = Browser()
    try:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as plain:
            threading.Thread(target=plain.serve_forever, daemon=True).start()
            page = browser.page(lambda _level, _text: None)
            page.goto(f"http://127.0.0.1:{plain.server_address[1]}/page.html")
            found = json.loads(page.evaluate("found", 60))
            plain.shutdown()
    finally:
        browser.close()
    print(found)
    assert (found["isolated"], found["global"]) == (False, "undefined")
    assert found["links"]["shared"] == "" and "shared state" in found["links"]["unshared"]  # one worker could run it
    assert found["waits"] == "timed-out" and found["posted"] == "DataCloneError"  # and no second one could join


@pytest.mark.native
def test_most_programs_start_a_process_or_a_thread(tmp_path: Path) -> None:
    kernel = toolchain.native_kernel("address")
    alone: list[str] = []
    others: list[str] = []
    for source in sorted((toolchain.ROOT / "tests/guest").glob("*.c")):
        name = source.stem
        root = guests.native_root(tmp_path / name, name)
        trace = "clone(" if name in ENDLESS else guests.run_native(kernel, root, [f"/work/{name}"], ["--strace"]).stderr
        assert trace.strip(), name
        (others if STARTS.search(trace) else alone).append(name)
    print(f"{len(others)} of {len(others) + len(alone)} start a process or thread; these do not: {', '.join(alone)}")
    assert len(others) > 3 * len(alone), alone
