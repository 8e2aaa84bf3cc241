"""`build.py wasi DIR`: runs a directory of WASI preview 1 test modules as processes here and prints a table.

DIR is the folder `tests` of the official suite (SOURCE), or laid out like it: NAME.wasm with an optional NAME.json
beside it: args, env, dirs (directories beside it that the module gets under their name, else none), exit_code, stdout,
stderr. What is a component by its head (the suite's preview 3 tests) has to be refused.
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
COMPONENT = b"\0asm\x0d\0\1\0"  # the component model's binary format, "Preamble"
REFUSED = 126
SOURCE = "the branch prod/testsuite-all of the git repository WebAssembly/wasi-testsuite, which holds them built"


@dataclass(frozen=True)
class Result:
    """One module."""

    name: str
    passed: bool
    why: str
    component: bool


def _run(session: Session, module: Path, guest: str) -> Result:
    spec: dict[str, Any] = {}
    beside = module.with_suffix(".json")
    with module.open("rb") as f:
        component = f.read(len(COMPONENT)) == COMPONENT
    if component:
        spec = {"exit_code": REFUSED}
    elif beside.exists():
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
    why = "; ".join([*wrong, *text[:2]]) if wrong or component else ""
    return Result(module.stem, not wrong, why, component)


def run(directory: Path | None, host: str) -> int:
    """Exit code: 0 when all pass. Raises BuildError when there is nothing to run."""
    if directory is None:
        raise BuildError(f"no directory of test modules was given; the official ones: {SOURCE}")
    modules = sorted(directory.rglob("*.wasm"))
    if not modules:
        problem = "has no *.wasm below it" if directory.is_dir() else "is no directory"
        raise BuildError(f"{directory} {problem}. Give a directory of test modules; the official ones: {SOURCE}")
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
        kind = "FAIL" if not r.passed else "none" if r.component else "ok"
        print(f"{kind:4} {r.name}{': ' + shlex.quote(r.why) if r.why else ''}")
    modules_of = [r for r in results if not r.component]
    components = len(results) - len(modules_of)
    passed = sum(r.passed for r in modules_of)
    refused = f", {sum(r.passed for r in results) - passed} of {components} components refused" if components else ""
    print(f"{passed} of {len(modules_of)} pass{refused} on {host}")
    return 0 if all(r.passed for r in results) else 1
