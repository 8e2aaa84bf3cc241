"""`build.py bench`: our figures beside native and qemu-riscv64, from one run.

Owns build/bench: the programs of tests/bench, static, for riscv64 and this machine, by the same compiler with the same
flags. Every round runs each program natively, under qemu and in ours, one after the other, so that a noisy minute hits
all three; what is printed are medians. Times come from inside the programs; page to prompt is the page's own clock.
"""

from __future__ import annotations

import hashlib
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import layer_build, site
from .apt import Archive
from .browser import Browser
from .demo import PROMPT
from .qemu import ARCHITECTURES, qemu_riscv64
from .server import Server
from .session import Command, Session
from .toolchain import BUILD, CACHE, ROOT, BuildError, run, say, step, zig, zig_env

SOURCES = ROOT / "tests" / "bench"
OUT = BUILD / "bench"
TARGETS = {"riscv64": "riscv64-linux-musl", "host": f"{platform.machine()}-linux-musl", "wasm": "wasm32-wasi-musl"}
FLAGS = ("-O2", "-static", "-std=gnu17", "-Wall", "-Wextra", "-fno-sanitize=all")
#: What clang makes of them for the engine itself, as WASI modules: the other way to run C in a browser.
WASM_PROGRAMS = ("kernels", "coremix")
LEAST_S = "0.2"
COREMIX_ROUNDS = {"native": 40000, "qemu": 8000, "ours": 1500}
TIMEOUT_S = 120.0


def programs() -> dict[str, dict[str, Path]]:
    """Paths by kind ("riscv64", "host", "wasm") and name, built where something changed. Raises BuildError."""
    result: dict[str, dict[str, Path]] = {}
    shared = b"".join(p.read_bytes() for p in sorted(SOURCES.glob("*.h")))
    for kind, target in TARGETS.items():
        result[kind] = {}
        for source in sorted(SOURCES.glob("*.c")):
            if kind == "wasm" and source.stem not in WASM_PROGRAMS:
                continue
            out = OUT / kind / (f"{source.stem}.wasm" if kind == "wasm" else source.stem)
            stamp = out.with_name(f".{out.name}.stamp")
            text = hashlib.sha256(repr(FLAGS).encode() + shared + source.read_bytes()).hexdigest()
            result[kind][source.stem] = out
            if out.exists() and stamp.exists() and stamp.read_text() == text:
                continue
            out.parent.mkdir(parents=True, exist_ok=True)
            with step(f"{source.stem} for {kind}"):
                run([zig(), "cc", "-target", target, *FLAGS, source, "-o", out], source.name, env=zig_env())
            stamp.write_text(text)
    return result


def host_busybox() -> Path:
    """Debian's busybox for this machine, of the same release as the guest's: the native side of fork+exec."""
    found = sorted((CACHE / "busybox").glob("*/busybox"))
    if found:
        return found[-1]
    archive = Archive(ARCHITECTURES[platform.machine()])
    package = next(p for p in archive.resolve(["busybox-static"]) if p.name == "busybox-static")
    target = CACHE / "busybox" / package.version.replace(":", "_")
    work = target / "unpack"
    work.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "-x", str(archive.download([package])[package]), str(work)], check=True)
    (work / "usr/bin/busybox").rename(target / "busybox")
    return target / "busybox"


@dataclass
class Row:
    """One figure: its medians by side, None where a side has none."""

    name: str
    unit: str
    more_is_better: bool
    samples: dict[str, list[float]] = field(default_factory=lambda: {"native": [], "qemu": [], "ours": []})
    failed: str = ""

    def median(self, side: str) -> float | None:
        """Of one side."""
        return statistics.median(self.samples[side]) if self.samples[side] else None


