"""What the house tests look at: the project's own files, by kind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tidemark_py.dev.toolchain import KERNEL, ROOT

PACKAGE = ROOT / "tidemark_py"
KERNEL_FLOORS = [
    "core",
    "mm",
    "cpu",
    "jit",
    "wait",
    "file",
    "ipc",
    "tty",
    "net",
    "task",
    "procfs",
    "sys",
    "wasi",
    "host",
]
# generated headers: numbers belong to the ground floor, handlers to sys
GENERATED_FLOOR = {
    "abi.h": "core",
    "abi_hash.h": "core",
    "syscalls.h": "sys",
    "syscalls.c": "sys",
    "wasi.h": "wasi",
    "wasi.c": "wasi",
}


# ways into the dispatcher, not system calls
NOT_CALLS = {"dispatch", "call_host"}


def project_files() -> list[Path]:
    """Files under version control plus new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / n for n in names if n and (ROOT / n).is_file()]


def is_generated(path: Path) -> bool:
    """Generated files are committed, marked and exempt from the rules of style."""
    return "gen" in path.relative_to(ROOT).parts[:-1]


def kernel_floor(path: Path) -> str:
    """The room of a kernel file."""
    room = path.relative_to(KERNEL).parts[0]
    return GENERATED_FLOOR[path.name] if room == "gen" else room


def handlers() -> dict[str, Path]:
    """System call handlers that are defined (not only declared) in the kernel, with their file."""
    found: dict[str, Path] = {}
    for path in sorted(KERNEL.rglob("*.c")):
        if not is_generated(path):
            for name in re.findall(r"^i64 sys_(\w+)\([^;{]*\)\s*\{", path.read_text(encoding="utf-8"), re.M):
                if name not in NOT_CALLS:
                    found[name] = path
    return found
