"""`build.py workloads`: Debian's programs as they are, each with a short deterministic script, in Chromium and Node.

Owns the reading of tests/workload/programs: NAME.sh is what a guest's shell runs, its first comment lines say what it
needs; NAME.out is what it must print, made by `build.py workloads --expect NAME` under qemu-riscv64, with that command
in its first line. The table shows time, memory and the reason of every miss; a miss that is known says so in NAME.sh.

    # packages: git            Debian packages beside BASE
    # seconds: 90              limit on our hosts (default 300)
    # quick                    of `build.py test`, not only of `test --all`; all of them share a layer
    # miss chromium node: why  does not work yet
    # host: why                qemu cannot say what to expect: this machine's own Linux does, with its own programs
    # env: K=V                 environment
"""

from __future__ import annotations

import difflib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..layers.format import Layer
from ..layers.unpack import unpack
from . import layer_build, pyodide_files, reference
from .memory import Peak
from .qemu import qemu_riscv64
from .session import DEFAULT_ENV, Command, Session
from .toolchain import BUILD, ROOT, BuildError, native_kernel, say

PROGRAMS = ROOT / "tests" / "workload" / "programs"
BASE = ("dash", "bash", "coreutils", "grep", "sed", "findutils", "libc-bin")
HOSTS = ("chromium", "node", "native")
ENV = {**DEFAULT_ENV, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm"}
EXPECT_LIMIT_S = 3600.0
SECONDS = 300.0
HEAD = re.compile(r"# (packages|seconds|env|quick|miss|host)\b ?([^:]*):? ?(.*)")
ARGV = ["/bin/bash", "/tmp/workload.sh"]
REASON_CHARS = 160


@dataclass
class Program:
    """One row of the table."""

    name: str
    script: str
    packages: list[str] = field(default_factory=list)
    seconds: float = SECONDS
    quick: bool = False
    env: dict[str, str] = field(default_factory=dict)
    misses: dict[str, str] = field(default_factory=dict)
    on_host: str = ""  # why its reference is not qemu-riscv64 but this machine

    @property
    def spec(self) -> str:
        """Its layer; the quick ones share one, so that they share a session."""
        packages = [name for p in programs() if p.quick for name in p.packages] if self.quick else self.packages
        return "deb:" + ",".join(dict.fromkeys([*BASE, *sorted(packages)]))

    @property
    def expected_file(self) -> Path:
        """NAME.out"""
        return PROGRAMS / f"{self.name}.out"

    @property
    def expected(self) -> str:
        """What it must print. Raises BuildError when nobody has found out."""
        if not self.expected_file.exists():
            raise BuildError(f"{self.name}: nothing is expected yet: build.py workloads --expect {self.name}")
        return self.expected_file.read_bytes().decode().partition("\n")[2]


def parse(path: Path) -> Program:
    """A .sh file. Raises BuildError for a head line that says nothing known."""
    text = path.read_text(encoding="utf-8")
    p = Program(path.stem, text)
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        m = HEAD.fullmatch(line)
        if not m:
            continue
        key, words, rest = m.groups()
        if key == "packages":
            p.packages = rest.split()
        elif key == "seconds":
            p.seconds = float(rest)
        elif key == "quick":
            p.quick = True
        elif key == "host":
            p.on_host = rest
        elif key == "env":
            name, _, value = rest.partition("=")
            p.env[name] = value
        elif not words.split() or not rest or set(words.split()) - set(HOSTS):
            raise BuildError(f"{path.name}: a miss names hosts and the reason: {line}")
        else:
            p.misses |= dict.fromkeys(words.split(), rest)
    return p


def programs(names: list[str] | None = None) -> list[Program]:
    """All, or these. Raises BuildError."""
    found = {p.stem: parse(p) for p in sorted(PROGRAMS.glob("*.sh"))}
    if unknown := [n for n in names or () if n not in found]:
        raise BuildError(f"no such workload: {', '.join(unknown)}. There are {', '.join(found)}")
    return [found[n] for n in names] if names else list(found.values())


# ---- what is expected ----


def expect(chosen: list[Program]) -> int:
    """Run under qemu-riscv64, or where that cannot be on this machine, and write NAME.out. Raises BuildError when a
    script fails there."""
    for p in chosen:
        got, where = reference_on_host(p) if p.on_host else reference_under_qemu(p)
        text = got.stdout.decode("utf-8", "backslashreplace")
        if got.exit_code:
            raise BuildError(
                f"{p.name}: exit code {got.exit_code} under {where}\n{text[-2000:]}"
                f"{got.stderr.decode(errors='replace')[-3000:]}"
            )
        head = f"made by: python3 build.py workloads --expect {p.name} ({where})\n"
        p.expected_file.write_bytes((head + text).encode())
        say(f"{p.name}: {len(text.splitlines())} lines, {got.seconds:.1f} s under {where}")
        if got.stderr:  # a script that fails half-way is no reference
            say(f"{p.name} said on stderr: {got.stderr.decode(errors='replace').strip()[-600:]}")
    return 0


def reference_under_qemu(p: Program) -> tuple[reference.Reference, str]:
    """In a root of its packages, and the emulator's name."""
    qemu, version = qemu_riscv64()
    with reference.scratch_root(layer_build.layer_file(p.spec, layer_build.Options(slim=True))) as root:
        (root / "tmp" / "workload.sh").write_text(p.script, encoding="utf-8")
        return reference.run(root, qemu, ARGV, {**ENV, **p.env}, EXPECT_LIMIT_S), f"qemu-riscv64 {version}"


def reference_on_host(p: Program) -> tuple[reference.Reference, str]:
    """With the programs of this machine, which must have them."""
    began = time.monotonic()
    env = {**os.environ, **ENV, **p.env, "PATH": os.environ["PATH"]}
    command = ["/bin/bash", "-c", p.script]
    got = subprocess.run(command, capture_output=True, env=env, timeout=EXPECT_LIMIT_S, check=False)
    seconds, kernel = time.monotonic() - began, os.uname()
    return reference.Reference(got.returncode, got.stdout, got.stderr, seconds), f"{kernel.sysname} {kernel.machine}"


# ---- runs ----


@dataclass
class Result:
    """One program on one host."""

    name: str
    host: str
    passed: bool
    seconds: float = 0.0
    memory_bytes: int = 0
    instructions: int = 0
    reason: str = ""
    known: str = ""

    @property
    def word(self) -> str:
        """passed, failed, or what it means that a miss was known."""
        if self.known:
            return "PASSED, but is said to miss" if self.passed else "known miss"
        return "passed" if self.passed else "FAILED"

    @property
    def as_said(self) -> bool:
        """Passed, or missed as its script says."""
        return self.passed != bool(self.known)


def why(expected: str, out: str, code: int, err: str = "", limit_s: float = 0, said: Sequence[str] = ()) -> str:
    """The reason of a miss in one line, "" when there is none. limit_s: the limit that was passed, or 0."""
    reasons = []
    if limit_s:
        reasons.append(f"not done in {limit_s:.0f} s")
    elif code:
        name = f" ({signal.Signals(code - 128).name})" if 128 < code < 160 else ""
        reasons.append(f"exit code {code}{name}")
    if out != expected:
        changed = difflib.unified_diff(expected.splitlines(), out.splitlines(), n=0, lineterm="")
        lines = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
        reasons.append(f"{len(lines)} lines differ: " + " / ".join(lines[:3]))
    if not reasons:
        return ""
    last = [line for line in err.strip().splitlines() if line.strip()][-2:]
    return "; ".join([*reasons, *last, *said[-3:]])


def run_native(p: Program, layer: Path) -> Result:
    """By the kernel as a Linux program: the fast loop of a kernel's author."""
    kernel = native_kernel()
    root = BUILD / "workloads" / layer.stem
    if not root.exists():
        unpack(Layer.load(layer), root)
    (root / "tmp" / "workload.sh").write_text(p.script, encoding="utf-8")
    given = [f"--env={k}={v}" for k, v in {**ENV, **p.env}.items()]
    given = [word for pair in given for word in pair.split("=", 1)]
    command = [str(kernel), "--root", str(root), *given, "--", *ARGV]
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        with Peak(child.pid) as peak:
            try:
                out, err = child.communicate(timeout=p.seconds)
                limit_s = 0.0
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                limit_s = p.seconds
        text, errors = out.decode("utf-8", "backslashreplace"), err.decode(errors="replace")
        reason = why(p.expected, text, child.returncode, errors, limit_s)
    return Result(p.name, "native", not reason, time.monotonic() - began, peak.bytes, 0, reason)


def run_in(session: Session, p: Program) -> Result:
    """In Chromium or Node, on a fresh file system."""
    got: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    script = f"cat > /tmp/workload.sh; exec {' '.join(ARGV)} < /dev/null"
    command = Command(
        ["/bin/bash", "-c", script], {**ENV, **p.env}, stdin=p.script.encode(), timeout_s=p.seconds, keep_fs=False
    )
    began = time.monotonic()
    with Peak(session.pid) as peak:
        ended = session.run(command, lambda stream, data: got[stream].extend(data))
    text, errors = (bytes(got[n]).decode("utf-8", "backslashreplace") for n in (1, 2))
    reason = why(p.expected, text, ended.exit_code, errors, p.seconds if ended.timed_out else 0, ended.diagnostics)
    if ended.error:
        reason = f"{ended.error}; {reason}"
    seconds = time.monotonic() - began
    return Result(p.name, session.host, not reason, seconds, peak.bytes, ended.instructions or 0, reason)


def run_all(
    chosen: list[Program], host: str, jit: str = "on", done: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Every program, one session per layer; a session that does not start is the reason of its programs' misses.

    done: told of each layer's results as soon as they are there.
    """
    results = []
    if host != "native":
        pyodide_files.snapshot()
    by_spec: dict[str, list[Program]] = {}
    for p in chosen:
        by_spec.setdefault(p.spec, []).append(p)
    for spec, group in by_spec.items():
        layer = layer_build.layer_file(spec, layer_build.Options(slim=True))
        mine: list[Result] = []
        try:
            if host == "native":
                mine += [run_native(p, layer) for p in group]
            else:
                with Session([layer], host, options={"jit": jit}) as session:
                    mine += [run_in(session, p) for p in group]
        except BuildError as e:
            for p in group[len(mine) :]:
                mine.append(Result(p.name, host, False, reason=str(e).splitlines()[0]))
        for p, result in zip(group, mine, strict=True):
            result.known = p.misses.get(host, "")
            say(f"{host} {p.name}: {result.word} in {result.seconds:.1f} s {result.reason[:REASON_CHARS]}")
            done(result)
        results += mine
    return results


def _cells(r: Result) -> str:
    return f"{r.word} | {r.seconds:.1f} | {r.memory_bytes >> 20}"


def table(results: list[Result]) -> str:
    """Markdown: one row per program, two columns per host, then every miss with its reason."""
    hosts = list(dict.fromkeys(r.host for r in results))
    lines = ["| | " + " | ".join(f"{h} | s | MiB" for h in hosts) + " |", "|-|" + "-|-|-|" * len(hosts)]
    by_name: dict[str, dict[str, Result]] = {}
    for r in results:
        by_name.setdefault(r.name, {})[r.host] = r
    for name, row in by_name.items():
        cells = [_cells(row[h]) if h in row else "- | - | -" for h in hosts]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for r in results:
        if not r.passed:
            lines.append(f"\n{r.name} on {r.host}: {r.known or r.reason}")
    return "\n".join(lines)


@dataclass
class Options:
    """What the command line said."""

    only: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=lambda: ["chromium", "node"])
    quick: bool = False
    jit: str = "on"
    report: Path | None = None
    resume: bool = False


def _earlier(report: Path, chosen: list[Program], hosts: list[str]) -> list[Result]:
    """What a report says of these programs that need not run again: those that came out as said. Raises BuildError."""
    try:
        found = [Result(**row) for row in json.loads(report.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as e:
        raise BuildError(f"{report}: not a report of `build.py workloads` ({e}); remove it") from None
    names = {p.name for p in chosen}
    return [r for r in found if r.as_said and r.name in names and r.host in hosts]


def workloads(o: Options) -> int:
    """Run and print; 1 when a program missed without saying so, or passed where it says that it misses."""
    chosen = [p for p in programs(o.only) if p.quick or not o.quick]
    if o.resume and not o.report:
        raise BuildError("--resume goes on with a report: give --report FILE.json too")
    results = _earlier(o.report, chosen, o.hosts) if o.resume and o.report else []
    have = {(r.host, r.name) for r in results}

    def done(r: Result) -> None:
        results.append(r)
        if o.report:
            o.report.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n", encoding="utf-8")

    for host in o.hosts:
        run_all([p for p in chosen if (host, p.name) not in have], host, o.jit, done)
    results.sort(key=lambda r: (o.hosts.index(r.host), r.name))
    print(table(results))
    wrong = [f"{r.name} on {r.host}" for r in results if not r.as_said]
    if wrong:
        print(f"not as said: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0
