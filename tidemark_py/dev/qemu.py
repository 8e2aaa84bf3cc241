"""qemu-riscv64 of Debian trixie (user mode, static): the ground truth beside us, fetched through apt, never installed.

Owns .cache/qemu. Used by bench and the differential tests; `build.py` shows its version with every figure.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path

from .apt import AptError, Archive, Progress
from .toolchain import CACHE as CACHE_ROOT
from .toolchain import say

CACHE = CACHE_ROOT / "qemu"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def qemu_riscv64(mirror: str = "", progress: Progress = say) -> tuple[Path, str]:
    """Path of a static qemu-riscv64 and its version ("10.0.13"); fetched at first use. Raises AptError."""
    found = sorted(CACHE.glob("*/qemu-riscv64"))
    if not found:
        found = [_fetch(mirror, progress)]
    return found[-1], version(found[-1])


def version(binary: Path) -> str:
    """What `--version` says, the number alone."""
    r = subprocess.run([str(binary), "--version"], stdout=subprocess.PIPE, text=True, check=True)
    m = re.search(r"version (\d+(?:\.\d+)+)", r.stdout)
    return m.group(1) if m else "unknown"


def _fetch(mirror: str, progress: Progress) -> Path:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise AptError(f"no qemu-user package is known for {machine}")
    archive = Archive(ARCHITECTURES[machine], mirror=mirror, progress=progress)
    package = next(p for p in archive.resolve(["qemu-user"]) if p.name == "qemu-user")
    deb = archive.download([package])[package]
    target = CACHE / package.version.replace(":", "_")
    work = CACHE / "unpack"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    subprocess.run(["dpkg-deb", "-x", str(deb), str(work)], check=True)
    target.mkdir(parents=True, exist_ok=True)
    shutil.move(work / "usr/bin/qemu-riscv64", target / "qemu-riscv64")
    shutil.rmtree(work)
    return target / "qemu-riscv64"
