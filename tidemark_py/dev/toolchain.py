"""Where the pinned tools are and how they are called. Owns the directory names of the checkout; made by tools_setup.py.

Everything lies inside the checkout and is git-ignored: .venv (Python tools, zig), .cache (npm tools, caches), build.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
NPM = CACHE / "npm"
WHEELS = CACHE / "wheels"
BUILD = ROOT / "build"
KERNEL = ROOT / "tidemark_py" / "kernel"
ASSETS = ROOT / "tidemark_py" / "_assets"


class BuildError(RuntimeError):
    """A build step failed; the text is what a person needs to see."""


def say(text: str) -> None:
    """One line of progress on stderr, so that stdout stays the program's own."""
    print(f"[build] {text}", file=sys.stderr, flush=True)


class step:
    """`with step("linking"):` prints what runs and how long it took."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.started = 0.0

    def __enter__(self) -> None:
        self.started = time.monotonic()
        say(f"{self.what} ...")

    def __exit__(self, kind: object, *_: object) -> None:
        say(f"{self.what}: {'failed' if kind else 'done'} in {time.monotonic() - self.started:.1f} s")


def run(command: Sequence[str | Path], what: str, *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run quietly; returns stdout, raises BuildError with the output when it fails."""
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(str(c) for c in command)
        output = done.stdout[-6000:] + done.stderr[-12000:]
        raise BuildError(f"{what} failed ({done.returncode}): {shown[:400]}\n{output}")
    if done.stderr.strip() and "warning" in done.stderr:
        sys.stderr.write(done.stderr)
    return done.stdout


def call(command: Sequence[str | Path], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> int:
    """Run with our own stdin, stdout and stderr; returns the exit code."""
    return subprocess.run([str(c) for c in command], cwd=cwd, env=env, check=False).returncode


@contextlib.contextmanager
def exclusive(name: str, place: Path = BUILD) -> Iterator[None]:
    """One process at a time makes this thing in `place`; another waits and then finds it made."""
    folder = place / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def jobs() -> int:
    """Parallel compilers: the processors, at least one."""
    return max(1, len(os.sched_getaffinity(0)))


def python() -> Path:
    """The environment's Python."""
    return VENV / "bin" / "python"


def venv_tool(name: str) -> Path:
    """A console script of the environment: mypy, ruff, pytest."""
    return VENV / "bin" / name


def zig() -> Path:
    """The zig binary of the ziglang wheel."""
    found = sorted(VENV.glob("lib/python3*/site-packages/ziglang/zig"))
    if not found:
        raise BuildError("zig is not here: run `python3 build.py setup`")
    return found[0]


def zig_env() -> dict[str, str]:
    """Zig's caches inside the checkout."""
    return {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(CACHE / "zig"), "ZIG_LOCAL_CACHE_DIR": str(CACHE / "zig")}


def npm_modules() -> Path:
    """The pinned npm packages."""
    return NPM / "node_modules"


def binaryen(tool: str) -> list[str]:
    """Command of a binaryen tool: they are WebAssembly programs for Node, so the pinned Node runs them."""
    return [str(node()), str(npm_modules() / "binaryen" / "bin" / tool)]


def node_package() -> str:
    """The npm package that carries Node's binary for this machine."""
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if arch is None or sys.platform != "linux":
        raise BuildError(f"no pinned Node for {sys.platform} {platform.machine()}")
    return f"node-linux-{arch}"


def node() -> Path:
    """Node >= 22 (multi-memory), pinned; the machine's own may be older."""
    path = npm_modules() / node_package() / "bin" / "node"
    if not path.exists():
        raise BuildError("Node is not here: run `python3 build.py setup`")
    return path


def first_tool(*names: str) -> str | None:
    """The first of these programs on PATH."""
    return next((found for n in names if (found := shutil.which(n))), None)


def newest(paths: Iterable[Path]) -> float:
    """Latest modification time, 0 for none."""
    return max((p.stat().st_mtime for p in paths), default=0.0)


def native_kernel(sanitize: str = "none") -> Path:
    """The kernel as a Linux program, built when needed; sanitize: none, address or thread."""
    from .kernel_build import build_native

    return build_native(sanitize)
