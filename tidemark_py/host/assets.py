"""The package's files that JavaScript needs: kernel.wasm, the shim's modules, and our own sources for the workers.

In a wheel they are package data (tidemark_py/_assets); in a checkout the shim stands beside the package.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors import BootError

__all__ = ["kernel_bytes", "one_script", "role_sources", "shim_urls", "variant_bytes"]

PACKAGE = Path(__file__).resolve().parents[1]
# In the order of their imports.
SHIM_MODULES = (
    "gen/abi.js",
    "gen/messages.js",
    "platform.js",
    "queue.js",
    "workers.js",
    "frames.js",
    "pixels.js",
    "gpu_painter.js",
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
# What workers begin with. Each is made one script of all it imports: a browser fetches and links modules one by one,
# which was a third of the time until a thread worker listened (16.8 ms instead of 24.7, Chromium on two busy cores).
SCRIPTS = ("boot_thread.js", "boot_role.js")
IMPORT = re.compile(r'(from\s+)"\./([\w/]+\.js)"')
IMPORT_STATEMENT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"\./([\w/]+\.js)";', re.M)
EXPORT_STATEMENT = re.compile(r"^export (?=(?:async )?(?:const|function|class) (\w+))", re.M)
# What a worker's roles import, with what that needs in a memory snapshot (host/baked.py); the rest stays where it is.
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
    """A URL per module, made by `make_url(source)`; imports between them name those URLs. Raises BootError."""
    folder = _shim_folder()
    texts = {name: (folder / name).read_text("utf-8") for name in SHIM_MODULES}
    urls: dict[str, str] = {}
    for name, text in texts.items():
        if name in SCRIPTS:
            urls[name] = make_url(one_script(texts, name))
        else:
            urls[name] = make_url(IMPORT.sub(lambda m: f'{m[1]}"{urls[m[2]]}"', text))
    return urls


def one_script(texts: dict[str, str], top: str) -> str:
    """Module `top` and what it imports as one: each in a function of its own, which returns what it exports.

    Understands what this shim's modules use: `import {...} from "./name.js";` and `export` before const, function or
    class at the start of a line. Raises BootError for anything else.
    """
    names: dict[str, str] = {}
    out: list[str] = []

    def imported(m: re.Match[str]) -> str:
        return f"const {{{m[1].replace(' as ', ': ')}}} = {take(m[2])};"

    def take(name: str) -> str:
        if name not in names:
            text = IMPORT_STATEMENT.sub(imported, texts[name])
            exports = EXPORT_STATEMENT.findall(text)
            text = EXPORT_STATEMENT.sub("", text)
            if left := re.search(r"^(?:import|export)\b.*", text, re.M):
                raise BootError(f"the shim was built wrongly: {name} says {left[0]!r}")
            names[name] = f"module{len(names)}"
            out.append(f"const {names[name]} = (() => {{\n{text}\nreturn {{ {', '.join(exports)} }};\n}})();\n")
        return names[name]

    take(top)
    return "".join(out)


def role_sources() -> tuple[list[str], list[int], bytes]:
    """Our Python sources for a worker's site-packages: names, sizes, and the bodies one after the other.

    No zip: packing and unpacking it in Python costs each start more than all its bytes are worth.
    """
    paths = [PACKAGE / f"{name}.py" for name in ROLE_MODULES]
    for package in ROLE_PACKAGES:
        paths += sorted((PACKAGE / package).rglob("*.py"))
    bodies = [path.read_bytes() for path in paths]
    names = [f"tidemark_py/{path.relative_to(PACKAGE).as_posix()}" for path in paths]
    return names, [len(body) for body in bodies], b"".join(bodies)
