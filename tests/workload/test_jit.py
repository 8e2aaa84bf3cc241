"""Translated code on Node: what a guest prints does not depend on whether it was interpreted, and it is translated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidemark_py.dev import guests, toolchain

PROGRAMS = ("nested", "signal", "thread", "fork")


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("jit")
    for name in PROGRAMS:
        target = root / "work" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(guests.riscv_binary(name).read_bytes())
        target.chmod(0o755)
    return root


def run(layer: Path, mode: str, work: Path) -> dict[str, dict[str, Any]]:
    """All programs in one session: results by name."""
    lines, out = work / f"{mode}.in", work / f"{mode}.out"
    rows = [{"id": n, "argv": [f"/work/{n}"], "cwd": "/work", "timeout_s": 100} for n in PROGRAMS]
    lines.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = [sys.executable, "build.py", "run", "--host", "node", "--jit", mode, "--layer", f"dir:{layer}"]
    subprocess.run(
        [*command, "--stats", "--batch", str(lines), "--output", str(out)],
        cwd=toolchain.ROOT,
        timeout=300,
        check=True,
    )
    results = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    return {r["id"]: r for r in results}


def printed(results: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """What must not depend on the mode."""
    return {name: (r.get("stdout"), r["exit_code"]) for name, r in results.items()}


def share(result: dict[str, Any]) -> float:
    """Of its instructions, those that ran as compiled code."""
    return float(result["jit"]["translated"] / max(result["jit"]["instructions"], 1))


def test_translated_prints_the_same(layer: Path, tmp_path: Path) -> None:
    expected = run(layer, "off", tmp_path)
    assert all(r["exit_code"] == 0 and r["jit"]["instructions"] == 0 for r in expected.values())
    for mode, least in (("on", 0.8), ("forced", 0.95)):
        results = run(layer, mode, tmp_path)
        assert printed(results) == printed(expected), mode
        assert share(results["nested"]) >= least, results["nested"]["jit"]
