"""`build.py suites`: CPython's own tests of processes, inside Pyodide in Chromium, the skips for Emscripten lifted.

Owns the list of suites, what counts, the table, and the watch over tests that hang: a page in which nothing was said
for too long is closed, that test has failed by the name "hang", and a new page goes on with the next one.
The tests are Debian's libpython3.13-testsuite, fetched through the layer builder and never kept in the repository.

Counted are all tests a suite collects (of test_os and test_shutil: those that CPython itself marks as needing
processes), but Windows' own and those that name preexec_fn; a skip counts as not passed. sys.executable is the guest's
python3. Pyodide's own fork is refused by name.
"""

from __future__ import annotations

import io
import json
import queue
import time
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..layers.format import Layer
from . import layer_build, pyodide_files
from .browser import Browser, BrowserError
from .server import Server
from .toolchain import BUILD, BuildError, say

LIBRARY = "usr/lib/python3.13"
LAYER = "deb:dash,bash,coreutils,python3,libpython3.13-testsuite"
PARTS = (
    "__init__.py", "support/", "libregrtest/", "subprocessdata/", "certdata/", "mapping_tests.py",
    "test_subprocess.py", "test_os.py", "test_popen.py", "test_shutil.py", "test_asyncio/",
)  # fmt: skip
SUITES = {
    "test_subprocess": ("test.test_subprocess", False),
    "test_asyncio": ("test.test_asyncio.test_subprocess", False),
    "test_os": ("test.test_os", True),
    "test_popen": ("test.test_popen", False),
    "test_shutil": ("test.test_shutil", True),
}
AGENT = Path(__file__).resolve().parent / "page" / "suite_agent.py"
START_TIMEOUT_S = 120.0
LEAST_PASSED = {"test.test_subprocess": 0.85}
SCRIPT = """(async () => {
  const { loadPyodide } = await import("/pyodide/pyodide.mjs");
  const pyodide = await loadPyodide({ indexURL: location.origin + "/pyodide/" });
  const get = async (name) => (await fetch(name)).arrayBuffer();
  const site = pyodide.runPython("import site; site.getsitepackages()[0]");
  pyodide.unpackArchive(await get("/wheel"), "zip", { extractDir: site });
  pyodide.unpackArchive(await get("/tests.zip"), "zip", { extractDir: "/" });
  globalThis.suiteOptions = %s;
  const failed = (e) => console.log("SUITE " + JSON.stringify({kind: "broken", suite: "page", why: String(e)}));
  pyodide.runPythonAsync(await (await fetch("/agent.py")).text()).catch(failed).finally(
    () => console.log('SUITE {"kind": "end"}'));
})(); 0"""


@dataclass
class Options:
    """What the command line said."""

    suites: list[str] = field(default_factory=lambda: list(SUITES))
    only: list[str] = field(default_factory=list)
    seconds: float = 60.0
    jit: str = "on"
    report: Path | None = None
    verbose: bool = False