class Bench:
    """One run."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.qemu, self.qemu_version = qemu_riscv64()
        self.built = programs()
        self.busybox = host_busybox()
        layer_dir = OUT / "riscv64"
        layers = [layer_build.layer_file("deb:busybox-static"), layer_build.layer_file(f"dir:{layer_dir}")]
        self.guest_busybox = _unpacked_busybox(layers[0])
        self.session = Session(layers, host)
        self.interpreting = Session(layers, host, options={"jit": "off"})
        self.rows = {
            "mips": Row("interpreter, coremix", "MIPS", True),
            "getppid": Row("getppid", "us", False),
            "fork": Row("fork + exit + wait", "ms", False),
            "exec": Row("fork + exec busybox true + wait", "ms", False),
            "pipe": Row("pipe, 64 KiB writes", "GB/s", True),
            "trip": Row("pipe round trip", "us", False),
            "prompt": Row("page to prompt, warm (native, qemu: busybox sh -c)", "s", False),
        }

    # ---- the three sides ----

    def outside(self, side: str, name: str, *arguments: str) -> str:
        """Native or qemu: the program's output."""
        native = [str(self.built["host"][name])]
        command = native if side == "native" else [str(self.qemu), str(self.built["riscv64"][name])]
        r = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if r.returncode:
            raise BuildError(f"{name} ({side}): exit code {r.returncode}: {r.stderr.strip()}")
        return r.stdout

    def inside(self, name: str, *arguments: str, session: Session | None = None) -> tuple[str, int]:
        """Ours: output and instructions."""
        got = bytearray()
        errors = bytearray()
        command = Command([f"/{name}", *arguments], stdin=b"", timeout_s=TIMEOUT_S, keep_fs=True)
        where = session or self.session
        ended = where.run(command, lambda stream, data: (got if stream == 1 else errors).extend(data))
        if ended.exit_code:
            why = ended.error or errors.decode(errors="replace").strip()
            raise BuildError(f"{name} (ours): exit code {ended.exit_code} {why}")
        return got.decode(), ended.instructions or 0

    def output(self, side: str, name: str, *arguments: str) -> str:
        """Any side."""
        return self.inside(name, *arguments)[0] if side == "ours" else self.outside(side, name, *arguments)

    # ---- figures ----

    def mips(self, side: str) -> None:
        """Million guest instructions a second; native's is what the same work would be in guest instructions."""
        rounds = COREMIX_ROUNDS[side]
        if side == "ours":
            text, instructions = self.inside("coremix", str(rounds), session=self.interpreting)
            self.per_round = instructions / rounds
        else:
            text = self.outside(side, "coremix", str(rounds))
        ms = float(text.split()[3])
        self.add("mips", side, rounds * self.per_round / max(ms, 1) / 1e3)

    def add(self, row: str, side: str, value: float) -> None:
        """One sample."""
        self.rows[row].samples[side].append(value)

    def getppid(self, side: str) -> None:
        """Microseconds."""
        self.add("getppid", side, float(self.output(side, "getppid", LEAST_S)) * 1e6)

    def fork(self, side: str) -> None:
        """Milliseconds."""
        self.add("fork", side, float(self.output(side, "forkwait", LEAST_S)) * 1e3)

    def exec(self, side: str) -> None:
        """Milliseconds. Under qemu a child's program must be a native one: qemu itself."""
        true = {
            "native": [str(self.busybox), "true"],
            "qemu": [str(self.qemu), str(self.guest_busybox), "true"],
            "ours": ["/bin/busybox", "true"],
        }[side]
        self.add("exec", side, float(self.output(side, "forkexec", LEAST_S, *true)) * 1e3)

    def pipe(self, side: str) -> None:
        """Gigabytes a second, and microseconds a round trip."""
        per_byte, trip = map(float, self.output(side, "pipe", LEAST_S).split())
        self.add("pipe", side, 1 / per_byte / 1e9)
        self.add("trip", side, trip * 1e6)

    def prompt_outside(self, side: str) -> None:
        """Seconds from nothing to a shell that has answered."""
        prefix = [str(self.busybox)] if side == "native" else [str(self.qemu), str(self.guest_busybox)]
        began = time.perf_counter()
        subprocess.run([*prefix, "sh", "-c", "echo"], stdout=subprocess.DEVNULL, check=True)
        self.add("prompt", side, time.perf_counter() - began)

    # ---- the run ----

    def all(self, rounds: int) -> None:
        """Interleaved rounds of everything; a figure that cannot be had says why and the others go on."""
        self.per_round = 0.0
        figures: list[Callable[[str], None]] = [self.mips, self.getppid, self.fork, self.exec, self.pipe]
        with self.session, self.interpreting:
            for n in range(rounds):
                say(f"round {n + 1} of {rounds}")
                for figure in figures:
                    row = self.rows[figure.__name__]
                    for side in ("ours", "native", "qemu"):
                        if row.failed and side == "ours":
                            continue
                        try:
                            figure(side)
                        except (BuildError, subprocess.TimeoutExpired, ValueError) as e:
                            row.failed = str(e)
                            say(f"{row.name}: {e}")
                for side in ("native", "qemu"):
                    self.prompt_outside(side)
        if self.host == "chromium":
            self.prompt_page(rounds)

    def prompt_page(self, rounds: int) -> None:
        """The site's terminal page; the first visit fills the caches and does not count."""
        with Server({"/": site.build()}) as server, Browser() as browser:
            for n in range(rounds + 1):
                page = browser.page()
                try:
                    page.goto(server.url("/"))
                    ms = page.wait_for(PROMPT, 60)
                    if n:
                        self.add("prompt", "ours", ms / 1e3)
                except BuildError as e:
                    self.rows["prompt"].failed = str(e).splitlines()[0]
                    return
                finally:
                    page.close()


