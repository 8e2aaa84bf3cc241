"""`build.py conformance`: suites of others that run inside the guest: stress-ng --verify, and CPython's own tests; and
our own race-prone programs, many times each (races.py).

Owns what is run, and the tables. stress-ng: every stressor verifies its own results; one miss is a failure. CPython:
Debian's libpython3.13-testsuite, module by module, each test by name, beside the same module under qemu-riscv64 in the
same root. Needs a while: not part of `test`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..layers.format import Layer
from ..layers.unpack import unpack
from . import guests, layer_build, pyodide_files, races, reference
from .qemu import qemu_riscv64
from .session import DEFAULT_ENV, Command, Session
from .toolchain import BUILD, BuildError, native_kernel, say

STRESSORS = (
    "fork", "vfork", "pthread", "futex", "pipe", "sockpair", "mmap", "mremap", "signal", "sigq", "timer", "epoll",
    "eventfd", "memfd", "shm", "shm-sysv", "sem", "sem-sysv", "msg", "dir", "rename", "link",
)  # fmt: skip
MODULES = (
    "test_os", "test_subprocess", "test_threading", "test_signal", "test_socket", "test_select", "test_epoll",
    "test_poll", "test_pty", "test_mmap", "test_fcntl", "test_tempfile", "test_shutil", "test_multiprocessing_fork",
    "test_multiprocessing_spawn", "test_asyncio", "test_io", "test_time",
)  # fmt: skip
PACKAGES = {"stress": "deb:stress-ng,bash,coreutils", "cpython": "deb:python3,libpython3.13-testsuite,bash,coreutils"}
PYTHON = "/usr/bin/python3.13"
#: Not run, for what they do to the tests after them.
LEFT_OUT = {
    "test_many_processes": "wants 100 processes at once and leaves the first 95 running: a tab has 96 memories",
    "test_large_pool": "wants a pool of 132 processes: a tab has 96 memories",
}
#: Differences that are as designed, by a part of the test's name.
KNOWN = {
    "LargeMmapTests.test_around_4GB": "a guest's addresses end at 4 GiB: ENOMEM",
}
#: `unittest -v MODULE` without the tests named after it.
WITHOUT = """
import sys, unittest
def tests(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite): yield from tests(t)
        elif t.id().rpartition(".")[2] not in sys.argv[2:]: yield t
