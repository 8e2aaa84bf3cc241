"""OfdState: one open file description (open(2)): position, flags, what it is open on.

Writing one sets position (bytes), O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME and owner_pid; ESTALE when the descriptor
has another description by now, ESPIPE for a position where there is none, EINVAL for other flags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ..abi.gen.abi import OfdKind, State, StateOfd
from ..errors import SnapshotError
from .envelope import KernelRecord

__all__ = ["OfdState"]


@dataclass(frozen=True, slots=True)
class OfdState(KernelRecord):
    """Seen through descriptor `object` of process `pid`. position and size in bytes, mode as st_mode, refs: holders."""

    KIND: ClassVar[State] = State.OFD
    pid: int
    object: int
    ofd: int
    generation: int
    kind: OfdKind
    position: int
    flags: int
    refs: int
    owner_pid: int
    mode: int
    device: int
    inode: int
    size: int
    rdev: int
    path: str

    def record(self) -> bytes:
        """state_ofd and the path."""
        path = self.path.encode("utf-8", "surrogateescape")
        head = StateOfd(
            ofd=self.ofd,
            generation=self.generation,
            kind=self.kind,
            position=self.position,
            flags=self.flags,
            refs=self.refs,
            owner_pid=self.owner_pid,
            mode=self.mode,
            device=self.device,
            inode=self.inode,
            size=self.size,
            rdev=self.rdev,
            path_bytes=len(path),
        )
        return head.pack() + path

    @classmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From state_ofd."""
        r = StateOfd.unpack(record)
        path = record[StateOfd.BYTES :]
        if len(path) != r.path_bytes:
            raise SnapshotError(f"an open description's path has {len(path)} bytes, its record says {r.path_bytes}")
        return cls(
            pid=pid,
            object=object,
            ofd=r.ofd,
            generation=r.generation,
            kind=OfdKind(r.kind),
            position=r.position,
            flags=r.flags,
            refs=r.refs,
            owner_pid=r.owner_pid,
            mode=r.mode,
            device=r.device,
            inode=r.inode,
            size=r.size,
            rdev=r.rdev,
            path=path.decode("utf-8", "surrogateescape"),
        )
