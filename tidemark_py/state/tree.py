"""A directory tree as a pax archive: read and written by init's system calls (tar(5), pax format).

read_tree is the reader of the guest's files, write_tree their writer: the archive is looked at as a whole before the
first change. Sockets and hard links are not kept; extended attributes neither.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import stat
import struct
import tarfile

from ..abi.gen import linux
from ..abi.gen.abi import Syscall
from ..errors import TidemarkError
from .calls import DATA, KernelCalls

__all__ = ["read_tree", "write_tree"]


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


# ---- the writer ----


def write_tree(calls: KernelCalls, path: str, archive: bytes) -> int:
    """Make the tree below `path` what the archive says; number of entries.

    Raises TidemarkError before anything is changed when the archive cannot be read or leads outside, OSError for what
    the file system refuses on the way.
    """
    entries = _entries(archive)
    top = path.rstrip("/")
    calls.make_parents(f"{top}/.")
    wanted: dict[str, set[str]] = {}
    for name, info in entries:
        if info.isdir():
            wanted.setdefault(name, set())
        if name:
            wanted.setdefault(posixpath.dirname(name), set()).add(posixpath.basename(name))
    device = calls.stat(top or "/").st_dev
    later: list[tuple[str, tarfile.TarInfo]] = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name, info in entries:
            full = f"{top}/{name}" if name else top or "/"
            if info.isdir():
                _directory(calls, full, wanted[name], device)
                later.append((full, info))  # its time is lost when something is put into it
                continue
            _put(calls, full, info, tar)
            _attributes(calls, full, info)
    for full, info in reversed(later):
        _attributes(calls, full, info)
    return len(entries)


def _entries(archive: bytes) -> list[tuple[str, tarfile.TarInfo]]:
    """(path below the top, entry), parents first. Raises TidemarkError."""
    found: dict[str, tarfile.TarInfo] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for info in tar:
                name = posixpath.normpath(info.name)
                if name.startswith(("/", "..")) or "\0" in name or info.islnk():
                    raise TidemarkError(f"the archive was refused, nothing was changed: {info.name!r} leads outside")
                if info.isreg() and info.offset_data + info.size > len(archive):
                    raise TidemarkError("the archive was refused, nothing was changed: it was cut short")
                found["" if name == "." else name] = info
    except (tarfile.TarError, EOFError, ValueError, struct.error) as e:
        raise TidemarkError(f"the archive was refused, nothing was changed: {e}") from None
    for name in found:
        parent = posixpath.dirname(name)
        if parent and (parent not in found or not found[parent].isdir()):
            raise TidemarkError(f"the archive was refused, nothing was changed: {name!r} has no directory")
    return sorted(found.items())


def _directory(calls: KernelCalls, path: str, keep: set[str], device: int) -> None:
    """There, and with nothing in it that is not wanted; what is mounted below stays."""
    try:
        if stat.S_ISDIR(calls.stat(path, follow=False).st_mode):
            for name in calls.readdir(path):
                child = f"{path.rstrip('/')}/{name}"
                if name not in keep and calls.stat(child, follow=False).st_dev == device:
                    calls.remove_tree(child)
            return
        calls.unlink(path)
    except FileNotFoundError:
        pass
    calls.mkdir(path, 0o700)


def _put(calls: KernelCalls, path: str, info: tarfile.TarInfo, tar: tarfile.TarFile) -> None:
    """Replace `path`."""
    with contextlib.suppress(FileNotFoundError):
        calls.remove_tree(path)
    if info.issym():
        calls.symlink(info.linkname, path)
    elif info.isreg():
        body = tar.extractfile(info)
        calls.write_file(path, body.read() if body else b"", info.mode & 0o7777)
    else:
        kind = stat.S_IFIFO if info.isfifo() else stat.S_IFCHR if info.ischr() else stat.S_IFBLK
        device = info.devmajor << 8 | info.devminor & 0xFF
        at = calls._path(path)
        calls.call(Syscall.mknodat, linux.AT_FDCWD, at, kind | info.mode & 0o7777, device, path=path)


def _attributes(calls: KernelCalls, path: str, info: tarfile.TarInfo) -> None:
    """Owner, mode, time; of a link its own."""
    at = calls._path(path)
    calls.call(Syscall.fchownat, linux.AT_FDCWD, at, info.uid, info.gid, linux.AT_SYMLINK_NOFOLLOW, path=path)
    if not info.issym():
        calls.chmod(path, info.mode & 0o7777)
    seconds = int(info.mtime)
    calls.kernel.write(DATA, struct.pack("<qqqq", seconds, 0, seconds, 0))
    calls.call(Syscall.utimensat, linux.AT_FDCWD, calls._path(path), DATA, linux.AT_SYMLINK_NOFOLLOW, path=path)
