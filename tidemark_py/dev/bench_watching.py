"""`build.py bench --only watching`: what rt.measure() costs. The same guest programs with and without it in turns, as
pairs whose order alternates: the median of the pairs' ratios, the half of them that lies around it, and the ratio of
the minima. A pair of two runs without it says what the machine's own noise is.
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


LEAST_ROUNDS = 21


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
    rounds = max(rounds, LEAST_ROUNDS)
    times: dict[str, list[dict[str, float]]] = {name: [] for name in PROGRAMS}
    with Session(layers, host) as session, step(f"watching: {rounds} rounds"):
        for name in PROGRAMS:
            one(session, name)  # warm
        for n in range(rounds):
            turns = ["off", "on", "again"] if n % 2 else ["again", "on", "off"]
            took: dict[str, dict[str, float]] = {name: {} for name in PROGRAMS}
            for turn in turns:
                session.ask("measure", on=turn == "on")
                for name in PROGRAMS:
                    took[name][turn] = one(session, name)
            for name in PROGRAMS:
                times[name].append(took[name])
        session.ask("measure", on=False)
    rows = {name: report(pairs) for name, pairs in times.items()}
    if as_json:
        print(json.dumps(rows, indent=2))
        return 0
    print(
        f"{host:<32}{'off, ms':>12}{'on / off':>10}{'middle half':>18}{'minima':>9}{'off / off':>11}{'middle half':>18}"
    )
    for name, r in rows.items():
        spread = "{:.3f} .. {:.3f}"
        print(
            f"{name:<32}{r['off_ms'][0]:>12.4f}{r['on'][1]:>10.3f}{spread.format(r['on'][0], r['on'][2]):>18}"
            f"{r['minima'][0]:>9.3f}{r['noise'][1]:>11.3f}{spread.format(r['noise'][0], r['noise'][2]):>18}"
        )
    return 0


def report(pairs: list[dict[str, float]]) -> dict[str, list[float]]:
    """Quartiles of the ratios on : off and off : off, the ratio of the minima, the median without."""
    lowest = {turn: min(pair[turn] for pair in pairs) for turn in ("off", "on", "again")}
    return {
        "off_ms": [statistics.median(pair["off"] for pair in pairs)],
        # of the two without, what lies between them: neither is nearer to `on` than the other
        "on": statistics.quantiles([2 * pair["on"] / (pair["off"] + pair["again"]) for pair in pairs], n=4),
        "noise": statistics.quantiles([pair["again"] / pair["off"] for pair in pairs], n=4),
        "minima": [lowest["on"] / min(lowest["off"], lowest["again"])],
    }
