"""Our own guest programs built static and cached by content: the tests (tests/guest/*.c, for riscv64 and for this host)
and the site's programs (site/programs/*.c, for riscv64 and WASI).

Owns build/guests/{riscv64,host,wasi}. A test program runs in both places and must print the same (tests/guest).
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .kernel_build import reach
from .toolchain import BUILD, ROOT, BuildError, exclusive, jobs, run, step, zig, zig_env

SOURCES = ROOT / "tests" / "guest"
PROGRAMS = ROOT / "site" / "programs"
TARGETS = {"riscv64": "riscv64-linux-musl", "host": f"{platform.machine()}-linux-musl", "wasi": "wasm32-wasi-musl"}
FLAGS = ("-O2", "-g", "-static", "-std=gnu17", "-Wall", "-Wextra", "-fno-sanitize=all")
THREADS = {"riscv64": ("-pthread",), "host": ("-pthread",), "wasi": ()}


def _build(source: Path, kind: str, out: Path) -> str | None:
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_suffix(".tmp")
    command: list[str | Path] = [
        zig(),
        "cc",
        "-target",
        TARGETS[kind],
        *FLAGS,
        *THREADS[kind],
        source,
        "-lm",
        "-o",
        temporary,
    ]
    try:
        run(command, f"{source.relative_to(ROOT)} for {kind}", env=zig_env())
    except BuildError as error:
        return str(error)
    temporary.replace(out)
    return None


def _build_all(kinds: tuple[str, ...], sources: Path, names: str) -> dict[str, dict[str, Path]]:
    result: dict[str, dict[str, Path]] = {kind: {} for kind in kinds}
    todo: list[tuple[Path, str, Path, Path, str]] = []
    for source in sorted(sources.glob(f"{names}.c")):
        digest = hashlib.sha256(repr(FLAGS).encode())
        for path, body in sorted(reach(source.resolve()).items()):
            digest.update(path.name.encode() + b"\0" + body)
        for kind in kinds:
            out = BUILD / "guests" / kind / source.stem
            stamp = out.with_name(f".{source.stem}.stamp")
            result[kind][source.stem] = out
            if not (out.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == digest.hexdigest()):
                todo.append((source, kind, out, stamp, digest.hexdigest()))
    if todo:
        with step(f"building {len(todo)} guest programs"), ThreadPoolExecutor(jobs()) as pool:
            errors = list(pool.map(lambda t: _build(t[0], t[1], t[2]), todo))
        for (_, _, _, stamp, text), error in zip(todo, errors, strict=True):
            if error is None:
                stamp.write_text(text, encoding="utf-8")
        if any(errors):
            raise BuildError("\n".join(e for e in errors if e))
    return result


def build(
    kinds: tuple[str, ...] = ("riscv64", "host"), sources: Path = SOURCES, names: str = "*"
) -> dict[str, dict[str, Path]]:
    """Program paths by kind and name, built where needed. Raises BuildError with each one that does not compile."""
    with exclusive("guests"):
        return _build_all(kinds, sources, names)


MODULES = ROOT / "tests" / "workload" / "modules"
# Names are kept (no -s): a trap is told with the function it was in.
MODULE_FLAGS = ("-target", "wasm32-wasi", "-O1", "-g0", "-std=gnu17", "-Wall", "-Wextra", "-fno-sanitize=all")
# By name: a module without _start; one with shared memory and no C library.
MODULE_EXTRA = {
    "library": ("-mexec-model=reactor",),
    "threadless": ("-nostdlib", "-Wl,--no-entry"),
    "threads": (
        "-mcpu=generic+atomics+bulk_memory",
        "-nostdlib",
        "-fno-builtin",
        "-Wl,--no-entry",
        "-Wl,--import-memory,--export-memory,--shared-memory,--max-memory=67108864",
    ),
}


def modules() -> Path:
    """Directory of tests/workload/modules/*.c as NAME.wasm, built where needed. Raises BuildError."""
    for source in sorted(MODULES.glob("*.c")):
        module(source)
    return BUILD / "modules"


def module(source: Path) -> Path:
    """A C file as a module, built where needed. Raises BuildError."""
    folder = BUILD / "modules"
    with exclusive("modules"):
        folder.mkdir(parents=True, exist_ok=True)
        extra = MODULE_EXTRA.get(source.stem, ())
        digest = hashlib.sha256(repr((MODULE_FLAGS, extra)).encode() + source.read_bytes()).hexdigest()
        out, stamp = folder / f"{source.stem}.wasm", BUILD / f"modules.{source.stem}.stamp"
        if not (out.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == digest):
            command: list[str | Path] = [zig(), "cc", *MODULE_FLAGS, *extra, source]
            run([*command, "-o", out], f"{source.name} for wasm32-wasi", env=zig_env())
            out.chmod(0o755)
            stamp.write_text(digest, encoding="utf-8")
    return out


def families() -> list[str]:
    """Names of the guest programs that are whole tests: one per tests/guest/*.c."""
    return sorted(p.stem for p in SOURCES.glob("*.c"))


def riscv_binary(name: str) -> Path:
    """The riscv64 program, built when needed."""
    return build(("riscv64",))["riscv64"][name]


def host_binary(name: str) -> Path:
    """The same program for this host."""
    return build(("host",))["host"][name]


def program(name: str, kind: str = "riscv64") -> Path:
    """One of the site's programs, for "riscv64" or "wasi"."""
    return build((kind,), PROGRAMS, name)[kind][name]


def native_root(root: Path, *names: str) -> Path:
    """`root` as a directory tree for the native kernel, with these programs in /work."""
    work = root / "work"
    work.mkdir(parents=True)
    for name in names:
        shutil.copyfile(riscv_binary(name), work / name)
        (work / name).chmod(0o755)
    return root


def run_native(
    kernel: Path, root: Path, argv: Sequence[str], options: Sequence[str] = (), seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """argv under a native kernel (toolchain.native_kernel), in /work of `root`. Raises subprocess.TimeoutExpired."""
    return subprocess.run(
        [str(kernel), "--root", str(root), "--cwd", "/work", *options, "--", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=seconds,
        check=False,
    )
