"""WebAssembly modules as processes, alone and among riscv64 ones, in Chromium and Node (kernel/wasi, js_shim/wasi.js).

Modules are tests/workload/modules/*.c, built by zig for wasm32-wasi. What is expected is what witx, waitpid(2) and the
shell say; texts on stderr are ours.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workload.conftest import HOSTS
from tidemark_py.dev import guests, layer_build, pyodide_files, wheel_build
from tidemark_py.dev.session import Command, Session
from tidemark_py.dev.toolchain import BUILD, node

FILES = """mkdir: ok
open: ok
write: ok
pread: ok
world
append: ok
write: ok
fstat: ok
12 1
truncate: ok
excl: File exists
symlink: ok
readlink: ok
a
rename: ok
link: ok
stat: ok
3 2
rmdir: Directory not empty
3 names
unlink: ok
rmdir: ok
absolute: ok
missing: No such file or directory
above: Operation not permitted
"""

SERVED = """accepted a stream
peeked go
received good news
sent 9, then errno 64
the end: 0, hung up 1
client: GOOD NEWS
"""

HELPERS = Path(__file__).with_name("helpers")
HELPER_LAYER = BUILD / "helpers"
REFERENCE = Path(__file__).with_name("wasi_reference.mjs")
# Every call of preview 1 (modules/calls.c) on Node's own implementation, and what we answer instead and why.
DIFFERENT = {
    "  error 0": "  error 8",  # poll of a bad descriptor: the event tells it
    "  flags 32770": "  flags 0",  # theirs are the host's flags
    "  flags 33794": "  flags 1",
    "sock_shutdown bad: 58": "sock_shutdown bad: 8",  # they know no sockets
    "sock_recv of directory: 76": "sock_recv of directory: 57",  # not a socket; they check rights first
    "sock_send of directory: 76": "sock_send of directory: 57",
    "sock_shutdown of directory: 58": "sock_shutdown of directory: 57",
    "sock_accept of directory: 76": "sock_accept of directory: 57",
    "open above: 44": "open above: 63",  # their ".." stays where it is at the top; not permitted, as other runtimes
    "path_filestat_get above: 0": "path_filestat_get above: 63",
    "mkdir above: 20": "mkdir above: 63",
    "rename above: 0": "rename above: 63",
    "stat out of it: 44": "stat out of it: 63",
    "open absolute: 76": "open absolute: 63",
    "open nothing: 28": "open nothing: 44",  # openat(2)
    "open at file: 76": "open at file: 54",  # not a directory; they check rights first
    "readdir of file: 76": "readdir of file: 54",
    "readlink short: 42": "readlink short: 0",  # cut off, as readlink(2)
}


@dataclass(frozen=True)
class Case:
    """A script, its output, its exit code, and what stderr holds."""

    name: str
    script: str
    out: str = ""
    code: int = 0
    err: str = ""


CASES = (
    Case("arguments", "V=x exec /show.wasm a 'b c'", "/show.wasm\na\nb c\nV=x\n", 7),
    Case("pipeline", "printf 'a\\nb\\n' | /upper.wasm | cat | /upper.wasm | wc -l", "2\n"),
    Case("pipeline_status", "printf x | /upper.wasm 9 | cat; echo $?; printf x | cat | /upper.wasm 9", "X0\nX", 9),
    Case("many", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf $i | /upper.wasm; done", "123456789101112"),
    Case("at_once", "for i in 1 2 3 4 5 6; do (sleep 0.2; echo a) | /upper.wasm & done; wait", "A\n" * 6),
    Case("background", "/spin.wasm & sleep 0.2; kill $!; wait $!; echo $?", "143\n"),
    Case("killed", "/spin.wasm & sleep 0.2; kill -9 $!; wait $!; echo $?", "137\n"),
    Case("blocked_killed", "sleep 9 | /upper.wasm & sleep 0.2; kill $!; wait $!; echo $?", "143\n"),
    Case("reader_leaves", "(while :; do echo y; done) | /upper.wasm | head -n 2", "Y\nY\n"),
    Case("files", "mkdir -p /tmp/w/x; cd /tmp/w/x; /files.wasm", FILES),
    Case("script", "echo '#!/show.wasm' > /tmp/s; chmod +x /tmp/s; /tmp/s q", "/show.wasm\n/tmp/s\nq\nV=(none)\n", 7),
    Case("poll", "(sleep 0.3; echo) | /poll.wasm", "0\n1\n1\nslept\n"),
    Case("exit", "/broken.wasm exit", "", 44),
    Case("trap", "/broken.wasm trap", "", 134, "/broken.wasm: trap: unreachable in trap_in_here (function "),
    Case("divide", "/broken.wasm divide", "", 134, "trap: divide by zero"),
    Case("bounds", "/broken.wasm bounds", "", 134, "trap: memory access out of bounds"),
    Case("stack", "/broken.wasm deep", "", 134, "trap: call stack exhausted in too_deep"),
    Case("abort", "/broken.wasm abort", "", 134, "trap: unreachable in abort"),
    Case(
        "unknown_import",
        "/foreign.wasm",
        "",
        126,
        '/foreign.wasm: unknown import: function "teleport" of module "elsewhere" is not provided\n',
    ),
    Case(
        "link_error",
        "/mislinked.wasm",
        "",
        126,
        "/mislinked.wasm: cannot be linked: ",
    ),
    Case("no_start", "/library.wasm", "", 126, 'the module exports no function "_start" (it is a library'),
    Case("cut_off", "head -c 99 /show.wasm > /tmp/c; chmod +x /tmp/c; /tmp/c", "", 126, "/tmp/c: not a valid WebAssem"),
    Case(
        "component",
        "printf '\\0asm\\15\\0\\1\\0' > /tmp/k; chmod +x /tmp/k; /tmp/k",
        "",
        126,
        "/tmp/k: this is a WebAssembly component (WASI preview 2): only core modules for WASI preview 1 "
        "(wasi_snapshot_preview1) run here\n",
    ),
    Case("threads", "/threads.wasm sum | cat | tr a-z A-Z; /threads.wasm sum", "100000 OWN\n100000 own\n"),
    Case("threads_share_files", "/threads.wasm files; cat /tmp/by-a-thread", "from the thread\n" * 2),
    Case("threads_one_after_another", "/threads.wasm again", "20"),
    Case("proc_exit_in_a_thread", "/threads.wasm leave", "a thread leaves\n", 7),
    Case("trap_in_a_thread", "/threads.wasm bang", "", 134, "/threads.wasm: trap: unreachable in bang (function "),
    Case(
        "main_thread_ends", "mkfifo /tmp/g; exec 9<>/tmp/g; /threads.wasm return <&9; echo $?", "9\n"
    ),  # one of its threads reads, another waits on memory
    Case(
        "threads_killed",
        "mkfifo /tmp/f; /threads.wasm kill > /tmp/f & read x < /tmp/f; kill $!; wait $!; echo $x $?",
        "spinning 143\n",
    ),
    Case("no_memory_to_share", "/threadless.wasm", "", 126, "it starts threads, but imports no shared memory for them"),
    Case("sockets", "/serve /sockets.wasm", SERVED),
    Case("not_wasm", "printf '\\1asm' > /tmp/n; chmod +x /tmp/n; /tmp/n 2>/dev/null; test $? -gt 0"),
    Case("afterwards", "/broken.wasm trap 2>/dev/null; printf ok | /upper.wasm", "OK"),
)


@pytest.fixture(scope="module", params=HOSTS)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """busybox, the modules, and a riscv64 program that gives a socket to another."""
    HELPER_LAYER.mkdir(parents=True, exist_ok=True)
    shutil.copy(guests.build(("riscv64",), HELPERS)["riscv64"]["serve"], HELPER_LAYER)
    wheel_build.build()
    pyodide_files.snapshot()
    layers = [
        layer_build.layer_file(s) for s in ("deb:busybox-static", f"dir:{guests.modules()}", f"dir:{HELPER_LAYER}")
    ]
    with Session(layers, request.param) as s:
        yield s


def run(session: Session, command: Command) -> tuple[str, int, str]:
    """stdout, exit code, stderr."""
    got = {1: b"", 2: b""}

    def output(stream: int, data: bytes) -> None:
        got[stream] += data

    ended = session.run(command, output)
    return got[1].decode(), ended.exit_code, got[2].decode()


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_module(session: Session, case: Case) -> None:
    """The script's output, exit code and what is said on stderr."""
    out, code, err = run(session, Command(["busybox", "sh", "-c", case.script], timeout_s=120))
    assert (out, code) == (case.out, case.code), err
    assert case.err in err


