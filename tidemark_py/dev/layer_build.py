"""Layers from Debian packages, directories and tar files: `build.py layer SPEC -o OUT`, and `--layer SPEC` elsewhere.

Owns SPEC (`deb:pkg[,pkg...]`, `dir:PATH`, `tar:FILE`, `oci:DIR[#REF]`, or the path of a `.tdl`) and .cache/layers,
keyed by what goes in: package versions, or the files' sizes and times. Same input, same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import stat
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..abi.gen.abi import LayerFile
from ..errors import LayerError
from ..layers import archive, debian, lazy
from ..layers.format import Entry, Layer
from ..layers.writer import LayerWriter
from . import pycache
from .apt import Archive, Package, Progress
from .toolchain import CACHE as CACHE_ROOT
from .toolchain import BuildError, say

CACHE = CACHE_ROOT / "layers"
CACHE_BYTES = 12 << 30
UNUSED_SECONDS = 3600.0  # a layer used since may be in use now
BUILDER = 5  # raise when the same input gives another layer
ARCHITECTURE = "riscv64"
TRIXIE_RELEASED = 1754697600  # time of files no package brings
# no more than what nobody runs: manuals, translations; licences stay (and are in the manifest)
SLIM_OUT = ("usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/", "usr/share/doc-base/")
PYTHON = re.compile(r"python3\.\d+-minimal")
SLIM_DOC = "usr/share/doc/"


class SpecError(BuildError):
    """The SPEC cannot be built; the text says why."""


@dataclass(frozen=True)
class Options:
    """How to build."""

    mirror: str = ""
    slim: bool = False
    progress: Progress = say


def layer_file(spec: str, options: Options = Options()) -> Path:
    """Path of the `.tdl` for SPEC, built when it is not in the cache. Raises SpecError, AptError, LayerError."""
    kind, _, rest = spec.partition(":")
    if kind == "deb":
        return _deb(rest, options)
    if kind == "dir":
        return _dir(Path(rest).expanduser(), options)
    if kind == "tar":
        return _tar(Path(rest).expanduser(), options)
    if kind == "oci":
        return _oci(rest, options)
    path = Path(spec).expanduser()
    if path.is_file():
        return path.resolve()
    raise SpecError(
        f"not a layer: {spec!r}. Give deb:pkg[,pkg...], dir:PATH, tar:FILE, oci:DIR[#REF] or the path of a .tdl file"
    )


def build_layer(spec: str, out: Path, options: Options = Options()) -> Layer:
    """Build SPEC into the file `out` (gzipped when it ends in .gz); the verified layer.

    A `.tdx` (or `.tdx.gz`) is a lazy layer's index; the bodies go beside it, into blobs/ by the sha256 of their whole.
    """
    source = layer_file(spec, options)
    layer = Layer.load(source)
    layer.verify()
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.name.endswith((".tdx", ".tdx.gz")):
        blob = Path("blobs") / str(layer.manifest["blob_sha256"])
        (out.parent / blob.parent).mkdir(exist_ok=True)
        if not (out.parent / blob).exists():
            steps = range(0, layer.blob_bytes, 1 << 20)
            _write_file((layer._bytes(at, at + (1 << 20)) for at in steps), out.parent / blob)
        _write_file([lazy.index_file(layer, blob.as_posix())], out)
    else:
        _write(layer, out)
    return layer


def lazy_index(path: Path) -> Path:
    """The `.tdx` of a `.tdl` file, whose bodies are to be had from that file itself, beside it; from the cache."""
    s = path.stat()
    digest = hashlib.sha256(f"{lazy.CHUNK_SHIFT} {path.resolve()} {s.st_size} {s.st_mtime_ns}".encode()).hexdigest()
    out = CACHE / f"{digest[:32]}.tdx"
    if out.exists():
        os.utime(out)
    else:
        CACHE.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as f:
            offset = LayerFile.unpack(f.read(LayerFile.BYTES)).blob_offset
        _write_file([lazy.index_file(Layer.load(path), path.name, offset)], out)
    return out


def prune(limit_bytes: int = CACHE_BYTES) -> None:
    """Forget layers of .cache/layers that were not used for the longest time, until the rest is below the limit."""
    files = sorted(((s.st_mtime, s.st_size, p) for p in CACHE.glob("*.td[lx]") if (s := p.stat())), reverse=True)
    total = 0
    for mtime, size, path in files:
        total += size
        if total > limit_bytes and time.time() - mtime > UNUSED_SECONDS:
            path.unlink(missing_ok=True)


def _write(layer: Layer, out: Path) -> None:
    _write_file(layer.dump(), out)


def _write_file(pieces: Iterable[bytes], out: Path) -> None:
    """Atomically, so that a half-written layer is never found."""
    with tempfile.NamedTemporaryFile(dir=out.parent, prefix=out.name, delete=False) as raw:
        f: IO[bytes] = gzip.GzipFile("", "wb", 9, raw, mtime=0) if out.suffix == ".gz" else raw  # type: ignore[assignment]
        for piece in pieces:
            f.write(piece)
        if f is not raw:
            f.close()
    os.chmod(raw.name, 0o644)
    os.replace(raw.name, out)


def _cached(key: object) -> Path:
    digest = hashlib.sha256(json.dumps([BUILDER, key], sort_keys=True).encode()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{digest[:32]}.tdl"
    if path.exists():
        os.utime(path)  # what prune() goes by
    else:
        prune()
    return path


# ---- Debian packages ----


def _deb(names: str, options: Options) -> Path:
    wanted = [n for n in names.split(",") if n]
    if not wanted:
        raise SpecError("deb: names no package")
    archive = Archive(ARCHITECTURE, mirror=options.mirror, progress=options.progress)
    archive.ready()
    packages = _resolve(archive, wanted)
    key: list[object] = ["deb", sorted(wanted), [p.key for p in packages], options.slim]
    if any(PYTHON.fullmatch(p.name) for p in packages):
        key.append(f"pycache {pycache.VERSION}")
    out = _cached(key)
    if not out.exists():
        debs = archive.download(packages)
        options.progress(f"layer: {len(packages)} packages into {out.name}")
        _write(_deb_layer(wanted, packages, debs, archive, options), out)
    return out


def _resolve(archive: Archive, wanted: list[str]) -> list[Package]:
    """The closure, remembered as long as apt's lists stay the same (apt needs half a second for it)."""
    stamp = (archive.dir / "updated").stat().st_mtime_ns if (archive.dir / "updated").exists() else 0
    digest = hashlib.sha256(json.dumps([BUILDER, sorted(wanted), stamp, str(archive.dir)]).encode()).hexdigest()
    memo = archive.dir / "resolved" / f"{digest[:24]}.json"
    if memo.exists():
        return [Package(*row) for row in json.loads(memo.read_text())]
    packages = archive.resolve(wanted)
    names = {p.name for p in packages}
    if "libc6" in names and "libc-bin" not in names:
        # nothing depends on libc-bin (Essential), and it carries the only locale there is without a script: C.UTF-8
        packages = archive.resolve([*wanted, "libc-bin"])
    memo.parent.mkdir(exist_ok=True)
    memo.write_text(json.dumps([[p.name, p.version, p.architecture, p.origin] for p in packages]))
    return packages


