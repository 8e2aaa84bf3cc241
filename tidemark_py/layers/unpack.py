"""Unpack a layer into a directory of this machine: for qemu-user -L, chroot and looking at it.

Needs no root: owners and device nodes are kept only when running as root. CPython only.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .format import Entry, Layer

__all__ = ["unpack"]


def unpack(layer: Layer, target: str | Path) -> None:
    """Write all files of a verified layer below `target`, which is made. Raises OSError, LayerError."""
    layer.verify()
    root = Path(target)
    root.mkdir(parents=True, exist_ok=True)
    privileged = os.geteuid() == 0
    directories: list[tuple[Path, Entry]] = []
    for e in layer.entries():
        path = root / e.path
        kind = stat.S_IFMT(e.mode)
        if kind == stat.S_IFDIR:
            path.mkdir(exist_ok=True)
            directories.append((path, e))
            continue
        if path.is_symlink() or path.exists():
            path.unlink()
        if e.is_hard_link:
            os.link(root / e.link, path, follow_symlinks=False)
            continue
        if kind == stat.S_IFLNK:
            path.symlink_to(e.link)
        elif kind == stat.S_IFREG:
            path.write_bytes(layer.body(e))
        elif kind == stat.S_IFIFO or privileged:
            os.mknod(path, e.mode, e.rdev)
        else:
            continue
        _attributes(path, e, privileged)
    for path, e in reversed(directories):
        _attributes(path, e, privileged)


def _attributes(path: Path, e: Entry, privileged: bool) -> None:
    if privileged:
        os.chown(path, e.uid, e.gid, follow_symlinks=False)
    if not stat.S_ISLNK(e.mode):
        os.chmod(path, stat.S_IMODE(e.mode))
    os.utime(path, ns=(e.mtime_ns, e.mtime_ns), follow_symlinks=False)
