"""The event ring: lifecycle records that kernel instances write and everybody may read (layout event_record).

Sequence n stands at index n % EVENT_RING_RECORDS and is written seq = 0, body, seq = n: a reader takes a record only
when it says the expected number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..abi.gen.abi import EVENT_RING_RECORDS, Event, EventRecord, KernelCounters
from ..host.contract import Kernel

__all__ = ["EventReader", "RuntimeEvent", "parse_events"]

BATCH = 256


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """One event as users see it. a and b by kind (abi/status.toml)."""

    seq: int
    time_ns: int
    kind: str
    pid: int
    tid: int
    ppid: int
    a: int
    b: int


def parse_events(records: bytes) -> Iterator[RuntimeEvent]:
    """Typed events of raw records."""
    for at in range(0, len(records), EventRecord.BYTES):
        r = EventRecord.unpack(records, at)
        try:
            kind = Event(r.kind).name.lower()
        except ValueError:
            kind = f"event {r.kind}"
        yield RuntimeEvent(r.seq, r.time_ns, kind, r.pid, r.tid, r.ppid, r.a, r.b)


class EventReader:
    """A reader's place in the ring. owner: whoever made it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.seq = 0

    def last(self) -> int:
        """Number of the newest event."""
        at = self._kernel.counters + KernelCounters.OFFSET["event_seq"]
        return int.from_bytes(self._kernel.peek(at, 8), "little")

    def skip_to_end(self) -> None:
        """Start with the next event."""
        self.seq = self.last()

    def read(self, seq: int) -> bytes:
        """Record `seq` raw, or b"" when it is not there (any more)."""
        at = self._kernel.event_ring + seq % EVENT_RING_RECORDS * EventRecord.BYTES
        record = self._kernel.peek(at, EventRecord.BYTES)
        again = self._kernel.peek(at, 8)
        return record if record[:8] == again == struct.pack("<Q", seq) else b""

    def take(self) -> tuple[bytes, int]:
        """(new records, how many were lost); at most BATCH."""
        end = self.last()
        lost = max(0, end - self.seq - EVENT_RING_RECORDS)
        self.seq += lost
        records: list[bytes] = []
        while self.seq < end and len(records) < BATCH:
            record = self.read(self.seq + 1)
            if not record and end - self.seq < EVENT_RING_RECORDS // 2:
                break  # being written
            self.seq += 1
            if record:
                records.append(record)
            else:
                lost += 1
        return b"".join(records), lost

    def instructions_of_reaped(self, pid: int) -> int:
        """What the last reap event of `pid` counted; 0 when it is not in the ring any more."""
        end = self.last()
        for seq in range(end, max(0, end - BATCH), -1):
            raw = self.read(seq)
            if raw:
                record = EventRecord.unpack(raw)
                if record.kind == Event.REAP and record.pid == pid:
                    return record.b
        return 0
