"""`build.py wasi DIR`: runs a directory of WASI preview 1 test modules as processes here and prints a table.

DIR is laid out as the official test suite's: NAME.wasm with an optional NAME.json beside it: args, env, dirs
(directories beside it that the module gets under their name, else none), exit_code, stdout, stderr.
Nothing of it is part of this project.
"""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import layer_build, pyodide_files, wheel_build
from .session import Command, Session
from .toolchain import BuildError

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Result:
    """One module."""

    name: str
    passed: bool
    why: str


def _run(session: Session, module: Path, guest: str) -> Result:
    spec: dict[str, Any] = {}
    beside = module.with_suffix(".json")
    if beside.exists():
        spec = json.loads(beside.read_text(encoding="utf-8"))
    got = {1: b"", 2: b""}

    def output(stream: int, data: bytes) -> None:
        got[stream] += data

    preopens = {name: f"{guest}/{name}" for name in spec.get("dirs", [])}
    argv = [f"{guest}/{module.name}", *map(str, spec.get("args", []))]
    env = {str(k): str(v) for k, v in spec.get("env", {}).items()}
    stdin = None  # a pipe that stays open and empty
    ended = session.run(Command(argv, env, guest, stdin, TIMEOUT_S, False, preopens), output)
    wrong = []
    if ended.exit_code != spec.get("exit_code", 0):
        wrong.append(f"exit code {ended.exit_code}")
    for stream, key in ((1, "stdout"), (2, "stderr")):
        if key in spec and got[stream].decode("utf-8", "replace") != spec[key]:
            wrong.append(f"{key} {got[stream][:60]!r}")
    text = got[2].decode("utf-8", "replace").strip().splitlines()
    return Result(module.stem, not wrong, "; ".join([*wrong, *text[:2]]) if wrong else "")


def run(directory: Path, host: str) -> int:
    """Exit code: 0 when all pass. Raises BuildError when there is nothing to run."""
    modules = sorted(directory.rglob("*.wasm"))
    if not modules:
        raise BuildError(f"{directory}: no *.wasm below it")
    wheel_build.build()
    pyodide_files.snapshot()
    with tempfile.TemporaryDirectory(prefix="tidemark-suite-") as work:
        copy = Path(work) / "suite"
        shutil.copytree(directory, copy, symlinks=True)
        for module in copy.rglob("*.wasm"):
            module.chmod(0o755)
        layer = layer_build.directory_layer(copy, "/suite", "suite")
        path = Path(work) / "suite.tdl"
        path.write_bytes(b"".join(layer.dump()))
        with Session([path], host) as session:
            results = [_run(session, m, str(Path("/suite") / m.parent.relative_to(directory))) for m in modules]
    for r in results:
        print(f"{'ok  ' if r.passed else 'FAIL'} {r.name}{': ' + shlex.quote(r.why) if r.why else ''}")
    passed = sum(r.passed for r in results)
    print(f"{passed} of {len(results)} pass on {host}")
    return 0 if passed == len(results) else 1