whole = unittest.defaultTestLoader.loadTestsFromName(sys.argv[1])
result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests(whole)))
sys.exit(not result.wasSuccessful())
"""
GRACE_S = 30.0


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    suite: str
    only: list[str] = field(default_factory=list)
    host: str = "chromium"
    seconds: float = 5.0  # of a stressor; the limit of a module is in MODULE_S
    qemu: bool = True
    runs: int = 100  # of each race-prone program


MODULE_S = 900.0
Run = Callable[[list[str], float], tuple[int, str]]  # argv, limit in seconds -> exit code, both streams


def conformance(o: Options) -> int:
    """Run one suite and print its table; 0 when nothing failed (stress) or all ran to their end (cpython)."""
    if o.suite == "races":
        return _races(o)
    layer = layer_build.layer_file(PACKAGES[o.suite])
    with _host(o.host, layer) as run:
        return _stress(run, o) if o.suite == "stress" else _cpython(run, o, _sysroot(layer))


# ---- where it runs ----


def _sysroot(layer: Path) -> Path:
    target = BUILD / "conformance" / layer.stem
    if not (target / ".whole").exists():
        unpack(Layer.load(layer), target)
        (target / ".whole").touch()
    return target


def _races(o: Options) -> int:
    if o.host == "native":
        kernel = native_kernel()
        return races.races(lambda name: races.native(kernel, name), o.only, o.runs)
    root = BUILD / "conformance" / "races"
    (root / "work").mkdir(parents=True, exist_ok=True)
    for name in races.RACE_PRONE:
        shutil.copy2(guests.riscv_binary(name), root / "work" / name)
    pyodide_files.snapshot()
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root"}
    layers = [layer_build.layer_file(spec) for spec in ("deb:busybox-static", f"dir:{root}")]
    with Session(layers, o.host) as session:

        def run(name: str) -> str:
            out = bytearray()
            command = Command([f"/work/{name}"], env, "/work", b"", races.GUEST_S, keep_fs=False)
            ended = session.run(command, lambda stream, data: out.extend(data) if stream == 1 else None)
            return out.decode("utf-8", "backslashreplace") + f"exit {ended.exit_code}\n"

        return races.races(run, o.only, o.runs)


@contextmanager
def _host(host: str, layer: Path) -> Iterator[Run]:
    if host == "native":
        kernel, root = native_kernel(), _sysroot(layer)
        yield lambda argv, limit: _process([str(kernel), "--root", str(root), "--", *argv], limit)
        return
    pyodide_files.snapshot()
    with Session([layer], host) as session:

        def run(argv: list[str], limit: float) -> tuple[int, str]:
            out = bytearray()
            command = Command(argv, dict(DEFAULT_ENV), stdin=b"", timeout_s=limit, keep_fs=False)
            ended = session.run(command, lambda _, data: out.extend(data))
            text = out.decode("utf-8", "backslashreplace")
            return ended.exit_code, text + (f"\n{ended.error}" if ended.error else "")

        yield run


def _process(command: list[str], limit: float) -> tuple[int, str]:
    try:
        r = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode("utf-8", "backslashreplace") + "\ntimed out"
    return r.returncode, r.stdout.decode("utf-8", "backslashreplace")


# ---- stress-ng ----


def _stress(run: Run, o: Options) -> int:
    failed = 0
    print(f"{'stressor':12} {'result':8} {'seconds':>7}  reason", flush=True)
    for name in STRESSORS:
        if o.only and name not in o.only:
            continue
        began = time.monotonic()
        code, out = run(["stress-ng", "--verify", "--timeout", f"{o.seconds:g}", f"--{name}", "1"], o.seconds + GRACE_S)
        result, reason = stress_result(name, code, out)
        failed += result != "passed"
        print(f"{name:12} {result:8} {time.monotonic() - began:7.1f}  {reason}", flush=True)
    print(f"{failed} failed")
    return 1 if failed else 0


def stress_result(name: str, code: int, out: str) -> tuple[str, str]:
    """(passed | skipped | failed, the first line that says why) of one stress-ng run."""
    if code == 0 and re.search(rf"passed: 1: {re.escape(name)} ", out):
        return "passed", ""
    why = [line for line in out.splitlines() if re.search(r"fail:|error:|skip|warn:|cannot|timed out", line)]
    reason = (why or out.strip().splitlines() or ["no output"])[0].partition("] ")[2] or f"exit {code}"
    return ("skipped" if re.search(r"skipped: 1", out) else "failed"), f"{reason} (exit {code})"


# ---- CPython ----


def _cpython(run: Run, o: Options, sysroot: Path) -> int:
    qemu, version = qemu_riscv64()
    unfinished = 0
    print(f"{'module':28} {'ours':>30}   qemu-riscv64 {version}", flush=True)
    for name in MODULES:
        if o.only and name not in o.only:
            continue
        argv = [PYTHON, "-m", "unittest", "-v", f"test.{name}"]
        code, out = run([PYTHON, "-c", WITHOUT, f"test.{name}", *LEFT_OUT], MODULE_S)
        ours = results(out)
        finished = bool(re.search(r"^Ran \d+ tests? in", out, re.M))
        unfinished += not finished
        beside: dict[str, str] = {}
        if o.qemu:
            beside = _beside(sysroot, qemu, argv)
        state = counts(ours) if finished else f"{counts(ours)}; NOT FINISHED, exit {code}"
        print(f"{name:28} {state:>30}   {counts(beside)}", flush=True)
        bad = ("FAIL", "ERROR")
        for test in sorted(t for t, r in ours.items() if r in bad and beside.get(t) not in bad):
            why = next((f"; {text}" for part, text in KNOWN.items() if part in test), "")
            print(f"    {ours[test]:5} {test} (qemu: {beside.get(test, 'not run')}){why}", flush=True)
        for test in sorted(t for t in beside if t not in ours and t.rpartition(".")[2] in LEFT_OUT):
            print(f"    left out: {test} (qemu: {beside[test]}); {LEFT_OUT[test.rpartition('.')[2]]}", flush=True)
        if not finished:
            say("\n".join(out.splitlines()[-12:]))
    return 1 if unfinished else 0


def _beside(sysroot: Path, qemu: Path, argv: list[str]) -> dict[str, str]:
    try:
        got = reference.run(sysroot, qemu, argv, dict(DEFAULT_ENV), MODULE_S)
    except BuildError as e:
        say(str(e))
        return {}
    return results((got.stdout + got.stderr).decode("utf-8", "backslashreplace"))


def results(out: str) -> dict[str, str]:
    """What `unittest -v` printed, by test: ok, FAIL, ERROR, skipped. A test's own output may stand in between."""
    found: dict[str, str] = {}
    for m in re.finditer(r"^(?:ERROR|FAIL): (\w+) \(([\w.]+)", out, re.M):
        found[f"{m[2]}.{m[1]}" if not m[2].endswith(m[1]) else m[2]] = out[m.start() : m.start() + 5].strip(": ")
    for m in re.finditer(r"^(\w+) \(([\w.]+)\)(?:\n[^\n]*)? \.\.\. (.*)$", out, re.M):
        name = m[2] if m[2].endswith(m[1]) else f"{m[2]}.{m[1]}"
        word = "skipped" if "skipped" in m[3] else "ok"
        found.setdefault(name, word)
    return found


def counts(found: dict[str, str]) -> str:
    """For the table."""
    n = Counter(found.values())
    return f"{n['ok']} ok, {n['FAIL'] + n['ERROR']} failed, {n['skipped']} skipped" if found else "-"
