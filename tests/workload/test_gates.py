"""The process gates: what everything else stands on, on each shell, in Chromium and in Node.

Waiting and nesting of workers differ between the two, so neither stands for the other.
"""

from __future__ import annotations

import threading
import time

import pytest

from tests.workload.conftest import HOSTS, SHELLS
from tidemark_py.dev import layer_build, pyodide_files
from tidemark_py.dev.session import Command, Ended, Session

FORKS = 500
PROMPT_S = 20.0

shells = pytest.mark.parametrize("shell", list(SHELLS))


def run(session: Session, shell: str, script: str, stdin: bytes = b"", timeout_s: float = 60) -> tuple[str, Ended]:
    """Output of both streams and how it ended."""
    got = bytearray()
    command = Command([*SHELLS[shell], "-c", script], stdin=stdin, timeout_s=timeout_s, keep_fs=False)
    ended = session.run(command, lambda _, data: got.extend(data))
    return got.decode(), ended


def counters(session: Session) -> dict[str, int]:
    """The kernel's counters now."""
    found: dict[str, int] = session.ask("state")["state"]["counters"]
    return found


@shells
def test_ids_differ_after_fork(session: Session, shell: str) -> None:
    """Gate 1: getpid and getppid in parent and child."""
    script = "echo $$; sh -c 'echo $$ $PPID'; (sh -c 'echo $PPID')"
    out, ended = run(session, shell, script)
    parent, child, childs_parent, subshell = map(int, out.split())
    assert ended.exit_code == 0
    assert childs_parent == parent != child
    assert subshell not in (child, 0)


@shells
def test_fork_returns_both_ways(session: Session, shell: str) -> None:
    """Gate 2: both go on after fork, each with its own memory."""
    out, _ = run(session, shell, "v=1; (v=child; echo $v) & wait; echo parent $v")
    assert out == "child\nparent 1\n"


@shells
def test_wait_resumes_the_parent_once_with_the_status(session: Session, shell: str) -> None:
    """Gate 3: FORKS times fork, exit and wait: no status lost, no resume refused."""
    before = counters(session)
    script = f"""i=0
    while [ $i -lt {FORKS} ]; do (exit $((i % 251))); [ $? = $((i % 251)) ] || echo lost $i; i=$((i + 1)); done
    echo $i"""
    out, ended = run(session, shell, script, timeout_s=240)
    after = counters(session)
    assert (out, ended.exit_code) == (f"{FORKS}\n", 0)
    assert after["resumes_refused"] == before["resumes_refused"]
    assert after["resumes"] - before["resumes"] >= FORKS


@shells
def test_exec_in_the_child_leaves_the_parent_alone(session: Session, shell: str) -> None:
    """Gate 4: another program, another memory; the parent's variables, directory and files stay."""
    out, _ = run(session, shell, "cd /tmp; v=1; exec 4<<E\nline\nE\n(v=2; cd /; exec true); echo $v $(pwd); cat <&4")
    assert out == "1 /tmp\nline\n"


@shells
def test_shell_basics(session: Session, shell: str) -> None:
    """Gate 5: a pipeline, a redirect, the shell after a child's end."""
    assert run(session, shell, "printf hi | cat")[0] == "hi"
    assert run(session, shell, "echo x > /tmp/a; cat /tmp/a; true; echo on")[0] == "x\non\n"


@shells
def test_prompt_comes_back_after_a_child(session: Session, shell: str) -> None:
    """Gate 5, on a terminal: the shell prompts again when the child has ended."""
    got = bytearray()
    typed = [b"/bin/true\n", b"echo a$((1+1))b\n", b"exit 7\n"]

    def feeder() -> None:
        for n, line in enumerate(typed):
            end = time.monotonic() + PROMPT_S
            while got.count(b"P>") < n + 1 and time.monotonic() < end:
                time.sleep(0.01)
            session.feed(line)

    env = {"PATH": "/usr/bin:/bin", "HOME": "/root", "PS1": "P>", "TERM": "dumb", "ENV": "", "LANG": "C.UTF-8"}
    options = ["--norc", "-i"] if shell == "bash" else ["-i"]
    command = Command([*SHELLS[shell], *options], env=env, timeout_s=60, terminal=(24, 80))
    ended = session.run(command, lambda _, data: got.extend(data), feeder)
    assert ended.exit_code == 7, (ended, got)
    assert got.count(b"P>") == len(typed), got
    assert b"a2b" in got


