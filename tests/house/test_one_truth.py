"""One truth: what is in a table is nowhere else by hand, and every row has what it promises (HOUSE.md, "One truth")."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.tree import PACKAGE, handlers, is_generated, project_files
from tidemark_py.dev import abigen, messagegen
from tidemark_py.dev.toolchain import ROOT

T = abigen.load(PACKAGE / "abi")
# Split so that this file does not name them itself.
REGISTRIES = tuple(
    "".join(parts)
    for parts in (
        ("registry.", "npmjs"),
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("deb.", "debian.org"),
        ("ftp.", "debian.org"),
        ("security.", "debian.org"),
        ("snapshot.", "debian.org"),
        ("ghcr", ".io"),
        ("docker", ".io"),
        ("crates", ".io"),
        ("jsdelivr", ".net"),
        ("unpkg", ".com"),
        ("proxy.", "golang.org"),
    )
)


def test_generated_files_are_fresh() -> None:
    stale = [str(p.relative_to(ROOT)) for p in abigen.stale(ROOT)]
    assert not stale, f"run `build.py abi`: {stale}"


def test_generated_files_are_marked() -> None:
    for path in abigen.outputs(ROOT):
        head = path.read_text(encoding="utf-8")[:400].lower()
        assert "generated" in head and "do not edit" in head, path


def test_every_system_call_row_has_a_handler() -> None:
    wanted = {s["name"] for s in T.syscalls if s["level"] != "none"}
    assert not wanted - set(handlers()), "rows full or partial without a handler"


def test_every_handler_has_a_row() -> None:
    known = {s["name"]: s["level"] for s in T.syscalls}
    for name, path in handlers().items():
        assert known.get(name, "none") != "none", f"{path.name}: sys_{name} has no full or partial row"


def test_partial_rows_say_why_and_full_rows_need_not() -> None:
    for s in T.syscalls:
        assert s["level"] != "partial" or s["note"], s["name"]


def test_every_message_has_a_handler() -> None:
    methods: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if not is_generated(path) and "dev" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    methods.add(node.name)
    shim = "".join(p.read_text("utf-8") for p in (ROOT / "js_shim").rglob("*.js") if not is_generated(p))
    missing = [
        row["name"]
        for row in messagegen.load_table()
        if row["name"].replace(".", "_") not in methods
        and f"MESSAGE.{row['name'].replace('.', '_').upper()}" not in shim
    ]
    assert not missing, missing


def javascript() -> list[Path]:
    return [p for p in project_files() if p.suffix in {".js", ".mjs"} and not is_generated(p)]


def test_javascript_names_status_words_and_offsets() -> None:
    """Spot check: numbers of the tables compared or indexed by hand."""
    by_hand = re.compile(
        r"\b(status|kind|role|word|start_kind|notify)\s*(===|!==|==|!=)\s*-?\d|\bcase\s+\d+\s*:|\.getU?int\d+\(\s*\d+"
    )
    found = []
    for path in (p for p in javascript() if p.is_relative_to(ROOT / "js_shim")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if by_hand.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_javascript_is_type_checked() -> None:
    for path in javascript():
        if path.is_relative_to(ROOT / "js_shim"):
            assert path.read_text(encoding="utf-8").startswith("// @ts-check"), path.name


def test_no_file_names_a_registry() -> None:
    found = []
    for path in project_files():
        text = path.read_bytes().decode("utf-8", "replace").lower()
        found += [f"{path.relative_to(ROOT)}: {name}" for name in REGISTRIES if name in text]
    assert not found, "\n".join(found)
