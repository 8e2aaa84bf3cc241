"""What a memory snapshot of Pyodide brings along of this package, so that no worker has to compile it again.

Modules that import no js are in it, imported; of those that do (objects of JavaScript cannot be in a snapshot), and of
what install() needs, the compiled code. bake() runs when a snapshot is made, check() in every Pyodide started from one,
after the package was unpacked: modules that differ from the files are forgotten, so another version of the package is
never half used. A module whose file is not there at all (a worker has no use for all of them) is forgotten alone. Code
is used only for a file of the same bytes. Imports no js.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

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
    "host.assets",
    "sdk.elements",
)
# Whose code is kept: packages are meant whole.
CODE = ("host", "roles", "process", "shims", "sdk")
LEFT_OUT = ("host/fake.py", "sdk/providers")  # tests; what few pages use
KEPT = "_tidemark_baked"
_codes: dict[str, tuple[int, CodeType]] = {}  # by file: CRC-32 of its bytes, compiled


class _Loader(SourceFileLoader):
    """Takes the code that was kept."""

    def get_code(self, fullname: str) -> CodeType | None:
        total, code = _codes[self.path]
        return code if zlib.crc32(Path(self.path).read_bytes()) == total else super().get_code(fullname)


class _Finder:
    """On sys.meta_path in a snapshot: gives the modules whose code was kept that loader."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """importlib.abc.MetaPathFinder"""
        if not name.startswith(f"{PACKAGE}."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin in _codes:
            spec.loader = _Loader(name, spec.origin)
        return spec


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
    _keep_code()


def _keep_code() -> None:
    """Of every module of CODE that is not imported."""
    here = Path(__file__).parents[1]
    for path in sorted(p for package in CODE for p in (here / package).rglob("*.py")):
        imported = any(module.__file__ == str(path) for module in map(sys.modules.__getitem__, _ours()))
        if not imported and not path.relative_to(here).as_posix().startswith(LEFT_OUT):
            source = path.read_bytes()
            _codes[str(path)] = (zlib.crc32(source), compile(source, str(path), "exec", dont_inherit=True))
    sys.meta_path.insert(0, _Finder)


def check() -> bool:
    """True when what the snapshot brought is what the files say, or nothing was brought; else it is forgotten."""
    sums: dict[str, int] = getattr(sys, KEPT, {})
    here = {file for file in sums if Path(file).exists()}
    same = all(zlib.crc32(Path(file).read_bytes()) == sums[file] for file in here)
    for name in _ours():
        file = sys.modules[name].__file__
        if not same or (file in sums and file not in here):
            del sys.modules[name]
    if not same:
        delattr(sys, KEPT)
    return same
