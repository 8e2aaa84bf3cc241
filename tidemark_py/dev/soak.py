"""`build.py soak`: mixed workloads over and over in one machine, and whether it stays as it was.

Owns the mix and what "flat" means: after every round no process, thread, guest memory or busy worker is left over, and
the kernel's heap and the host's memory do not grow from the first third of the rounds to the last. Not part of `test`.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

from . import layer_build, pyodide_files
from .memory import used_bytes
from .session import DEFAULT_ENV, Command, Session
from .toolchain import BuildError, say

LAYER = "deb:python3,bash,coreutils"
COMMAND_S = 240.0
SETTLE_S = 60.0  # until all of a command has ended
WARM_ROUNDS = 3  # caches fill
GROWTH = 1.10
GROWTH_BYTES = 24 << 20
PAUSE_S = 0.2

SHELL = r"""
for i in $(seq 40); do printf '%s\n' "$i" | cat | wc -l >/dev/null; done
seq 20000 | sort -rn | head -n 3
head -c 3000000 /dev/urandom | sha256sum | wc -c
mkdir -p /tmp/d && for i in $(seq 60); do echo "$i" > "/tmp/d/$i"; done; cat /tmp/d/* | wc -l; rm -r /tmp/d
(sleep 30 | cat) & kill -9 $!; wait; pkill=$(jobs -p); for p in $pkill; do kill -9 "$p"; done
bash -c 'kill -SEGV $$'; echo "segv $?"
coproc cat; echo hi >&"${COPROC[1]}"; read -r x <&"${COPROC[0]}"; echo "$x"
"""
PYTHON = r"""
import hashlib, mmap, multiprocessing as mp, os, socket, subprocess, tempfile, threading
total = []
ts = [threading.Thread(target=lambda n=n: total.append(sum(range(n * 1000)))) for n in range(12)]
[t.start() for t in ts]; [t.join() for t in ts]
with mp.get_context("fork").Pool(4) as pool: squares = pool.map(abs, range(-200, 0))
a, b = socket.socketpair(); a.sendall(b"x" * 50000); a.close(); got = 0
while chunk := b.recv(65536): got += len(chunk)
l = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(l.getsockname()); s, _ = l.accept()
s.sendall(b"hello"); s.close(); word = c.recv(10)
m = mmap.mmap(-1, 1 << 22); m[:5] = b"abcde"
if os.fork() == 0: m[:5] = b"child"; os._exit(0)
os.wait(); text = bytes(m[:5]); m.close()
out = [subprocess.run(["sh", "-c", f"echo {i}; exit {i}"], capture_output=True) for i in range(5)]
with tempfile.TemporaryDirectory() as d: open(d + "/f", "wb").write(os.urandom(1 << 20)); n = os.stat(d + "/f").st_size
p = subprocess.Popen(["sleep", "60"]); p.kill(); p.wait()
print(len(total), len(squares), got, word, text, [o.returncode for o in out], n, p.returncode)
"""
MIX = {
    "shell": (["bash", "-c", SHELL], "segv 139\nhi\n"),
    "python": (["python3", "-c", PYTHON], "12 200 50000 b'hello' b'child' [0, 1, 2, 3, 4] 1048576 -9\n"),
}


@dataclass(frozen=True)
class Sample:
    """After a round."""

    processes: int
    threads: int
    memories: int
    busy: int  # workers that run a guest thread
    idle: int
    heap_bytes: int  # of the kernel
    host_bytes: int  # PSS of the browser or Node


def soak(minutes: float, host: str) -> int:
    """Rounds of the mix until the time is up; 0 when the machine stayed as it was."""
    layer = layer_build.layer_file(LAYER)
    pyodide_files.snapshot()
    samples: list[Sample] = []
    until = time.monotonic() + minutes * 60
    with Session([layer], host) as session:
        first = _sample(session)
        print(f"{'round':>5} {'seconds':>8} {'processes':>9} {'threads':>7} {'memories':>8} {'workers busy/idle':>17}"
              f" {'heap MiB':>8} {host + ' MiB':>12}", flush=True)  # fmt: skip
        while time.monotonic() < until or len(samples) < 3 * WARM_ROUNDS:
            began = time.monotonic()
            for name, (argv, end) in MIX.items():
                _run(session, name, argv, end)
            s = _settled(session, first)
            samples.append(s)
            heap, whole = s.heap_bytes / 2**20, s.host_bytes / 2**20
            print(f"{len(samples):5} {time.monotonic() - began:8.1f} {s.processes:9} {s.threads:7} {s.memories:8}"
                  f" {s.busy:8}/{s.idle:<8} {heap:8.1f} {whole:12.0f}", flush=True)  # fmt: skip
    wrong = verdict(first, samples)
    print("\n".join(wrong) or f"{len(samples)} rounds: nothing left over, memory flat")
    return 1 if wrong else 0


def verdict(first: Sample, samples: list[Sample]) -> list[str]:
    """What is not as it was, in sentences; empty: flat."""
    wrong = []
    for name in ("processes", "threads", "memories", "busy"):
        was, now = getattr(first, name), [getattr(s, name) for s in samples]
        if max(now) > was:
            wrong.append(f"{name}: {was} before, up to {max(now)} after a round (round {now.index(max(now)) + 1})")
    settled = samples[WARM_ROUNDS:]
    third = max(len(settled) // 3, 1)
    for name in ("heap_bytes", "host_bytes"):
        early = statistics.median(getattr(s, name) for s in settled[:third])
        late = statistics.median(getattr(s, name) for s in settled[-third:])
        if late > early * GROWTH + GROWTH_BYTES:
            wrong.append(f"{name}: {early / 2**20:.0f} MiB in the first third, {late / 2**20:.0f} MiB in the last")
    return wrong


def _run(session: Session, name: str, argv: list[str], end: str) -> None:
    out, said = bytearray(), bytearray()
    command = Command(argv, dict(DEFAULT_ENV), stdin=b"", timeout_s=COMMAND_S, keep_fs=False)

    def take(stream: int, data: bytes) -> None:
        (out if stream == 1 else said).extend(data)

    ended = session.run(command, take)
    text = out.decode("utf-8", "backslashreplace")
    if ended.exit_code or not text.endswith(end):
        parts = (bytes(stream).decode("utf-8", "backslashreplace")[-1000:] for stream in (out, said))
        raise BuildError(f"soak: {name}: exit {ended.exit_code} {ended.error}\n" + "".join(parts))


def _sample(session: Session) -> Sample:
    answer: dict[str, Any] = session.ask("state")
    c, pool = answer["state"]["counters"], answer["pool"]
    return Sample(c["processes"], c["threads"], c["memories"], pool["running"], pool["idle"], c["heap_used"],
                  used_bytes(session.pid))  # fmt: skip


def _settled(session: Session, first: Sample) -> Sample:
    """What killed orphans hold comes back a moment after their command has ended."""
    until = time.monotonic() + SETTLE_S
    while True:
        s = _sample(session)
        over = [n for n in ("processes", "threads", "memories", "busy") if getattr(s, n) > getattr(first, n)]
        if not over or time.monotonic() > until:
            if over:
                say(f"soak: not back after {SETTLE_S:.0f} s: {', '.join(over)}")
            return s
        time.sleep(PAUSE_S)
