"""The event ring: lifecycle records that kernel instances write (layout event_record) while somebody listens.

The ring is a queue (kernel/core/queue.h) with one consumer; what found no room in it is counted.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..abi.gen.abi import EVENT_RING_RECORDS, Event, EventRecord, KernelCounters
from ..channel.wire import linux_error
from ..host.contract import Kernel

__all__ = ["EventReader", "RuntimeEvent", "parse_events"]

SEQ, KIND = struct.Struct("<Q"), struct.Struct("<I")


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


@dataclass(slots=True)
class _Listener:
    """One who listens: what came for it and was not taken yet, raw."""

    kinds: int = 0
    lost: int = 0
    records: deque[bytes] = field(default_factory=deque)


class EventReader:
    """The ring's consumer. owner: the kernel worker. Only what somebody listens to is recorded."""

    def __init__(self, kernel: Kernel, staging: int, staging_bytes: int) -> None:
        self._kernel = kernel
        self._staging, self._staging_bytes = staging, staging_bytes
        self._listeners: dict[str, _Listener] = {}

    def last(self) -> int:
        """Number of the newest event, whether anybody listened or not."""
        at = self._kernel.counters + KernelCounters.OFFSET["event_seq"]
        return int.from_bytes(self._kernel.peek(at, 8), "little")

    def listen(self, who: str, kinds: int) -> None:
        """`who` wants these kinds (1 << Event) from now on; 0: none any more. Raises OSError(ENOMEM)."""
        self.drain()
        self._listeners[who] = _Listener(kinds)
        wanted = 0
        for each in self._listeners.values():
            wanted |= each.kinds
        if (result := int(self._kernel.call("tk_events", wanted))) < 0:
            raise linux_error(-result)

    def drain(self) -> None:
        """Empty the ring; what is kept for a listener is bounded as well: the oldest are given up."""
        while size := int(self._kernel.call("tk_events_take", self._staging, self._staging_bytes)):
            if size < 0:
                raise linux_error(-size)
            data = self._kernel.read(self._staging, size)
            for at in range(0, size, EventRecord.BYTES):
                self._found(data[at : at + EventRecord.BYTES])
        lost = int(self._kernel.call("tk_events_lost"))
        for each in self._listeners.values():
            each.lost += lost if each.kinds else 0

    def _found(self, record: bytes) -> None:
        (kind,) = KIND.unpack_from(record, EventRecord.OFFSET["kind"])
        for each in self._listeners.values():
            if each.kinds >> kind & 1:
                each.records.append(record)
                if len(each.records) > EVENT_RING_RECORDS:
                    each.records.popleft()
                    each.lost += 1

    def take(self, who: str) -> tuple[bytes, int]:
        """(new records, how many were lost, of whatever kind)."""
        self.drain()
        listener = self._listeners[who]
        records, lost = b"".join(listener.records), listener.lost
        listener.records.clear()
        listener.lost = 0
        return records, lost

    def take_one(self, who: str, seq: int) -> bytes:
        """Record `seq`, raw, and with it all before it are taken; b"" when it is not there."""
        self.drain()
        records = self._listeners[who].records
        while records and (got := SEQ.unpack_from(records[0])[0]) <= seq:
            record = records.popleft()
            if got == seq:
                return record
        return b""
