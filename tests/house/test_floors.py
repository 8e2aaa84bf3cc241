"""One direction: an include or import points to a lower floor or its own (HOUSE.md, "Tree and floors")."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import KERNEL_FLOORS, PACKAGE, is_generated, kernel_floor, project_files
from tidemark_py.dev.toolchain import KERNEL, ROOT

TOP_LEVEL = {".ci", ".gitignore", "README.md", "build.py", "js_shim", "pyproject.toml", "site", "tests", "tidemark_py"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)
FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h"}
# The native build takes its pages from mmap, under the address sanitizer its blocks from malloc.
LIBRARY_FOR_SANITIZERS = {"core/heap.c": {"malloc.h", "stdlib.h", "sys/mman.h"}}
PYTHON_FLOOR = {
    "abi": 0,
    "errors": 1,
    "host": 1,
    "channel": 2,
    "state": 3,
    "layers": 3,
    "net": 3,
    "frames": 3,
    "process": 4,
    "roles": 5,
    "runtime_fs": 5,
    "tracing": 5,
    "app": 6,
    "runtime": 6,
    "sdk": 7,
    "shims": 7,
    "pytest_server": 0,
    "pytest_plugin": 8,
    "__init__": 9,
}
BROWSER_MODULES = {"js", "pyodide", "pyodide_js", "micropip"}
KERNEL_FILES = sorted([*KERNEL.rglob("*.c"), *KERNEL.rglob("*.h")])
# Development tools run on the developer's machine and are not in the wheel.
PYTHON_FILES = sorted(p for p in PACKAGE.rglob("*.py") if "dev" not in p.relative_to(PACKAGE).parts)


@pytest.mark.parametrize("path", KERNEL_FILES, ids=lambda p: str(p.relative_to(KERNEL)))
def test_kernel_includes_point_down(path: Path) -> None:
    own = KERNEL_FLOORS.index(kernel_floor(path))
    for kind, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if kind == "<":
            allowed = FREESTANDING | LIBRARY_FOR_SANITIZERS.get(str(path.relative_to(KERNEL)), set())
            assert name in allowed, f"includes <{name}>: the kernel is freestanding"
            continue
        target = (path.parent / name).resolve()
        assert target.is_relative_to(KERNEL), f"includes {name}, which is not the kernel's"
        floor = kernel_floor(target)
        assert KERNEL_FLOORS.index(floor) <= own, f"{kernel_floor(path)} includes {name} of {floor}"


def python_room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of what a module imports at run time, with the line; `if TYPE_CHECKING:` blocks are left out."""
    package = ("tidemark_py", *path.relative_to(PACKAGE).parts[:-1])
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            if base in (["tidemark_py"], []):
                for alias in node.names:
                    yield ".".join([*base, alias.name]), node.lineno
            else:
                yield ".".join(base), node.lineno


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_python_imports_point_down(path: Path) -> None:
    own = python_room(path)
    assert own in PYTHON_FLOOR, f"{own} has no floor: give it one here and in HOUSE.md"
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] != "tidemark_py" or len(parts) < 2 or parts[1] not in PYTHON_FLOOR:
            assert parts[:2] != ["tidemark_py", "dev"], f"line {line}: the wheel has no development tools"
            continue
        assert PYTHON_FLOOR[parts[1]] <= PYTHON_FLOOR[own], f"line {line}: {own} imports {name}"


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_host_knows_the_browser(path: Path) -> None:
    if python_room(path) != "host":
        for name, line in imports(path):
            assert name.split(".")[0] not in BROWSER_MODULES, f"line {line}: imports {name}; only tidemark_py/host may"


def test_shim_imports_only_itself() -> None:
    for path in sorted((ROOT / "js_shim").rglob("*.js")):
        for name in re.findall(
            r"^\s*(?:import|export)\b[^'\"\n]*from\s*['\"]([^'\"]+)['\"]", path.read_text("utf-8"), re.M
        ):
            target = (path.parent / name).resolve()
            inside = name.startswith(".") and target.is_relative_to(ROOT / "js_shim")
            assert inside or name.startswith("node:"), f"{path.name} imports {name}"


def test_the_top_level_is_what_it_should_be() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in project_files()}
    assert TOP_LEVEL <= found <= TOP_LEVEL | {"LICENSE"}, found ^ TOP_LEVEL


def test_files_stop_at_800_lines() -> None:
    long = []
    for path in project_files():
        if path.suffix in {".py", ".c", ".h", ".js", ".mjs", ".wat", ".css", ".html"} and not is_generated(path):
            lines = path.read_bytes().count(b"\n")
            if lines > 800:
                long.append(f"{path.relative_to(ROOT)}: {lines}")
    assert not long, "\n".join(long)
