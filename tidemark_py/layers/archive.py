"""Archives into a LayerWriter: tar (plain, gzip, zstd, xz, bzip2), zip, and an OCI layer's whiteouts.

Follows tar(5), the OCI image specification's layer format (image-spec, layer.md), .ZIP APPNOTE. Called by the providers
and by the tools. Nothing may lead outside: names with ".." are refused. Device nodes are kept as they are.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, Any, Literal, Self

from ..errors import LayerError
from .format import Entry
from .writer import LayerWriter

__all__ = ["KINDS", "add_tar", "add_tar_stream", "add_zip", "stream", "unpacked"]

KINDS = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.AREGTYPE: stat.S_IFREG,
    tarfile.CONTTYPE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.LNKTYPE: 0,
    tarfile.FIFOTYPE: stat.S_IFIFO,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
}
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


def unpacked(data: bytes, name: str) -> bytes:
    """`data`, decompressed when it is gzip, zstd, xz or bzip2. Raises LayerError."""
    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
        if data[:4] == b"\x28\xb5\x2f\xfd":
            return _zstd(data)
        if data[:6] == b"\xfd7zXZ\0":
            return lzma.decompress(data)
        if data[:3] == b"BZh":
            return bz2.decompress(data)
    except LayerError:
        raise
    except Exception as e:  # each decompressor has errors of its own
        raise LayerError(f"{name}: cannot be unpacked ({e})") from None
    return data


def stream(file: IO[bytes]) -> IO[bytes]:
    """As unpacked(), for a file (open, seekable) that is read piece by piece; its errors come while reading."""
    head = file.read(6)
    file.seek(0)
    if head[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if head[:4] == b"\x28\xb5\x2f\xfd":
        return _zstd_module().ZstdFile(file)  # type: ignore[no-any-return]
    if head == b"\xfd7zXZ\0":
        return lzma.LZMAFile(file)
    if head[:3] == b"BZh":
        return bz2.BZ2File(file)
    return file


def _zstd(data: bytes) -> bytes:
    plain: bytes = _zstd_module().decompress(data)
    return plain


def _zstd_module() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14, so Pyodide 314
    except ImportError:
        try:
            from backports import zstd  # type: ignore[import-not-found, no-redef, unused-ignore]
        except ImportError:
            text = "it is compressed by zstd, which this Python cannot read: use Python 3.14, or install backports.zstd"
            raise LayerError(text) from None
    return zstd


def _clean(name: str) -> str:
    path = "/".join(p for p in name.split("/") if p not in ("", "."))
    if ".." in path.split("/"):
        raise LayerError(f"{name} leads outside of the archive")
    return path


def add_tar(w: LayerWriter, data: bytes, prefix: str = "", *, whiteouts: bool = False) -> None:
    """Everything in a tar. whiteouts: .wh. names take away what the writer had before. Raises LayerError."""
    with _sound_tar(io.BytesIO(data), "r:") as tar:
        members = list(tar)
        if whiteouts:
            members = _take_away(w, members, prefix)
        for m in members:
            _add_member(w, tar, m, prefix, lambda path: False)


def add_tar_stream(w: LayerWriter, file: IO[bytes], leave_out: Callable[[str], bool] = lambda path: False) -> None:
    """Everything in a tar that is read once, in order; no more than a member is in memory. Raises LayerError."""
    with _sound_tar(file, "r|") as tar:
        for m in tar:
            _add_member(w, tar, m, "", leave_out)
        while file.read(1 << 16):  # padding; and what a decompressor checks at its end
            pass


@contextmanager
def _sound_tar(file: IO[bytes], mode: Literal["r:", "r|"]) -> Iterator[tarfile.TarFile]:
    """The open tar. At the block's end it must have been read to its own end. Raises LayerError."""
    last = b""

    class Member(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            nonlocal last
            last = bytes(buf)
            return super().frombuf(buf, encoding, errors)

    try:
        with tarfile.open(fileobj=file, mode=mode, tarinfo=Member) as tar:
            yield tar
        # tarfile takes a damaged header for the end: it is one when it is zeros, or when nothing comes after a member
        if last.strip(b"\0"):
            raise LayerError("it is no sound tar archive (it is cut off, or damaged)")
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError, ArithmeticError) as e:
        raise LayerError(f"it is no sound tar archive ({e})") from None


def _take_away(w: LayerWriter, members: list[tarfile.TarInfo], prefix: str) -> list[tarfile.TarInfo]:
    """Obey the whiteouts, which speak of lower layers alone; the other members."""
    left = []
    for m in members:
        directory, _, name = _clean(m.name).rpartition("/")
        if not name.startswith(WHITEOUT):
            left.append(m)
            continue
        where = w.place(f"{_joined(prefix, directory)}/x").rpartition("/")[0]
        if name == OPAQUE:
            for path in [p for p in w.files if p.startswith(f"{where}/") or not where]:
                if path in w.files:
                    w.remove(path)
        else:
            w.remove(_joined(where, name.removeprefix(WHITEOUT)))
    return left


def _joined(prefix: str, path: str) -> str:
    return "/".join(p for p in (prefix.strip("/"), path) if p)


def _add_member(
    w: LayerWriter, tar: tarfile.TarFile, m: tarfile.TarInfo, prefix: str, leave_out: Callable[[str], bool]
) -> None:
    path = _clean(m.name)
    if not path or leave_out(path):
        return
    kind = KINDS.get(m.type, stat.S_IFREG if m.isfile() else -1)
    if kind == -1:
        return
    body = tar.extractfile(m) if kind == stat.S_IFREG else None
    link = m.linkname
    if kind == 0:
        link = _clean(link)
        if leave_out(link):
            return
        link = _joined(prefix, link)
    rdev = os.makedev(m.devmajor, m.devminor) if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0
    mode = 0 if kind == 0 else kind | (0o777 if kind == stat.S_IFLNK else m.mode & 0o7777)
    mtime = int(Decimal(m.pax_headers.get("mtime", m.mtime)) * 1_000_000_000)  # a float has not all of it
    entry = Entry(_joined(prefix, path), mode, m.uid, m.gid, mtime, link, rdev=rdev)
    data = body.read() if body else b""
    if body and len(data) != m.size:
        raise LayerError(f"it is cut off in {m.name}")
    w.add(entry, data)


def add_zip(w: LayerWriter, data: bytes, prefix: str = "") -> None:
    """Everything in a zip: modes where it has them, links as Info-ZIP writes them. Raises LayerError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            for info in z.infolist():
                path = _clean(info.filename)
                if not path:
                    continue
                mode = info.external_attr >> 16
                y, mo, d, h, mi, s = info.date_time
                seconds = _utc(y, mo, d, h, mi, s)
                where = _joined(prefix, path)
                if info.is_dir() or stat.S_ISDIR(mode):
                    w.add(Entry(where, stat.S_IFDIR | (mode & 0o7777 or 0o755), mtime_ns=seconds))
                elif stat.S_ISLNK(mode):
                    w.add(Entry(where, stat.S_IFLNK | 0o777, mtime_ns=seconds, link=z.read(info).decode()))
                else:
                    w.add(Entry(where, stat.S_IFREG | (mode & 0o7777 or 0o644), mtime_ns=seconds), z.read(info))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, RuntimeError) as e:
        raise LayerError(f"it is no sound zip archive ({e})") from None


def _utc(*when: int) -> int:
    import calendar

    return calendar.timegm((*when, 0, 0, 0)) * 1_000_000_000
