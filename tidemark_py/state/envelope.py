"""The head of every snapshot as bytes: what it is, of which format and ABI, and whether it is whole.

Owner of the format: magic, format version, category, payload length, CRC-32 of the payload, first half of the ABI hash,
then the payload. A snapshot of another format, ABI or category, cut short or changed is refused by name.
"""

from __future__ import annotations

import struct
import zlib
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from ..abi.gen.abi import ABI_HASH, State
from ..errors import SnapshotError
from . import FORMAT_VERSION

__all__ = ["KernelRecord", "open_snapshot", "seal_snapshot"]

MAGIC = b"TDST"
_HEAD = struct.Struct("<4sHHQI16s")
_OBJECT = struct.Struct("<iIq")
_ABI = bytes.fromhex(ABI_HASH)[:16]


def seal_snapshot(kind: State, payload: bytes) -> bytes:
    """The snapshot as bytes."""
    return _HEAD.pack(MAGIC, FORMAT_VERSION, kind, len(payload), zlib.crc32(payload), _ABI) + payload


def open_snapshot(kind: State, data: bytes) -> bytes:
    """Its payload. Raises SnapshotError, which says what is wrong."""
    what = f"a {kind.name.lower().replace('_', ' ')} snapshot"
    if len(data) < _HEAD.size or data[:4] != MAGIC:
        raise SnapshotError(f"no snapshot: {what} starts with {MAGIC.decode()}, in {_HEAD.size} bytes of head")
    _, version, category, size, crc, abi = _HEAD.unpack_from(data)
    if version != FORMAT_VERSION:
        raise SnapshotError(f"{what} of format {version} was given; this is format {FORMAT_VERSION}")
    if abi != _ABI:
        raise SnapshotError(f"{what} of ABI {abi.hex()[:8]} was given; this is ABI {ABI_HASH[:8]}")
    if category != kind:
        name = State(category).name.lower() if category in list(State) else str(category)
        raise SnapshotError(f"{what} was wanted, a snapshot of category {name} was given")
    payload = data[_HEAD.size :]
    if len(payload) != size:
        raise SnapshotError(f"{what} is cut short: {len(payload)} of {size} bytes are there")
    if zlib.crc32(payload) != crc:
        raise SnapshotError(f"{what} is corrupted: its checksum differs")
    return payload


class KernelRecord(ABC):
    """A snapshot that is a state record of the kernel (layouts state_*): what tk_state_read gave, what a write takes.

    Immutable; dataclasses.replace makes another one. pid and object say whose it is: object is a descriptor, a thread
    number or 0.
    """

    KIND: ClassVar[State]
    pid: int
    object: int

    @abstractmethod
    def record(self) -> bytes:
        """The kernel's record."""

    @classmethod
    @abstractmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From the kernel's record. Raises SnapshotError when it is malformed."""

    def pack(self) -> bytes:
        """The writer."""
        return seal_snapshot(self.KIND, _OBJECT.pack(self.pid, 0, self.object) + self.record())

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """The reader. Raises SnapshotError."""
        payload = open_snapshot(cls.KIND, data)
        if len(payload) < _OBJECT.size:
            raise SnapshotError(f"a {cls.KIND.name.lower()} snapshot says not whose it is")
        pid, _, number = _OBJECT.unpack_from(payload)
        try:
            return cls.of_record(pid, number, payload[_OBJECT.size :])
        except struct.error as e:
            raise SnapshotError(f"a {cls.KIND.name.lower()} snapshot is malformed: {e}") from None
