"""The package's files that JavaScript needs: kernel.wasm, the shim's modules, and our own sources for the workers.

In a wheel they are package data (tidemark_py/_assets); in a checkout the shim stands beside the package.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..errors import BootError

__all__ = ["kernel_bytes", "shim_urls", "sources_zip", "variant_bytes"]

PACKAGE = Path(__file__).resolve().parents[1]
# In the order of their imports.
SHIM_MODULES = (
    "gen/abi.js",
    "gen/messages.js",
    "platform.js",
    "queue.js",
    "workers.js",
    "frames.js",
    "frame_renderer.js",
    "jit_link.js",
    "instantiate.js",
    "attach.js",
    "kernel_fs.js",
    "wasm_bytes.js",
    "wasi.js",
    "boot_thread.js",
    "boot_role.js",
)
IMPORT = re.compile(r'(from\s+)"\./([\w/]+\.js)"')
# What a worker's roles import, and what a memory snapshot brings along (host/baked.py): without one file of that the
# snapshot's modules are not trusted. The rest of the package stays where it is.
ROLE_MODULES = ("__init__", "errors", "runtime", "runtime_fs", "tracing")
ROLE_PACKAGES = ("abi", "channel", "frames", "host", "layers", "net", "process", "roles", "state")


def kernel_bytes() -> bytes:
    """kernel.wasm. Raises BootError."""
    path = PACKAGE / "_assets" / "kernel.wasm"
    if not path.exists():
        raise BootError("kernel.wasm is not in the package: build it (`python3 build.py kernel`) or pass kernel=")
    return path.read_bytes()


def variant_bytes() -> bytes | None:
    """kernel-wasi.wasm, of the same build; None when it is not there."""
    path = PACKAGE / "_assets" / "kernel-wasi.wasm"
    return path.read_bytes() if path.exists() else None


def _shim_folder() -> Path:
    for folder in (PACKAGE / "_assets" / "js_shim", PACKAGE.parent / "js_shim"):
        if (folder / SHIM_MODULES[-1]).exists():
            return folder
    raise BootError("the JavaScript shim is not in the package: it was built wrongly")


def shim_urls(make_url: Callable[[str], str]) -> dict[str, str]:
    """A URL per module, made by `make_url(source)`; imports between them name those URLs."""
    folder = _shim_folder()
    urls: dict[str, str] = {}
    for name in SHIM_MODULES:
        text = (folder / name).read_text("utf-8")
        urls[name] = make_url(IMPORT.sub(lambda m: f'{m[1]}"{urls[m[2]]}"', text))
    return urls


def sources_zip() -> bytes:
    """Our Python sources as a zip to unpack in a worker's site-packages."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for name in ROLE_MODULES:
            z.write(PACKAGE / f"{name}.py", f"tidemark_py/{name}.py")
        for package in ROLE_PACKAGES:
            for path in sorted((PACKAGE / package).rglob("*.py")):
                z.write(path, f"tidemark_py/{path.relative_to(PACKAGE).as_posix()}")
    return out.getvalue()
