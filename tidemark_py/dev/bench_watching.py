"""`build.py bench --only watching`: what rt.measure() costs. The same guest programs with and without it, interleaved:
medians, and how much more time each takes while histograms are kept.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable

from . import layer_build, pyodide_files
from .bench import LEAST_S, OUT, TIMEOUT_S, programs
from .session import Command, Session
from .toolchain import BuildError, step

__all__ = ["bench"]

SCRIPT = (
    "i=0; while [ $i -lt 200 ]; do i=$((i+1)); done; "
    "ls -lR /bin /etc | sort | wc -l; for n in 1 2 3 4; do true | cat; done"
)
#: name -> (command, time out of what it printed and how long it all took, in ms)
PROGRAMS: dict[str, tuple[list[str], Callable[[str, float], float]]] = {
    "coremix (no calls)": (["/coremix", "3000"], lambda text, _: float(text.split()[3])),
    "getppid (nothing but calls)": (["/getppid", LEAST_S], lambda text, _: float(text) * 1e3),
    "fork, exit, wait": (["/forkwait", LEAST_S], lambda text, _: float(text.split()[0]) * 1e3),
    "shell, ls, sort, pipes": (["busybox", "sh", "-c", SCRIPT], lambda _, wall_ms: wall_ms),
}


def one(session: Session, name: str) -> float:
    """Milliseconds."""
    argv, time_of = PROGRAMS[name]
    out = bytearray()
    command = Command(argv, stdin=b"", timeout_s=TIMEOUT_S)
    ended = session.run(command, lambda stream, data: out.extend(data if stream == 1 else b""))
    if ended.exit_code:
        raise BuildError(f"{name}: exit code {ended.exit_code} {ended.error}")
    return time_of(out.decode(), ended.wall_ms)


def bench(as_json: bool = False, host: str = "chromium", rounds: int = 5) -> int:
    """Run and print. Raises BuildError."""
    programs()
    pyodide_files.snapshot()
    layers = [layer_build.layer_file("deb:busybox-static"), layer_build.layer_file(f"dir:{OUT / 'riscv64'}")]
    times: dict[str, dict[bool, list[float]]] = {name: {False: [], True: []} for name in PROGRAMS}
    with Session(layers, host) as session, step(f"watching: {rounds} rounds"):
        for name in PROGRAMS:
            one(session, name)  # warm
        for n in range(2 * rounds):
            on = n % 2 == 1
            session.ask("measure", on=on)
            for name in PROGRAMS:
                times[name][on].append(one(session, name))
    medians = {name: {on: statistics.median(t) for on, t in sides.items()} for name, sides in times.items()}
    if as_json:
        rows = {name: {"off_ms": m[False], "on_ms": m[True]} for name, m in medians.items()}
        print(json.dumps(rows, indent=2))
        return 0
    print(f"{host:<32}{'off, ms':>12}{'on, ms':>12}{'more':>9}")
    for name, m in medians.items():
        print(f"{name:<32}{m[False]:>12.4f}{m[True]:>12.4f}{m[True] / m[False] - 1:>9.1%}")
    return 0
