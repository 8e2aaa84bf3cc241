"""`build.py wheel`: the wheel with kernel.wasm and the shim inside, built offline by the pinned hatchling.

Owns build/dist. The wheel is made again only when a file that goes into it changed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from . import kernel_build
from .toolchain import BUILD, ROOT, BuildError, exclusive, python, run, step

DIST = BUILD / "dist"
LEFT_OUT = {"kernel", "dev", "__pycache__"}


def contents() -> list[Path]:
    """Files whose change makes a new wheel."""
    package = ROOT / "tidemark_py"
    files = [p for p in package.rglob("*") if p.is_file() and not LEFT_OUT & set(p.relative_to(package).parts)]
    files += [p for p in (ROOT / "js_shim").rglob("*") if p.is_file()]
    return sorted([*files, ROOT / "pyproject.toml"])


def build() -> Path:
    """The wheel's path; kernel.wasm is built first."""
    with exclusive("wheel"):
        kernel_build.build_wasm()
        digest = hashlib.sha256()
        for path in contents():
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
        stamp = DIST / ".stamp"
        found = sorted(DIST.glob("tidemark_py-*.whl"))
        if len(found) == 1 and stamp.exists() and stamp.read_text(encoding="utf-8") == digest.hexdigest():
            return found[0]
        with step("building the wheel"):
            for old in found:
                old.unlink()
            run([python(), "-m", "hatchling", "build", "-t", "wheel", "-d", DIST], "hatchling")
            found = sorted(DIST.glob("tidemark_py-*.whl"))
            if len(found) != 1:
                raise BuildError(f"expected one wheel in {DIST}, found {len(found)}")
            stamp.write_text(digest.hexdigest(), encoding="utf-8")
        return found[0]