def _unpacked_busybox(layer_path: Path) -> Path:
    """The guest's busybox as a file, for qemu."""
    from ..layers.format import Layer

    out = OUT / "guest" / "busybox"  # its own name: applets go by it
    layer = Layer.load(layer_path)
    entry = next(e for e in layer.entries() if e.path == "usr/bin/busybox")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(layer.body(entry))
    out.chmod(0o755)
    return out


def _table(b: Bench, rounds: int) -> str:
    ours = f"ours ({b.host})"
    lines = [f"{'':52}{'unit':>6}{'native':>12}{'qemu':>12}{ours:>18}{'ours/native':>13}{'ours/qemu':>11}"]
    for row in b.rows.values():
        cells = []
        for side, width in (("native", 12), ("qemu", 12), ("ours", 18)):
            value = row.median(side)
            cells.append(f"{value:>{width}.4g}" if value is not None else f"{'-':>{width}}")
        mine, ratios = row.median("ours"), []
        for side, width in (("native", 13), ("qemu", 11)):
            other = row.median(side)
            ratios.append(f"{mine / other:>{width}.3g}" if mine and other else f"{'-':>{width}}")
        lines.append(f"{row.name:52}{row.unit:>6}{''.join(cells)}{''.join(ratios)}")
        if row.failed:
            lines.append(f"    failed: {row.failed.splitlines()[0][:160]}")
    lines.append(f"medians of {rounds} interleaved rounds; qemu-riscv64 {b.qemu_version} (user), {platform.machine()}")
    return "\n".join(lines)


def bench(as_json: bool = False, host: str = "chromium", rounds: int = 5) -> int:
    """Run and print everything; 1 when a figure could not be had. JSON: with compiled code's. Raises BuildError."""
    from .bench_kernels import KernelBench

    b = Bench(host)
    b.all(rounds)
    if as_json:
        rows: list[dict[str, Any]] = []
        for key, row in b.rows.items():
            medians = {side: row.median(side) for side in row.samples}
            names = {"key": key, "name": row.name, "unit": row.unit}
            rows.append({**names, **medians, "samples": row.samples, "failed": row.failed})
        report = KernelBench(host, []).run(rounds) | {"figures": rows}
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        print(_table(b, rounds))
    return 1 if any(row.failed for row in b.rows.values()) else 0