@dataclass
class Outcome:
    """One test."""

    suite: str
    test: str
    outcome: str
    why: str = ""
    seconds: float = 0.0

    @property
    def reason(self) -> str:
        """The last line of why."""
        lines = [line for line in self.why.strip().splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""


def test_files(layer: Path) -> bytes:
    """A zip of the test package's parts, at the paths the guest has them."""
    out = io.BytesIO()
    prefix = f"{LIBRARY}/test/"
    source = Layer.load(layer)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for entry in source.entries():
            inner = entry.path.removeprefix(prefix)
            wanted = inner != entry.path and inner.startswith(PARTS) and "__pycache__" not in inner
            if wanted and entry.mode & 0o170000 == 0o100000:
                z.writestr(entry.path, source.body(entry))
    return out.getvalue()


class Run:
    """All suites, over as many pages as it takes."""

    def __init__(self, o: Options) -> None:
        self.o = o
        self.outcomes: list[Outcome] = []
        self.left_out: dict[str, dict[str, int]] = {}
        self.seen: set[str] = set()

    def options(self) -> str:
        """For the agent."""
        suites = [{"module": SUITES[s][0], "process_parts": SUITES[s][1]} for s in self.o.suites]
        text = 4000 if self.o.verbose else 600
        values = {"suites": suites, "only": self.o.only, "done": sorted(self.seen), "jit": self.o.jit, "text": text}
        return json.dumps(json.dumps({**values, "library": f"/{LIBRARY}"}))

    def all(self) -> None:
        """Until every test was heard of. Raises BuildError when a page does not start."""
        layer = layer_build.layer_file(LAYER)
        folder = BUILD / "suites"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "blank.html").write_text('<!doctype html><link rel="icon" href="data:,">')
        tests = folder / "tests.zip"
        tests.write_bytes(test_files(layer))
        pyodide_files.snapshot()
        files = {"/layer.tdl": layer, "/tests.zip": tests, "/agent.py": AGENT, "/": folder / "blank.html"}
        try:
            with Server({**pyodide_files.served(), **files}) as server, Browser() as browser:
                while not self.page(server, browser):
                    pass
        finally:
            tests.unlink()

    def page(self, server: Server, browser: Browser) -> bool:
        """One page; True when it came to the end, False when another page must go on."""
        heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

        def take(_: str, text: str) -> None:
            kind, _, rest = text.partition(" ")
            if kind == "SUITE":
                heard.put(json.loads(rest))
            elif self.o.verbose:
                say(text)

        page = browser.page(take)
        seen = len(self.seen)
        current: dict[str, Any] | None = None
        limit = START_TIMEOUT_S
        try:
            page.goto(server.url("/"))
            page.evaluate(SCRIPT % self.options(), timeout=START_TIMEOUT_S)
            while True:
                try:
                    m = heard.get(timeout=limit)
                except queue.Empty:
                    if current is None:
                        raise BuildError(f"the suites' page said nothing in {limit:.0f} s") from None
                    self.add(Outcome(current["suite"], current["test"], "failed", "hang", self.o.seconds))
                    return False
                limit = self.o.seconds
                current = m if m["kind"] == "start" else None
                if m["kind"] == "end":
                    return True
                if m["kind"] == "broken" and m["suite"] == "page" and len(self.seen) > seen:
                    say(f"a page could not go on, another one does: {m['why'].strip()[-300:]}")
                    return False
                self.take(m)
        except BrowserError:
            if current is None:
                raise
            self.add(Outcome(current["suite"], current["test"], "failed", "the page crashed"))
            return False
        finally:
            page.close()

    def take(self, m: dict[str, Any]) -> None:
        """One message of the agent's."""
        if m["kind"] == "result":
            self.add(Outcome(m["suite"], m["test"], m["outcome"], m["why"], m["seconds"]))
        elif m["kind"] == "left out":
            self.seen.add(f"{m['suite']}:{m['test']}")
            reasons = self.left_out.setdefault(m["suite"], {})
            reasons[m["why"]] = reasons.get(m["why"], 0) + 1
        elif m["kind"] == "broken":
            self.add(Outcome(m["suite"], "(the module)", "failed", m["why"]))

    def add(self, outcome: Outcome) -> None:
        """Keep and show one."""
        self.seen.add(f"{outcome.suite}:{outcome.test}")
        self.outcomes.append(outcome)
        name = f"{outcome.suite.removeprefix('test.')} {outcome.test}"
        print(f"{outcome.outcome:8}{name}  {outcome.seconds:.1f} s  {outcome.reason[:140]}", flush=True)
        if self.o.verbose and outcome.why:
            print(outcome.why, flush=True)

    # ---- the table ----

    def rows(self) -> list[tuple[str, dict[str, int], float]]:
        """(suite, counts, share passed) of each suite."""
        result = []
        for name in dict.fromkeys(o.suite for o in self.outcomes):
            mine = [o.outcome for o in self.outcomes if o.suite == name]
            counts = {kind: mine.count(kind) for kind in ("passed", "failed", "skipped")}
            result.append((name, counts, counts["passed"] / len(mine)))
        return result

    def table(self) -> str:
        """Markdown: counts, then every test that did not pass with its reason."""
        lines = ["| suite | passed | failed | skipped | of | share |", "|-|-|-|-|-|-|"]
        for name, n, share in self.rows():
            numbers = f"{n['passed']} | {n['failed']} | {n['skipped']} | {sum(n.values())} | {100 * share:.1f} %"
            lines.append(f"| {name} | {numbers} |")
        lines += ["", "| not passed | | reason |", "|-|-|-|"]
        for o in self.outcomes:
            if o.outcome != "passed":
                reason = o.reason.replace("|", "\\|")[:200]
                lines.append(f"| {o.suite.removeprefix('test.')} {o.test} | {o.outcome} | {reason} |")
        for name, reasons in self.left_out.items():
            said = ", ".join(f"{count} {why[:60]}" for why, count in sorted(reasons.items()))
            lines += ["", f"{name}, not counted: {said}"]
        return "\n".join(lines)


def suites(o: Options) -> int:
    """Run and print; 1 when a test hung or a suite passed less than LEAST_PASSED. Raises BuildError."""
    if unknown := [s for s in o.suites if s not in SUITES]:
        raise BuildError(f"no such suite: {', '.join(unknown)}. There are {', '.join(SUITES)}")
    began = time.monotonic()
    r = Run(o)
    r.all()
    print(f"\n{r.table()}\n\n{len(r.outcomes)} tests in {time.monotonic() - began:.0f} s", flush=True)
    if o.report:
        o.report.write_text(r.table() + "\n", encoding="utf-8")
        o.report.with_suffix(".json").write_text(json.dumps([asdict(x) for x in r.outcomes], indent=1) + "\n")
    short = [name for name, _, share in r.rows() if share < LEAST_PASSED.get(name, 0) and not o.only]
    hung = [x for x in r.outcomes if x.why == "hang"]
    for name in short:
        say(f"{name}: fewer than {LEAST_PASSED[name]:.0%} passed")
    return 1 if short or hung or not r.outcomes else 0
