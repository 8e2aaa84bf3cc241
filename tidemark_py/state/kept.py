"""The log of a kept file system: what stands in the host's two files, and how a cut-short end is told from damage.

Owns the format. A file is a head (magic, versions, generation), then segments: magic, flags, number of the
transaction, length, CRC-32, then records of the kernel (kernel/file/journal.c), up to a multiple of 8. A transaction is
any number of segments and one with LAST and no records; only whole transactions count. A log that has grown is written
anew, as one transaction, into the other file with the next generation; the newest generation with a whole transaction
is what was kept.

What follows the last whole transaction was never acknowledged to anybody and is dropped - unless the end of a later
transaction but the next stands behind it: then the file was damaged, and it is refused. Callers: roles/keeper.py.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..abi.gen.abi import JOURNAL_VERSION
from ..errors import SnapshotError
from ..host.contract import KeptFile

__all__ = ["HEAD_BYTES", "LogScan", "damaged", "head", "scan", "segment", "sound"]

MAGIC = b"TDKEPT1\n"
FORMAT = 1
_HEAD = struct.Struct("<8sIIQQ")
HEAD_BYTES = _HEAD.size
SEGMENT_MAGIC = 0x5347454B  # "KEGS"
_SEGMENT = struct.Struct("<IIQII")
SEGMENT_BYTES = _SEGMENT.size
LAST = 1
SEARCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogScan:
    """What a file has. generation 0: nothing at all was ever written whole."""

    generation: int
    transaction: int  # number of the last whole one, 0: none
    end: int  # where the next one goes
    segments: tuple[tuple[int, int], ...]  # (position, bytes) of records, in order
    dropped: int  # bytes behind the last whole transaction


def head(generation: int) -> bytes:
    """The first bytes of a file."""
    return _HEAD.pack(MAGIC, FORMAT, JOURNAL_VERSION, generation, 0)


def segment(transaction: int, records: bytes, last: bool = False) -> bytes:
    """A segment's bytes."""
    flags = LAST if last else 0
    crc = zlib.crc32(records, zlib.crc32(struct.pack("<IQI", flags, transaction, len(records))))
    return _SEGMENT.pack(SEGMENT_MAGIC, flags, transaction, len(records), crc) + records + bytes(-len(records) % 8)


def sound(file: KeptFile, at: int, end: int) -> tuple[int, int, int] | None:
    """(flags, transaction, bytes) of the segment at `at`; None: there is none that is whole."""
    raw = file.read(at, SEGMENT_BYTES)
    if len(raw) < SEGMENT_BYTES:
        return None
    magic, flags, transaction, count, crc = _SEGMENT.unpack(raw)
    if magic != SEGMENT_MAGIC or at + SEGMENT_BYTES + count > end:
        return None
    found = zlib.crc32(struct.pack("<IQI", flags, transaction, count))
    for start in range(0, count, SEARCH_BYTES):
        found = zlib.crc32(file.read(at + SEGMENT_BYTES + start, min(SEARCH_BYTES, count - start)), found)
    return (flags, transaction, count) if found == crc else None


def scan(file: KeptFile, name: str) -> LogScan:
    """Look through a file. Raises SnapshotError when it is of another format, or damaged."""
    size = file.size()
    raw = file.read(0, HEAD_BYTES)
    if len(raw) < HEAD_BYTES or raw == bytes(HEAD_BYTES):
        return LogScan(0, 0, 0, (), size)
    magic, version, records, generation, _ = _HEAD.unpack(raw)
    if magic != MAGIC:
        raise damaged(name, "they do not begin as such")
    if (version, records) != (FORMAT, JOURNAL_VERSION):
        text = f"of format {version}.{records}, this is {FORMAT}.{JOURNAL_VERSION}"
        raise SnapshotError(f"the kept files {name!r} are {text}. They are left as they are")
    at = end = HEAD_BYTES
    whole: list[tuple[int, int]] = []
    under_way: list[tuple[int, int]] = []
    last = 0
    while at < size and (found := sound(file, at, size)) is not None:
        flags, transaction, count = found
        if transaction != last + 1:
            break
        if count:
            under_way.append((at + SEGMENT_BYTES, count))
        at += SEGMENT_BYTES + count + -count % 8
        if flags & LAST:
            whole += under_way
            under_way = []
            last, end = transaction, at
    if at < size and any(n > last + 1 for n in _later(file, at, size)):
        raise damaged(name, f"at byte {at}, before sound parts")
    return LogScan(generation, last, end, tuple(whole), size - end)


def damaged(name: str, why: str) -> SnapshotError:
    """What to raise."""
    text = f"the kept files {name!r} are damaged: {why}. They are left as they are; rt.fs.forget_kept() removes them"
    return SnapshotError(text)


def _later(file: KeptFile, at: int, size: int) -> Iterator[int]:
    """Numbers of transactions that end, sound, anywhere behind `at`."""
    mark = struct.pack("<I", SEGMENT_MAGIC)
    for start in range(at + 8, size, SEARCH_BYTES):
        block = file.read(start, SEARCH_BYTES + 4)
        found = block.find(mark)
        while found >= 0:
            if found % 8 == 0 and (each := sound(file, start + found, size)) and each[0] & LAST:
                yield each[1]
            found = block.find(mark, found + 1)
