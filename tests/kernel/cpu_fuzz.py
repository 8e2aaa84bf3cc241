"""Differential test of the cpu: random programs (cpu_fuzz_gen.py) under qemu-riscv64 and our cpu, compared by byte.

Command line: cpu_fuzz.py [--seed N] [--instructions N] [--command CMD...]; it prints what was executed and exits 0 when
nothing diverged and every opcode ran often enough. By default our side is the native runner (cpu_runner.c); with
--command the same ELF runs under that command instead, where {dir} is the host directory that holds it and {program}
its path from there, for instance `--command build/native/tidemark-native --root {dir} -- {program}`.
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.kernel.cpu_fuzz_gen import OUT, Program  # noqa: E402
from tidemark_py.dev import qemu  # noqa: E402

KERNEL = ROOT / "tidemark_py" / "kernel"
BATCH = 50_000
#: rv64gc alone: qemu's default cpu has more.
QEMU_CPU = "rv64,zba=false,zbb=false,zbc=false,zbs=false,zfa=false,zawrs=false,zacas=false,zfh=false,v=false"
#: Not in the programs: they read clocks and counters (cpu_test.c has them).
MINIMUM_EACH = 1000


class Divergence(AssertionError):
    """The two sides differ; the text says where and shows the block."""


def build_runner(flags: list[str], name: str, directory: Path) -> Path:
    """Compile cpu_runner.c with the cpu's sources."""
    out = directory / name
    sources = [*sorted((KERNEL / "cpu").glob("*.c")), KERNEL / "core" / "string.c", ROOT / "tests/kernel/cpu_runner.c"]
    compiler = os.environ.get("CC", "cc")
    subprocess.run(
        [compiler, "-std=gnu17", "-g", "-Wall", "-Wextra", "-Werror", *flags, *map(str, sources), "-o", str(out)],
        check=True,
    )
    return out


def sanitized_runner(directory: Path) -> Path:
    return build_runner(["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], "runner", directory)


def tracing_runner(directory: Path) -> Path:
    return build_runner(["-O2", "-DCPU_TRACE"], "runner-trace", directory)


def disassemble(runner: Path, code: bytes) -> str:
    """Listing of a block by our own disassembler."""
    words, at = [], 0
    while at < len(code):
        word = int.from_bytes(code[at : at + 4].ljust(4, b"\0"), "little")
        size = 4 if word & 3 == 3 else 2
        words.append(f"{word & (0xFFFFFFFF if size == 4 else 0xFFFF):x}\n")
        at += size
    return subprocess.run(
        [str(runner), "--decode"], input="".join(words), capture_output=True, text=True, check=True
    ).stdout


def compare(program: Program, theirs: bytes, ours: bytes, runner: Path, seed: int) -> None:
    """Raise Divergence at the first differing byte."""
    if theirs == ours:
        return
    offset = next(
        (i for i, (a, b) in enumerate(zip(theirs, ours, strict=False)) if a != b), min(len(theirs), len(ours))
    )
    block, image, what = program.locate(offset)
    word = (offset - image) % 8
    at = offset - word
    lines = [
        f"seed {seed}, block {block}, {what}:",
        f"  qemu {theirs[at : at + 8][::-1].hex()} ours {ours[at : at + 8][::-1].hex()}",
    ]
    if len(theirs) >= image + OUT:
        values = struct.unpack_from("<65Q", theirs, image)
        lines += [
            " ".join(f"x{i}={v:x}" for i, v in enumerate(values[:32])),
            " ".join(f"f{i}={v:x}" for i, v in enumerate(values[32:64])),
            f"fcsr={values[64]:x}",
        ]
    raise Divergence("\n".join(lines) + "\n" + disassemble(runner, program.blocks[block]))


def run(seed: int, instructions: int, command: list[str], directory: Path, progress: bool = False) -> Counter[str]:
    """Programs of BATCH instructions from `seed` on, until so many were executed. Returns the statistics."""
    emulator, version = qemu.qemu_riscv64()
    trace, runner = tracing_runner(directory), sanitized_runner(directory)
    root = directory / "root"
    root.mkdir(exist_ok=True)
    path = root / "program"
    ours_command = [c.format(dir=root, program="/program") for c in command] or [str(runner), str(path)]
    stats: Counter[str] = Counter()
    print(f"qemu-riscv64 {version}, seed {seed}", flush=True)
    while stats["total"] < instructions:
        program = Program(seed, BATCH)
        path.write_bytes(program.elf)
        path.chmod(0o755)
        theirs = subprocess.run([str(emulator), "-cpu", QEMU_CPU, str(path)], capture_output=True, check=False)
        ours = subprocess.run(ours_command, capture_output=True, check=False)
        compare(program, theirs.stdout, ours.stdout, runner, seed)
        if theirs.returncode or ours.returncode:
            raise Divergence(
                f"seed {seed}: exit status {theirs.returncode} and {ours.returncode}: {ours.stderr[-400:]!r}"
            )
        numbers = directory / "stats"
        traced = subprocess.run([str(trace), "--stats", str(numbers), str(path)], capture_output=True, check=False)
        compare(program, theirs.stdout, traced.stdout, runner, seed)
        for line in numbers.read_text().splitlines():
            name, count = line.split()
            stats[name] += int(count)
        stats["blocks"] += len(program.blocks)
        stats["trapping"] += program.trapping
        stats["compared_bytes"] += len(theirs.stdout)
        seed += 1
        if progress:
            print(f"  {stats['total']} instructions, no divergence", flush=True)
    return stats


def report(stats: Counter[str]) -> tuple[str, list[str]]:
    """Text of what was executed, and what fell short."""
    total = stats["total"]
    ops = {k[3:]: v for k, v in stats.items() if k.startswith("op.")}
    compressed = {k[2:]: v for k, v in stats.items() if k.startswith("c.")}
    lines = [
        f"{total} instructions in {stats['blocks']} blocks, {stats['compared_bytes']} bytes compared, no divergence"
    ]
    missing = []
    for name in ("taken", "misaligned", "nan", "rounding"):
        share = 100 * stats[name] / total
        lines.append(f"{name}: {share:.1f} %")
        if share < 5:
            missing.append(f"{name} {share:.1f} % < 5 %")
    share = 100 * stats["trapping"] / stats["blocks"]
    lines.append(f"trapping blocks: {share:.1f} %")
    if share > 10:
        missing.append(f"trapping blocks {share:.1f} % > 10 %")
    enough = max(1, min(MINIMUM_EACH, total * MINIMUM_EACH // 1_000_000))
    for group, counts in (("opcodes", ops), ("compressed forms", compressed)):
        rarest = sorted(counts.items(), key=lambda kv: kv[1])
        lines.append(f"{group}: {len(counts)}, rarest " + ", ".join(f"{k} {v}" for k, v in rarest[:5]))
        missing += [f"{k} only {v} times" for k, v in rarest if v < enough]
    lines.append("executed: " + " ".join(f"{k}:{v}" for k, v in sorted({**ops, **compressed}.items())))
    return "\n".join(lines), missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--instructions", type=int, default=1_000_000)
    parser.add_argument("--command", nargs="...", default=[], help="the rest of the line")
    at = sys.argv.index("--command") if "--command" in sys.argv else len(sys.argv)
    command = sys.argv[at + 1 :]
    options = parser.parse_args(sys.argv[1:at])
    with tempfile.TemporaryDirectory() as directory:
        try:
            stats = run(options.seed, options.instructions, command, Path(directory), progress=True)
        except Divergence as e:
            print(e)
            return 1
    text, missing = report(stats)
    print(text)
    print("\n".join(missing) or "every count is there")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
