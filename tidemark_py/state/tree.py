"""A directory tree as a pax archive, read by init's system calls; tarfile reads it back."""

from __future__ import annotations

import io
import stat
import tarfile

from .calls import KernelCalls

__all__ = ["read_tree"]


def read_tree(calls: KernelCalls, path: str) -> bytes:
    """`path` and all below it, on its file system; sockets are left out, hard links become copies."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        device = calls.stat(path).st_dev
        _add(calls, tar, path.rstrip("/") or "/", "", device)
    return out.getvalue()


def _add(calls: KernelCalls, tar: tarfile.TarFile, path: str, name: str, device: int) -> None:
    s = calls.stat(path, follow=name == "")
    if s.st_dev != device or stat.S_ISSOCK(s.st_mode):
        return
    info = tarfile.TarInfo(name or ".")
    info.mode, info.uid, info.gid = stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid
    info.mtime = s.st_mtime_sec
    body = None
    if stat.S_ISDIR(s.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(s.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, calls.readlink(path)
    elif stat.S_ISFIFO(s.st_mode):
        info.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode):
        info.type = tarfile.CHRTYPE if stat.S_ISCHR(s.st_mode) else tarfile.BLKTYPE
        info.devmajor, info.devminor = s.st_rdev >> 8 & 0xFFF, s.st_rdev & 0xFF
    else:
        body = calls.read_file(path)
        info.size = len(body)
    tar.addfile(info, io.BytesIO(body) if body is not None else None)
    if info.type == tarfile.DIRTYPE:
        for child in calls.readdir(path):
            _add(calls, tar, f"{path.rstrip('/')}/{child}", f"{name}/{child}" if name else child, device)