@shells
def test_nothing_forked_is_nothing_changed(session: Session, shell: str) -> None:
    """Gate 6: what does not fork runs as before, with no new process."""
    before = counters(session)
    out, ended = run(session, shell, "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; echo $i; : > /tmp/f; exit 3")
    assert (out, ended.exit_code) == ("1000\n", 3)
    assert counters(session)["processes"] == before["processes"]


NODE_SPEC = "deb:nodejs,dash,coreutils"
NODE_GATES = """
const { spawnSync, spawn, execFileSync } = require('child_process'), fs = require('fs');
const [child, parent] = execFileSync('sh', ['-c', 'echo $$ $PPID']).toString().split(' ').map(Number);
console.log('ids', parent === process.pid, child !== process.pid);
let lost = 0;
for (let i = 0; i < 50; i++) if (spawnSync('sh', ['-c', `exit ${i}`]).status !== i) lost++;
console.log('lost', lost);
const out = execFileSync('sh', ['-c', 'cd /tmp; printf hi | cat; echo x > /tmp/a; cat /tmp/a']);
console.log(out.toString() + process.cwd());
const killed = spawn('sh', ['-c', 'kill -9 $$']);
killed.on('exit', (code, signal) => console.log(code, signal, fs.readFileSync('/tmp/a', 'utf8')));
"""


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_gates_on_guest_node(host: str) -> None:
    """Gates 1 to 5 from a program with threads of its own: Debian's node and its child_process."""
    pyodide_files.snapshot()
    got = bytearray()
    with Session([layer_build.layer_file(NODE_SPEC)], host) as s:
        command = Command(["node", "-e", NODE_GATES], timeout_s=240)
        ended = s.run(command, lambda _, data: got.extend(data))
    assert got.decode() == "ids true true\nlost 0\nhix\n/\nnull SIGKILL x\n\n"
    assert ended.exit_code == 0


def test_a_loop_is_killed_at_its_time_limit(session: Session) -> None:
    """And the next command runs."""
    began = time.monotonic()
    _, ended = run(session, "busybox", "while :; do :; done", timeout_s=1)
    assert (ended.timed_out, ended.exit_code) == (True, 137)
    assert time.monotonic() - began < 60
    out, ended = run(session, "busybox", "echo next")
    assert out == "next\n", ended


def test_a_fork_bomb_ends_in_eagain(session: Session) -> None:
    """The cap on memories holds, the shell that set it off survives, everything is gone afterwards."""
    script = "f() { sleep 20 & }; i=0; while [ $i -lt 150 ]; do f 2>/dev/null || break; i=$((i+1)); done; echo alive"
    got = bytearray()
    command = Command(["bash", "-c", script], stdin=b"", timeout_s=60, keep_fs=False)
    ended = session.run(command, lambda stream, data: got.extend(data) if stream == 1 else None)
    assert (ended.timed_out, ended.exit_code) in ((False, 0), (False, 254)), (ended, got)
    assert run(session, "busybox", "echo next")[0] == "next\n"
    assert counters(session)["processes"] <= 2


def test_unread_output_blocks_the_writer(session: Session) -> None:
    """A reader that does not read holds the guest back; it goes on when there is room again."""
    gate = threading.Event()
    total = 0

    def output(_: int, data: bytes) -> None:
        nonlocal total
        total += len(data)
        gate.wait(10)

    release = threading.Timer(1.5, gate.set)
    release.start()
    command = Command(["sh", "-c", "head -c 8000000 /dev/zero"], stdin=b"", timeout_s=60)
    ended = session.run(command, output)
    assert (ended.exit_code, total) == (0, 8000000)
    assert ended.wall_ms > 1000


def test_a_missing_program_is_127_and_named(session: Session) -> None:
    """As a shell says it."""
    ended = session.run(Command(["nosuch"], stdin=b""), lambda *_: None)
    assert (ended.exit_code, ended.error) == (127, "nosuch: No such file or directory")
