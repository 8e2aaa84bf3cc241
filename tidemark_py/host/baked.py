"""Modules that a memory snapshot of Pyodide brings along, imported: no worker has to compile and run them again.

bake() runs when a snapshot is made, check() in every Pyodide started from one, after the package was unpacked: modules
that differ from the files are forgotten, so another version of the package is never half used. Imports no js.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from pathlib import Path

__all__ = ["bake", "check"]

PACKAGE = "tidemark_py"
# What costs most, of what imports no js (objects of JavaScript cannot be in a snapshot).
# The longest first: what compiling it takes meanwhile is used again, and Pyodide cannot start from a snapshot that has
# outgrown its first memory (30 MiB).
MODULES = (
    "abi.gen.linux",
    "abi.gen.abi",
    "abi.gen.guest",
    "abi.gen.messages",
    "runtime",
    "layers",
    "roles.kernel_worker",
    "roles.process_owner",
)
KEPT = "_tidemark_baked"


def _ours() -> list[str]:
    return [name for name in sys.modules if name.split(".", 1)[0] == PACKAGE]


def bake() -> None:
    """Import what is to be in the snapshot and note what the files were. Raises RuntimeError when js came with it."""
    for name in MODULES:
        importlib.import_module(f"{PACKAGE}.{name}")
    sums: dict[str, int] = {}
    for name in _ours():
        module = sys.modules[name]
        if any(type(value).__name__ in ("JsProxy", "JsModule") for value in vars(module).values()):
            raise RuntimeError(f"{name} holds a JavaScript object: it cannot be in a memory snapshot")
        if module.__file__:
            sums[module.__file__] = zlib.crc32(Path(module.__file__).read_bytes())
    setattr(sys, KEPT, sums)


def check() -> bool:
    """True when what the snapshot brought is what the files say, or nothing was brought; else it is forgotten."""
    sums: dict[str, int] = getattr(sys, KEPT, {})
    try:
        same = all(zlib.crc32(Path(file).read_bytes()) == total for file, total in sums.items())
    except OSError:
        same = False
    if not same:
        for name in _ours():
            del sys.modules[name]
        delattr(sys, KEPT)
    return same
