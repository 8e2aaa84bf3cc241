"""The translator's WebAssembly, construct by construct, against the text in translated/*.wat.

Each file begins with the guest's assembly (lines ";; "), assembled here; what follows is the region's function. After a
change that is meant: TIDEMARK_UPDATE=1 rewrites the files, and the difference is reviewed. No engine runs the modules
here (tests/workload/test_jit.py does), but node checks that they are valid.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.expect import wasm_text
from tidemark_py.dev import toolchain

HERE = Path(__file__).parent / "translated"
KERNEL = toolchain.KERNEL
FILES = {p.stem: p for p in sorted(HERE.glob("*.wat"))}
#: They are control flow, not one instruction's code: leaving them out is no translation.
NOT_DROPPED = {"jal", "jalr"}


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/kernel/jit_text.c with the translator."""
    program = tmp_path_factory.mktemp("translator") / "jit_text"
    sources = [KERNEL / "cpu/code.c", KERNEL / "cpu/decode.c", KERNEL / "core/string.c"]
    sources += [KERNEL / f"jit/{name}.c" for name in ("region", "flow", "emit", "build")]
    flags = ["-std=gnu17", "-O0", "-Wall", "-Wextra", "-Werror", "-DJIT_TEXT", "-DJIT_DROPPED=jit_dropped()"]
    sources.append(toolchain.ROOT / "tests/kernel/jit_text.c")
    subprocess.run([os.environ.get("CC", "cc"), *flags, *map(str, sources), "-o", str(program)], check=True)
    return program


def source(path: Path) -> str:
    """The assembly in a file's head."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "".join(line[3:] + "\n" for line in lines if line.startswith(";; "))


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Machine code by construct, from one run of the assembler."""
    work = tmp_path_factory.mktemp("assembled")
    size = 2048  # jit_text.c: MAX_CODE
    text = ".option norelax\n"
    for number, path in enumerate(FILES.values()):
        text += f".org {number * size}\n.equ callee, {(number + 1) * size}\n.set base{number}, .\n"
        text += source(path).replace("callee", f"base{number} + {size}") + "\n"
    (work / "all.s").write_text(text + f".org {len(FILES) * size}\n.zero 16\n", encoding="utf-8")
    zig, cpu = str(toolchain.zig()), ("-target", "riscv64-linux-musl", "-mcpu=generic_rv64+m+a+f+d")
    subprocess.run([zig, "cc", *cpu, "-c", "all.s", "-o", "all.o"], cwd=work, check=True, env=toolchain.zig_env())
    subprocess.run([zig, "objcopy", "-O", "binary", "-j", ".text", "all.o", "all.bin"], cwd=work, check=True)
    whole = (work / "all.bin").read_bytes()
    return {name: whole[i * size : (i + 1) * size].rstrip(b"\0") for i, name in enumerate(FILES)}


def translated(translator: Path, code: dict[str, bytes], *arguments: str) -> dict[str, str]:
    """Modules in hex by construct."""
    lines = "".join(f"{c.hex()}\n" for c in code.values())
    done = subprocess.run([str(translator), *arguments], input=lines, capture_output=True, text=True, check=True)
    return dict(zip(code, done.stdout.split(), strict=True))


def golden(path: Path) -> str:
    """What the file says the function is."""
    return "".join(
        line + "\n" for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith(";")
    )


@pytest.fixture(scope="module")
def modules(translator: Path, code: dict[str, bytes]) -> dict[str, str]:
    made = translated(translator, code)
    if os.environ.get("TIDEMARK_UPDATE"):
        for name, path in FILES.items():
            head = "".join(f";; {line}\n" for line in source(path).splitlines())
            path.write_text(head + "\n" + wasm_text.text(bytes.fromhex(made[name])), encoding="utf-8")
    return made


@pytest.mark.parametrize("name", FILES)
def test_a_construct_is_translated_as_written(name: str, modules: dict[str, str]) -> None:
    assert modules[name] != "refused"
    assert wasm_text.text(bytes.fromhex(modules[name])) == golden(FILES[name])


def test_every_module_is_valid(modules: dict[str, str]) -> None:
    script = "process.stdin.toArray().then((c) => Buffer.concat(c).toString().trim().split('\\n').forEach((line) => {"
    script += " new WebAssembly.Module(Buffer.from(line, 'hex')) }))"
    lines = "\n".join(modules.values())
    done = subprocess.run([toolchain.node(), "-e", script], input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_leaving_out_any_instruction_that_is_translated_is_noticed(
    translator: Path, code: dict[str, bytes], modules: dict[str, str]
) -> None:
    """Each of them is in some construct, and its text is another one without it."""
    listing = subprocess.run([str(translator), "--ops"], capture_output=True, text=True, check=True).stdout
    ops = dict(line.split() for line in listing.splitlines())
    assert len(ops) > 100
    unnoticed = [
        name
        for number, name in ops.items()
        if name not in NOT_DROPPED and translated(translator, code, "--drop", number) == modules
    ]
    assert not unnoticed
