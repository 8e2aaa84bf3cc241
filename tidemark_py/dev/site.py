"""`build.py site`: the static site. Any web server can serve it; nothing in it comes from elsewhere.

Owns build/site. In it: the pages (site_pages.py), the other files of site/, tidemark/ (elements, Pyodide, wheel,
Pyodide's memory snapshot, xterm.js), layers/ with their package lists and index.json, and _headers for hosts that read
such a file. The gallery's layers are made only when asked for (`--gallery`): they take minutes and 150 MB; those that
are there stay.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

from . import guests, layer_build, pyodide_files, site_pages
from .server import HEADERS
from .toolchain import BUILD, ROOT, npm_modules, step

SITE = ROOT / "site"
LAYERS = {"busybox": "deb:busybox-static"}
GALLERY = {"sqlite": "deb:sqlite3", "git": "deb:git", "gcc": "deb:gcc,libc6-dev"}
SOURCES = {"layout.html"}  # of pages: not served as they are
XTERM = {
    "xterm.mjs": "@xterm/xterm/lib/xterm.mjs",
    "xterm.css": "@xterm/xterm/css/xterm.css",
    "addon-fit.mjs": "@xterm/addon-fit/lib/addon-fit.mjs",
    "LICENSE": "@xterm/xterm/LICENSE",
}
PROGRAMS = ("triangle", "particles")  # of site/programs: the layer "frames"
ELEMENT = (
    "element.js",
    "element/*.js",
    "workers.js",
    "platform.js",
    "gen/messages.js",
    "gen/input.js",
)


def build(out: Path = BUILD / "site", gallery: bool = False) -> Path:
    """Write the site; unchanged big files are left as they are. Raises BuildError, LayerError."""
    out.mkdir(parents=True, exist_ok=True)
    runtime = out / "tidemark"
    for path in sorted(SITE.iterdir()):
        if path.is_file() and path.name not in SOURCES and path.suffix != ".toml":
            _copy(path, out / path.name)
    site_pages.write(out)
    for pattern in ELEMENT:
        for path in sorted((ROOT / "js_shim").glob(pattern)):
            _copy(path, runtime / path.relative_to(ROOT / "js_shim"))
    for name, source in XTERM.items():
        _copy(npm_modules() / source, runtime / "xterm" / name)
    for name in pyodide_files.CORE:
        _copy(pyodide_files.pyodide_dir() / name, runtime / "pyodide" / name)
    wheel = pyodide_files.wheel()
    for old in runtime.glob("*.whl"):
        if old.name != wheel.name:
            old.unlink()
    _copy(wheel, runtime / wheel.name)
    _compress(pyodide_files.snapshot(), runtime / "pyodide-snapshot.bin.gz")
    files = {"wheel": wheel.name, "snapshot": "pyodide-snapshot.bin.gz"}
    (runtime / "files.json").write_text(json.dumps(files) + "\n")
    index = {}
    always = {**LAYERS, "frames": f"dir:{_programs()}"}
    for name, spec in {**always, **GALLERY}.items():
        target = out / "layers" / name
        if name in always or gallery:
            _layer(spec, target)
        if (packed := target.with_suffix(".tdl.gz")).exists():
            index[name] = {"bytes": packed.stat().st_size, "unpacked": _unpacked_bytes(packed)}
    (out / "layers" / "index.json").write_text(json.dumps(index) + "\n")
    lines = "".join(f"  {k}: {v}\n" for k, v in HEADERS.items() if k.startswith("Cross-Origin"))
    (out / "_headers").write_text(f"/*\n{lines}")
    (out / ".nojekyll").touch()
    return out


def _programs() -> Path:
    """Our own programs as a tree to make a layer of."""
    root = BUILD / "guests" / "frames"
    for name in PROGRAMS:
        _copy(guests.program(name), root / "usr" / "bin" / name)
        (root / "usr" / "bin" / name).chmod(0o755)
    return root


def _layer(spec: str, target: Path) -> None:
    """The compressed layer and a text of what is in it, made again only when the layer changed."""
    source = layer_build.layer_file(spec, layer_build.Options(slim=True))
    packed = target.with_suffix(".tdl.gz")
    stamp = target.with_suffix(".stamp")
    if packed.exists() and stamp.exists() and stamp.read_text() == source.name:
        return
    with step(f"layer {target.name}"):
        layer = layer_build.build_layer(str(source), packed)
    rows = [f"{p['name']} {p['version']} ({p['architecture']}): {', '.join(p['licences'])}\n" for p in layer.packages()]
    target.with_suffix(".packages.txt").write_text("".join(rows))
    stamp.write_text(source.name)


def _unpacked_bytes(packed: Path) -> int:
    """gzip keeps it in its last four bytes (RFC 1952); no layer here reaches 4 GiB."""
    with packed.open("rb") as f:
        f.seek(-4, 2)
        return int.from_bytes(f.read(4), "little")


def _copy(source: Path, target: Path) -> None:
    s = source.stat()
    if target.exists() and target.stat().st_size == s.st_size and target.stat().st_mtime_ns >= s.st_mtime_ns:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _compress(source: Path, target: Path) -> None:
    if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
        return
    with step(f"compressing {source.name}"), target.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as f:
        f.write(source.read_bytes())
