"""`build.py bench --only kernels`: compiled guest code beside native, qemu-riscv64 and clang's own WebAssembly.

The kernels of tests/bench/kernels.c and the integer mix (coremix.c), one source for all sides by the same compiler with
the same flags, interleaved: each round runs a kernel natively, under qemu, in ours with the translator on, and as what
clang makes for wasm32 (a WASI process in the same page, so on the same engine). A side's
rounds are scaled so that it runs for a while; what is compared is time per round. Checksums of equal rounds must agree.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import layer_build
from .bench import OUT, programs
from .qemu import qemu_riscv64
from .run import translator_counters
from .session import Command, Session
from .toolchain import BuildError, say

SIDES = ("ours", "native", "qemu", "wasm")
#: Seconds a round would be too many: this part of the rounds.
FEWER = {"qemu": 4}
LIMIT_S = 180.0
LEAST_SHARE = 0.8


@dataclass
class Kernel:
    """One kernel: its rounds (a few hundred milliseconds natively) and its samples, milliseconds a round by side."""

    name: str
    rounds: int
    samples: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in SIDES})
    checksums: dict[str, str] = field(default_factory=dict)  # by rounds

    def argv(self, side: str) -> list[str]:
        """Program and arguments."""
        rounds = str(self.rounds // FEWER.get(side, 1))
        return ["coremix", rounds] if self.name == "coremark" else ["kernels", self.name, rounds]

    def median(self, side: str) -> float:
        """Milliseconds a round."""
        return statistics.median(self.samples[side])

    def ratio(self, side: str) -> float:
        """Ours to that side's time."""
        return self.median("ours") / self.median(side)


def kernels() -> list[Kernel]:
    """All of them; the mix counts as `coremark`."""
    rounds = {
        "coremark": 40000, "sha256": 4000, "qsort": 250, "chase": 2500, "matmul": 1000, "nbody": 5000, "fib": 4000,
        "mem": 20000, "bytecode": 1000,
    }  # fmt: skip
    return [Kernel(name, n) for name, n in rounds.items()]


class KernelBench:
    """One run."""

    def __init__(self, host: str, names: list[str]) -> None:
        self.host = host
        self.kernels = [k for k in kernels() if not names or k.name in names]
        if not self.kernels:
            raise BuildError(f"no kernel is called {' or '.join(names)}")
        self.qemu, self.qemu_version = qemu_riscv64()
        self.built = programs()
        layers = [layer_build.layer_file(f"dir:{OUT / kind}") for kind in ("riscv64", "wasm")]
        self.session = Session(layers, host, options={"jit": "on"})

    def output(self, side: str, argv: list[str]) -> str:
        """What a program printed. Raises BuildError."""
        if side in ("ours", "wasm"):
            got = bytearray()
            program = f"/{argv[0]}" if side == "ours" else f"/{argv[0]}.wasm"
            command = Command([program, *argv[1:]], stdin=b"", timeout_s=LIMIT_S, keep_fs=True)
            ended = self.session.run(command, lambda _, data: got.extend(data))
            if ended.exit_code:
                raise BuildError(f"{' '.join(argv)} ({side}): exit code {ended.exit_code} {ended.error}")
            return got.decode()
        native: list[str | Path] = [self.built["host"][argv[0]]]
        command_line = native if side == "native" else [self.qemu, self.built["riscv64"][argv[0]]]
        r = subprocess.run([*command_line, *argv[1:]], capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if r.returncode:
            raise BuildError(f"{' '.join(argv)} ({side}): exit code {r.returncode}: {r.stderr.strip()}")
        return r.stdout

    def sample(self, kernel: Kernel, side: str) -> None:
        """One run of one side. Raises BuildError when its checksum is another one."""
        _, rounds, checksum, ms = self.output(side, kernel.argv(side)).split()
        if checksum != (other := kernel.checksums.setdefault(rounds, checksum)):
            raise BuildError(f"{kernel.name} ({side}): checksum {checksum}, elsewhere {other}")
        kernel.samples[side].append(float(ms) / int(rounds))

    def run(self, rounds: int) -> dict[str, Any]:
        """Interleaved rounds of everything; the report. Raises BuildError."""
        load = os.getloadavg()[0]
        with self.session:
            for n in range(rounds):
                say(f"round {n + 1} of {rounds}")
                for kernel in self.kernels:
                    for side in SIDES:
                        self.sample(kernel, side)
            counters = translator_counters(self.session)
        report = self.report(rounds, counters["translated"] / max(counters["instructions"], 1))
        return report | {"load": sorted((load, os.getloadavg()[0]))}

    def report(self, rounds: int, share: float) -> dict[str, Any]:
        """Medians, ratios and every sample."""
        rows = {
            k.name: {
                "ms_per_round": {side: k.median(side) for side in SIDES},
                "slowdown_vs_native": k.ratio("native"),
                "speedup_vs_qemu": 1 / k.ratio("qemu"),
                "wasm_slowdown_vs_native": k.ratio("native") / k.ratio("wasm"),
                "samples": k.samples,
            }
            for k in self.kernels
        }
        mean = {side: statistics.geometric_mean(k.ratio(side) for k in self.kernels) for side in SIDES[1:]}
        mix = next((k.ratio("native") for k in self.kernels if k.name == "coremark"), math.nan)
        return {
            "host": self.host,
            "rounds": rounds,
            "qemu": self.qemu_version,
            "coremark_slowdown_vs_native": None if math.isnan(mix) else mix,
            "geomean_slowdown_vs_native": mean["native"],
            "geomean_speedup_vs_qemu": 1 / mean["qemu"],
            "geomean_wasm_slowdown_vs_native": mean["native"] / mean["wasm"],
            "translated_share": share,
            "kernels": rows,
        }


def _table(report: dict[str, Any]) -> str:
    head = f"{'ms a round':12}{'native':>10}{'qemu':>10}{'wasm':>10}{'ours':>10}"
    lines = [f"{head}{'wasm/native':>13}{'ours/native':>13}{'faster than qemu':>18}"]
    for name, row in report["kernels"].items():
        ms = row["ms_per_round"]
        cells = "".join(f"{ms[side]:>10.4g}" for side in ("native", "qemu", "wasm", "ours"))
        cells += f"{row['wasm_slowdown_vs_native']:>13.2f}"
        lines.append(f"{name:12}{cells}{row['slowdown_vs_native']:>13.2f}{row['speedup_vs_qemu']:>18.2f}")
    means = [report[f"geomean_{m}"] for m in ("wasm_slowdown_vs_native", "slowdown_vs_native", "speedup_vs_qemu")]
    lines.append(f"{'geomean':12}{'':40}{means[0]:>13.2f}{means[1]:>13.2f}{means[2]:>18.2f}")
    lines.append(
        f"medians of {report['rounds']} interleaved rounds, {report['host']}, qemu-riscv64 {report['qemu']} (user);"
        f" {100 * report['translated_share']:.1f} % of instructions ran as compiled code"
    )
    return "\n".join(lines)


def bench(as_json: bool, host: str, rounds: int, names: list[str]) -> int:
    """Run and print; 1 when too little ran as compiled code. Raises BuildError."""
    report = KernelBench(host, names).run(rounds)
    if as_json:
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        print(_table(report))
    if report["translated_share"] >= LEAST_SHARE:
        return 0
    say(f"only {100 * report['translated_share']:.1f} % of the instructions ran as compiled code")
    return 1
