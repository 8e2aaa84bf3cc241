"""Random system calls from four threads on the sanitized native kernel: no trap, hang or race, and enough succeed."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from tidemark_py.dev import toolchain
from tidemark_py.dev.toolchain import ROOT, zig, zig_env

HERE = ROOT / "tests" / "kernel"
#: How the fuzzer makes an argument of a table's type; a number where nothing is said.
KINDS = {
    "fd": "fd", "cstr": "cstr", "size": "size", "usize": "size", "flags": "flags", "openflags": "flags", "mode": "mode",
    "pid": "pid", "signo": "signo", "iovec": "iovec", "timespec": "time", "timeval": "time", "itimerspec": "time",
    "itimerval": "time", "off": "off", "int": "number", "uint": "number", "long": "number", "ulong": "number",
    "uid": "number", "whence": "number",
}  # fmt: skip
#: Calls about whole pages: an address of the arena, not of the program.
PAGES = {"munmap", "mprotect", "mremap", "madvise", "mmap", "mlock", "munlock", "mlock2", "msync", "mincore", "brk",
         "shmat", "shmdt", "riscv_flush_icache"}  # fmt: skip
#: They need a privilege that nobody has here: the clocks are the host's.
EXCUSED = {"settimeofday", "clock_settime"}


def table() -> str:
    """syscall_table.h from the ABI's rows."""
    rows = tomllib.loads((ROOT / "tidemark_py" / "abi" / "syscalls.toml").read_text(encoding="utf-8"))["syscall"]
    kinds = sorted({*KINDS.values(), "ptr", "address"})
    lines = ["enum kind { " + ", ".join(f"KIND_{k}" for k in kinds) + " };",
             "struct row { long nr; const char *name; int count; enum kind kinds[6]; };",
             "static const struct row rows[] = {"]  # fmt: skip
    for row in rows:
        if row["level"] == "none":
            continue
        of = [KINDS.get(a["type"], "ptr") for a in row["args"]]
        if row["name"] in PAGES and of:
            of[0] = "address"
        of_c = ", ".join(f"KIND_{k}" for k in of) or "KIND_number"
        lines.append(f'  {{{row["nr"]}, "{row["name"]}", {len(row["args"])}, {{{of_c}}}}},')
    return "\n".join([*lines, "};", "#define ROWS (sizeof rows / sizeof *rows)", ""])


def build(work: Path) -> Path:
    """The fuzzer for riscv64."""
    (work / "syscall_table.h").write_text(table(), encoding="utf-8")
    out = work / "syscall_fuzz"
    command = [str(zig()), "cc", "-target", "riscv64-linux-musl", "-O1", "-g", "-static", "-std=gnu17", "-pthread",
               "-fno-sanitize=all", "-Wall", "-Wextra", f"-I{work}", f"-I{HERE}", str(HERE / "syscall_fuzz.c"),
               "-o", str(out)]  # fmt: skip
    subprocess.run(command, check=True, env=zig_env())
    return out


def fuzz(kernel: Path, work: Path, calls: int, seed: int, seconds: int) -> tuple[str, str, int]:
    root = work / "root"
    (root / "tmp").mkdir(parents=True)
    program = build(work)
    (root / "fuzz").write_bytes(program.read_bytes())
    (root / "fuzz").chmod(0o755)
    command = [str(kernel), "--root", str(root), "--cwd", "/tmp", "--", "/fuzz", str(calls), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, errors="backslashreplace", timeout=seconds,
                          stdin=subprocess.DEVNULL, check=False)  # fmt: skip
    return done.stdout, done.stderr, done.returncode


def checked(out: str, err: str, code: int, calls: int) -> tuple[int, int, set[str]]:
    assert "Sanitizer" not in err and "runtime error" not in err and "panic" not in err, err[-6000:]
    assert code == 0 and out.startswith("total "), (code, out[-2000:], err[-2000:])
    words = out.splitlines()[0].split()
    total, succeeded = int(words[1]), int(words[3])
    assert total >= calls
    return total, succeeded, {line.split()[1] for line in out.splitlines()[1:]}


def test_random_calls_under_the_address_sanitizer(tmp_path: Path) -> None:
    out, err, code = fuzz(toolchain.native_kernel("address"), tmp_path, 60_000, 7, 300)
    total, succeeded, _ = checked(out, err, code, 60_000)
    assert succeeded * 5 >= total, out


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_a_million_random_calls(sanitizer: str, tmp_path: Path) -> None:
    out, err, code = fuzz(toolchain.native_kernel(sanitizer), tmp_path, 1_000_000, 1, 3600)
    total, succeeded, never = checked(out, err, code, 1_000_000)
    assert succeeded * 5 >= total, out
    assert never <= EXCUSED, sorted(never - EXCUSED)