def test_a_module_can_be_the_first_process(session: Session) -> None:
    """No shell needed: spawn runs it."""
    assert run(session, Command(["/upper.wasm", "3"], stdin=b"abc", timeout_s=30)) == ("ABC", 3, "")


def test_a_bare_loop_ends_at_the_time_limit(session: Session) -> None:
    """kill(2) from the host reaches a module that calls nobody."""
    assert run(session, Command(["/spin.wasm"], timeout_s=0.5))[1] == 137


def test_a_module_given_no_directory_reaches_no_file(session: Session) -> None:
    """Neither by an absolute path nor from where it is."""
    out, code, _ = run(session, Command(["/files.wasm"], cwd="/tmp", preopens={}, timeout_s=60))
    assert code == 0
    assert {"mkdir: No such file or directory", "absolute: No such file or directory"} < set(out.splitlines())
    assert "ok" not in out


def test_every_call_as_elsewhere(session: Session, tmp_path: Path) -> None:
    """Well used and badly, with the outcomes that Node's implementation has, but for DIFFERENT."""
    command = [str(node()), "--no-warnings", str(REFERENCE), str(guests.modules() / "calls.wasm"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 33, done.stderr
    theirs = done.stdout.splitlines()
    here = Command(["/calls.wasm", "all"], {"V": "x"}, timeout_s=300, stdin=b"", keep_fs=False, preopens={"/": "/tmp"})
    out, code, err = run(session, here)
    ours = out.splitlines()
    assert code == 33, err
    assert len(ours) == len(theirs), "\n".join(difflib.unified_diff(theirs, ours, "theirs", "ours", lineterm="", n=1))
    assert {a: b for a, b in zip(theirs, ours, strict=True) if a != b} == DIFFERENT
