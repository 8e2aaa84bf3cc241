"""FdTable: the descriptors of a process (fcntl(2), dup(2)), each with the description behind it.

Writing one makes the process's table exactly this: numbers, FD_CLOEXEC, which description stands where; what is not
named is closed. Only descriptions that the process has open can be named (ESTALE else, and nothing changes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ..abi.gen.abi import OfdKind, State, StateFd
from ..errors import SnapshotError
from .envelope import KernelRecord

__all__ = ["FdEntry", "FdTable"]


@dataclass(frozen=True, slots=True)
class FdEntry:
    """One descriptor. ofd: identity of the description, the same for all that share it."""

    fd: int
    cloexec: bool
    ofd: int
    generation: int
    kind: OfdKind


@dataclass(frozen=True, slots=True)
class FdTable(KernelRecord):
    """All of them, by rising number."""

    KIND: ClassVar[State] = State.FDS
    pid: int
    entries: tuple[FdEntry, ...]
    object: int = 0

    def __getitem__(self, fd: int) -> FdEntry:
        """The entry of number `fd`. Raises KeyError."""
        for entry in self.entries:
            if entry.fd == fd:
                return entry
        raise KeyError(fd)

    def record(self) -> bytes:
        """state_fd[]"""
        return b"".join(
            StateFd(fd=e.fd, cloexec=int(e.cloexec), ofd=e.ofd, generation=e.generation, kind=e.kind).pack()
            for e in sorted(self.entries, key=lambda e: e.fd)
        )

    @classmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From state_fd[]."""
        if len(record) % StateFd.BYTES:
            raise SnapshotError(f"a table of descriptors of {len(record)} bytes is no whole number of records")
        raw = (StateFd.unpack(record, at) for at in range(0, len(record), StateFd.BYTES))
        entries = tuple(FdEntry(r.fd, bool(r.cloexec), r.ofd, r.generation, OfdKind(r.kind)) for r in raw)
        return cls(pid, entries, object)
