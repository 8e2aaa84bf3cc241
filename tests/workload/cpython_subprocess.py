"""CPython's own test_subprocess inside Pyodide in Chromium, the skips for Emscripten lifted: a table of outcomes.

    python tests/workload/cpython_subprocess.py --tests /usr/lib/python3.13/test --layer deb:python3,coreutils

`--tests` is the test package of a CPython (Debian's libpython3.13-testsuite); nothing of it is kept. Counted: every
test that is collected but Windows' own and those that name preexec_fn; a skip counts as failed. sys.executable is the
guest's python3, and the test's data folder is copied to the guest. A test that waits longer than `--seconds` fails by
that name.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tidemark_py.dev import layer_build, pyodide_files
from tidemark_py.dev.browser import Browser
from tidemark_py.dev.server import Server

PARTS = ("__init__.py", "support", "test_subprocess.py", "subprocessdata", "libregrtest/__init__.py")

PYTHON = '''
import asyncio, gc, inspect, io, json, os, sys, time, unittest, warnings
import js
import tidemark_py as tm
from tidemark_py.shims import machine as machine_module
options = json.loads(js.runnerOptions)
saved = await (await js.fetch("/pyodide-snapshot.bin")).arrayBuffer()
rt = await tm.install(layers=["/layer.tdl"], snapshot=saved, jit=options["jit"])
from test import support
support.has_subprocess_support = True
import test.test_subprocess as module
from unittest import mock
wanted = options["only"]

class Hang(BaseException):
    pass

data = os.path.join(os.path.dirname(module.__file__), "subprocessdata")
await rt.fs.write_files({f"{data}/{n}": open(f"{data}/{n}", "rb").read() for n in os.listdir(data)}, 0o755)
WINDOWS = ("Windows", "_winapi", "msvcrt")

deadline = [0.0]
real_block = machine_module.Machine.block
def block(self, awaitable, seconds=None):
    left = deadline[0] - time.monotonic()
    if seconds is not None and seconds < left:
        return real_block(self, awaitable, seconds)
    try:
        return real_block(self, awaitable, left)
    except TimeoutError:
        raise Hang() from None
machine_module.Machine.block = block

def flat(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from flat(each)
        else:
            yield each

tests = []
for test in flat(unittest.defaultTestLoader.loadTestsFromModule(module)):
    name = test.id().removeprefix("test.test_subprocess.")
    method = getattr(test, test._testMethodName)
    try:
        source = inspect.getsource(inspect.unwrap(method))
    except (OSError, TypeError):
        source = ""
    if "Win32" in name or "preexec" in source or (wanted and not any(w in name for w in wanted)):
        continue
    tests.append((name, test))
js.console.log("RUN " + json.dumps({"count": len(tests)}))
for name, test in tests:
    deadline[0] = time.monotonic() + options["seconds"]
    result = unittest.TestResult()
    t = time.perf_counter()
    try:
        test.run(result)
        outcome, text = "passed", ""
        if result.skipped:
            outcome, text = "skipped", result.skipped[0][1]
            if any(word in text for word in WINDOWS):
                continue
        for kind, found in (("failed", result.failures), ("failed", result.errors)):
            if found:
                outcome, text = kind, found[0][1]
        if result.unexpectedSuccesses:
            outcome = "failed"
    except Hang:
        outcome, text = "failed", "hang"
    except BaseException as e:
        outcome, text = "failed", f"{type(e).__name__}: {e}"
    js.console.log("RESULT " + json.dumps([name, outcome, text[-options["text"]:], time.perf_counter() - t]))
    deadline[0] = time.monotonic() + 30
    for p in list(machine_module.machine().children.values()):
        try:
            os.kill(p.pid, 9)
            os.waitpid(p.pid, 0)
        except OSError:
            pass
'''
SCRIPT = """(async () => {
  const { loadPyodide } = await import("/pyodide/pyodide.mjs");
  const pyodide = await loadPyodide({ indexURL: location.origin + "/pyodide/" });
  const get = async (name) => (await fetch(name)).arrayBuffer();
  const site = pyodide.runPython("import site; site.getsitepackages()[0]");
  pyodide.unpackArchive(await get("/wheel"), "zip", { extractDir: site });
  pyodide.unpackArchive(await get("/tests.zip"), "zip", { extractDir: site });
  globalThis.runnerOptions = %s;
  try { await pyodide.runPythonAsync(%s); } catch (e) { console.log("RUN " + JSON.stringify({error: String(e)})); }
  console.log("RUN " + JSON.stringify({end: true}));
})(); 0"""


def _zip(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for part in PARTS:
            path = folder / part
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    z.write(file, f"test/{file.relative_to(folder).as_posix()}")
    return out.getvalue()


def main() -> int:
    """0 when at least 85 % pass."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tests", type=Path, required=True, help="folder of the test package")
    parser.add_argument("--layer", default="deb:python3,coreutils")
    parser.add_argument("--seconds", type=float, default=40, help="most for a test")
    parser.add_argument("--jit", default="off", choices=("off", "on"))
    parser.add_argument("--text", type=int, default=300, help="characters of a failure")
    parser.add_argument("--limit", type=float, default=3600, help="seconds for all")
    parser.add_argument("only", nargs="*", help="parts of test names")
    args = parser.parse_args()
    layer = Path(args.layer) if args.layer.endswith(".tdl") else layer_build.layer_file(args.layer)
    scratch = pyodide_files.SNAPSHOT.parent
    blank, tests = scratch / "blank.html", scratch / "cpython-tests.zip"
    tests.write_bytes(_zip(args.tests))
    public = {**pyodide_files.served(), "/layer.tdl": layer, "/tests.zip": tests, "/": blank}
    pyodide_files.snapshot()
    results: list[tuple[str, str, str, float]] = []
    ended: list[str] = []

    def heard(_: str, text: str) -> None:
        kind, _, rest = text.partition(" ")
        if kind == "RESULT":
            name, outcome, why, seconds = json.loads(rest)
            results.append((name, outcome, why, seconds))
            line = why.strip().splitlines()[-1] if why.strip() else ""
            print(f"{outcome:8}{name}  {seconds:.1f} s  {line[:150]}", flush=True)
            if args.only and why:
                print(why)
        elif kind == "RUN":
            print(rest, flush=True)
            if "count" not in rest:
                ended.append(rest)
        elif args.only:
            print(text)

    options = {"only": args.only, "seconds": args.seconds, "jit": args.jit, "text": args.text}
    with Server(public) as server, Browser() as browser:
        page = browser.page(heard)
        page.goto(server.url("/"))
        page.evaluate(SCRIPT % (json.dumps(json.dumps(options)), json.dumps(PYTHON)), timeout=60)
        end = time.monotonic() + args.limit
        while not ended and time.monotonic() < end:
            time.sleep(0.2)
            page.evaluate("0", timeout=300)
    tests.unlink()
    count = {kind: sum(1 for r in results if r[1] == kind) for kind in ("passed", "failed", "skipped")}
    whole = len(results) or 1
    print(f"{count} of {len(results)}: {100 * count['passed'] / whole:.1f} % passed")
    return 0 if count["passed"] >= 0.85 * whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
