"""`build.py conformance races`: guest programs that race with themselves, many times each, against what Linux prints.

Owns the list. The host's Linux orders a few things by chance too: a run that differs from all that the host has printed
so far has the host asked again, HOST_RUNS times at most, before it counts as a difference. Not part of `test`.
"""

from __future__ import annotations

import difflib
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import guests
from .toolchain import say

#: Programs of tests/guest with threads, processes or signals at the same time.
RACE_PRONE = (
    "connect", "epoll", "exec", "fork", "futex", "futex_pi", "gates", "hammer", "inet_socket", "job", "killing",
    "mqueue", "nested", "pipe", "poll", "process_vm", "ptrace", "signal", "signalfd", "storm", "sysv", "thread", "time",
    "tty", "unix_socket", "wait",
)  # fmt: skip
HOST_RUNS = 12
HOST_S = 120.0
GUEST_S = 300.0
Run = Callable[[str], str]  # program -> what it printed, then its exit code


class Expected:
    """What the host prints."""

    def __init__(self, name: str, ask: Run) -> None:
        self.name = name
        self.ask = ask
        self.seen = [ask(name)]
        self.asked = 1

    def has(self, text: str) -> bool:
        """Did or does the host print this?"""
        while text not in self.seen and self.asked < HOST_RUNS:
            self.asked += 1
            self.seen.append(self.ask(self.name))
        return text in self.seen


def races(run: Run, only: list[str], runs: int) -> int:
    """Run each `runs` times on our host: 0 when every run printed what Linux prints."""
    different = 0
    print(f"{'program':14} {'runs':>5} {'different':>9} {'seconds':>8}", flush=True)
    for name in RACE_PRONE:
        if only and name not in only:
            continue
        expected, bad, began = Expected(name, host), 0, time.monotonic()
        for _ in range(runs):
            text = run(name)
            if not expected.has(text):
                bad += 1
                if bad == 1:
                    linux, ours = expected.seen[0].splitlines(), text.splitlines()
                    say("\n".join(difflib.unified_diff(linux, ours, "Linux", "ours", n=1)))
        different += bad
        print(f"{name:14} {runs:5} {bad:9} {time.monotonic() - began:8.1f}", flush=True)
    print(f"{different} different")
    return 1 if different else 0


def host(name: str) -> str:
    """The program for this machine, in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="tidemark-race-") as folder:
        return captured(["env", "--default-signal", str(guests.host_binary(name))], folder, HOST_S)


def native(kernel: Path, name: str) -> str:
    """The program for riscv64 on the native kernel, in a root of its own."""
    with tempfile.TemporaryDirectory(prefix="tidemark-race-") as folder:
        work = Path(folder) / "work"
        work.mkdir()
        program = work / name
        program.write_bytes(guests.riscv_binary(name).read_bytes())
        program.chmod(0o755)
        return captured([str(kernel), "--root", folder, "--cwd", "/work", "--", f"/work/{name}"], folder, GUEST_S)


def captured(command: list[str], folder: str, seconds: float) -> str:
    """Standard output, then `exit N`; what a time limit cut says so."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root"}
    try:
        r = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, timeout=seconds, check=False)  # fmt: skip
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b"").decode("utf-8", "backslashreplace") + f"not done in {seconds:.0f} s\n"
    return r.stdout.decode("utf-8", "backslashreplace") + f"exit {r.returncode}\n"
