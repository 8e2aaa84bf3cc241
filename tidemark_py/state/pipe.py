"""PipeState: a pipe or fifo (pipe(7)) and the bytes in it, oldest first.

Writing one replaces contents and capacity (bytes, a power of two from 4096) and wakes who waits for them; ESTALE when
the descriptor is another pipe by now, EINVAL when the contents do not fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ..abi.gen.abi import State, StatePipe
from ..errors import SnapshotError
from .envelope import KernelRecord

__all__ = ["PipeState"]


@dataclass(frozen=True, slots=True)
class PipeState(KernelRecord):
    """Seen through descriptor `object` of process `pid`. readers, writers: open descriptions; *_opens: ever."""

    KIND: ClassVar[State] = State.PIPE
    pid: int
    object: int
    inode: int
    limit: int
    readers: int
    writers: int
    reader_opens: int
    writer_opens: int
    polled: bool
    named: bool
    data: bytes

    def record(self) -> bytes:
        """state_pipe and the bytes."""
        head = StatePipe(
            inode=self.inode,
            used=len(self.data),
            limit=self.limit,
            readers=self.readers,
            writers=self.writers,
            reader_opens=self.reader_opens,
            writer_opens=self.writer_opens,
            polled=int(self.polled),
            named=int(self.named),
        )
        return head.pack() + self.data

    @classmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From state_pipe."""
        r = StatePipe.unpack(record)
        data = record[StatePipe.BYTES :]
        if len(data) != r.used:
            raise SnapshotError(f"a pipe's record says {r.used} bytes, {len(data)} are there")
        return cls(
            pid=pid,
            object=object,
            inode=r.inode,
            limit=r.limit,
            readers=r.readers,
            writers=r.writers,
            reader_opens=r.reader_opens,
            writer_opens=r.writer_opens,
            polled=bool(r.polled),
            named=bool(r.named),
            data=data,
        )