def _deb_layer(
    wanted: list[str], packages: list[Package], debs: dict[Package, Path], archive: Archive, options: Options
) -> Layer:
    w = LayerWriter(TRIXIE_RELEASED * 1_000_000_000)
    debian.skeleton(w)
    unpacked: list[debian.Unpacked] = []
    for p in packages:
        _unpack(w, debs[p], options.slim)
        unpacked.append(_control(p, debs[p]))
    debian.finish(w, unpacked)
    pycache.add(w, options.progress)
    rows = []
    for u in unpacked:
        u.licences = debian.licences(w, u.name)
        rows.append({"name": u.name, "version": u.version, "architecture": u.architecture, "licences": u.licences})
    spec = "deb:" + ",".join(wanted)
    return w.build({"spec": spec, "suite": archive.suite, "builder": BUILDER, "slim": options.slim, "packages": rows})


def _unpack(w: LayerWriter, deb: Path, slim: bool) -> None:
    """The data part of a package, modes, owners and times kept."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as p:
        assert p.stdout
        try:
            archive.add_tar_stream(w, p.stdout, _slimmed if slim else lambda path: False)
        except LayerError as e:
            raise SpecError(f"{deb.name}: {e}") from None
    if p.returncode:
        raise SpecError(f"{deb.name}: dpkg-deb could not read it")


def _control(p: Package, deb: Path) -> debian.Unpacked:
    r = subprocess.run(["dpkg-deb", "--ctrl-tarfile", str(deb)], stdout=subprocess.PIPE, check=True)
    texts: dict[str, str] = {}
    with tempfile.TemporaryFile() as f:
        f.write(r.stdout)
        f.seek(0)
        with tarfile.open(fileobj=f) as tar:
            for m in tar:
                name = m.name.rpartition("/")[2]
                if m.isreg() and name in ("control", "postinst") and (body := tar.extractfile(m)):
                    texts[name] = body.read().decode("utf-8", "replace")
    return debian.Unpacked(p.name, p.version, p.architecture, texts.get("control", ""), texts.get("postinst", ""))


def _slimmed(path: str) -> bool:
    if path.startswith(SLIM_DOC):
        return path.count("/") > 3 or (path.count("/") == 3 and not path.endswith("/copyright"))
    return path.startswith(SLIM_OUT)


# ---- directories and tar files ----


def _dir(root: Path, options: Options) -> Path:
    if not root.is_dir():
        raise SpecError(f"dir: {root} is no directory")
    root = root.resolve()
    files = _walk(root)
    key = [(p, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ino) for p, s in files]
    out = _cached(["dir", str(root), key])
    if not out.exists():
        options.progress(f"layer: {root} into {out.name}")
        _write(directory_layer(root), out)
    return out


def _walk(root: Path) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    for directory, subdirectories, names in os.walk(root):
        for name in [*subdirectories, *names]:
            path = os.path.join(directory, name)
            found.append((os.path.relpath(path, root), os.lstat(path)))
    return sorted(found, key=lambda x: x[0])


def directory_layer(root: Path, prefix: str = "", spec: str = "") -> Layer:
    """A layer with what is in a directory of this machine, below `prefix`; the caller's own files become root's."""
    w = LayerWriter()
    if prefix:
        w.directory(prefix)
    seen: dict[tuple[int, int], str] = {}
    me, mine = os.getuid(), os.getgid()
    for name, s in _walk(root):
        path = f"{prefix.strip('/')}/{name}" if prefix.strip("/") else name
        uid, gid = (0 if s.st_uid == me else s.st_uid), (0 if s.st_gid == mine else s.st_gid)
        kind = stat.S_IFMT(s.st_mode)
        if kind in (stat.S_IFSOCK, 0):
            continue
        if kind == stat.S_IFREG and s.st_nlink > 1:
            first = seen.setdefault((s.st_dev, s.st_ino), path)
            if first != path:
                w.add(Entry(path, 0, link=first))
                continue
        full = root / name
        link = os.readlink(full) if kind == stat.S_IFLNK else ""
        try:
            body = full.read_bytes() if kind == stat.S_IFREG else b""
        except OSError as e:
            raise SpecError(f"dir: {full}: {e.strerror}") from None
        w.add(Entry(path, s.st_mode, uid, gid, s.st_mtime_ns, link, rdev=s.st_rdev), body)
    return w.build({"spec": spec or f"dir:{root}", "builder": BUILDER, "packages": []})


def _tar(path: Path, options: Options) -> Path:
    if not path.is_file():
        raise SpecError(f"tar: {path} is no file")
    s = path.stat()
    out = _cached(["tar", str(path.resolve()), s.st_size, s.st_mtime_ns])
    if not out.exists():
        options.progress(f"layer: {path} into {out.name}")
        w = LayerWriter()
        try:
            with path.open("rb") as f:
                archive.add_tar_stream(w, archive.stream(f))
        except LayerError as e:
            raise SpecError(f"tar: {path}: {e}") from None
        _write(w.build({"spec": f"tar:{path.name}", "builder": BUILDER, "packages": []}), out)
    return out


def _oci(rest: str, options: Options) -> Path:
    from .oci_build import flat

    directory, _, reference = rest.partition("#")
    root = Path(directory).expanduser()
    if not (root / "index.json").is_file():
        raise SpecError(f"oci: {root} is no OCI image layout: it has no index.json")
    out = _cached(["oci", (root / "index.json").read_text(encoding="utf-8"), reference])
    if not out.exists():
        options.progress(f"layer: {root} into {out.name}")
        _write(flat(str(root), reference), out)
    return out
