"""Memory writes: bytes that stand, or shall stand, at addresses of a process's memory or of kernel memory.

Reading captures what stands there now; writing puts it back. A guest's memory is reached through the process itself
with the permissions of its pages (EFAULT where it may not), kernel memory under the kernel lock, outside the
instances' stacks.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ..abi.gen.abi import State
from ..errors import SnapshotError
from .envelope import KernelRecord

__all__ = ["GuestMemoryWrites", "KernelMemoryWrites", "MemoryWrite", "MemoryWrites"]

_ITEM = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class MemoryWrite:
    """`data` at `address` (bytes)."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MemoryWrites(KernelRecord):
    """Several, in order. The record is (address, length, bytes) of each; the kernel takes them one by one."""

    pid: int
    writes: tuple[MemoryWrite, ...]
    object: int = 0

    def record(self) -> bytes:
        """(address, length, bytes) ..."""
        return b"".join(_ITEM.pack(w.address, len(w.data)) + w.data for w in self.writes)

    @classmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From (address, length, bytes) ..."""
        writes, at = [], 0
        while at < len(record):
            address, size = _ITEM.unpack_from(record, at)
            at += _ITEM.size
            if size > len(record) - at:
                raise SnapshotError(f"memory writes: {size} bytes for address {address:#x} are not there")
            writes.append(MemoryWrite(address, record[at : at + size]))
            at += size
        return cls(pid, tuple(writes), object)


@dataclass(frozen=True, slots=True)
class GuestMemoryWrites(MemoryWrites):
    """Of process `pid`; guest addresses."""

    KIND: ClassVar[State] = State.GUEST_MEMORY


@dataclass(frozen=True, slots=True)
class KernelMemoryWrites(MemoryWrites):
    """Kernel addresses; pid is 0."""

    KIND: ClassVar[State] = State.KERNEL_MEMORY
