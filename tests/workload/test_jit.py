"""Translated code on Node: what a guest prints does not depend on whether it was interpreted, and it is translated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidemark_py.dev import guests, toolchain
from tidemark_py.dev.qemu import qemu_riscv64

PROGRAMS = ("nested", "signal", "thread", "fork")
FUZZ = ["/work/fuzz", "1", "300", "25"]  # seed, random programs, a line after so many
FUZZ_FOLDER = Path(__file__).parent / "jit"


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("jit")
    binaries = {name: guests.riscv_binary(name) for name in PROGRAMS}
    binaries |= guests.build(("riscv64",), FUZZ_FOLDER)["riscv64"]
    for name, binary in binaries.items():
        target = root / "work" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(binary.read_bytes())
        target.chmod(0o755)
    return root


def run(layer: Path, mode: str, work: Path) -> dict[str, dict[str, Any]]:
    """All programs in one session: results by name."""
    lines, out = work / f"{mode}.in", work / f"{mode}.out"
    rows = [{"id": n, "argv": [f"/work/{n}"], "cwd": "/work", "timeout_s": 100} for n in PROGRAMS]
    rows.append({"id": "fuzz", "argv": FUZZ, "cwd": "/work", "timeout_s": 100})
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
    assert len(expected["fuzz"]["stdout"].splitlines()) == 12


@pytest.mark.slow
def test_random_code_runs_as_on_qemu_until_every_number_was_given_out(tmp_path: Path) -> None:
    """9,000 programs: the store of translations is emptied on the way (jit/store.h: 8,192 regions)."""
    binary = guests.build(("riscv64",), FUZZ_FOLDER)["riscv64"]["fuzz"]
    folder = tmp_path / "layer"
    folder.mkdir()
    (folder / "fuzz").write_bytes(binary.read_bytes())
    (folder / "fuzz").chmod(0o755)
    arguments = ["3", "9000", "1000"]
    emulator, _ = qemu_riscv64()
    expected = subprocess.run([emulator, binary, *arguments], capture_output=True, text=True, timeout=600, check=True)
    command = [sys.executable, "build.py", "run", "--host", "node", "--jit", "forced", "--layer", f"dir:{folder}", "--"]
    got = subprocess.run(
        [*command, "/fuzz", *arguments], cwd=toolchain.ROOT, capture_output=True, text=True, timeout=900, check=True
    )
    assert got.stdout == expected.stdout
