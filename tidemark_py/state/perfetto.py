"""A trace in Perfetto's own format: TracePacket messages of protocol buffers, from the rows of a timeline.

Every process is a track, every thread one inside it, its waits one inside the thread's, every worker one, and every
message one of its own. Written by hand, for a page that exports a trace should need no library: the numbers of the
fields are those of perfetto/trace/trace_packet.proto and, in perfetto/trace/track_event/, of track_event.proto,
track_descriptor.proto and debug_annotation.proto.
Times are nanoseconds from the trace's first. Missing: interned names (files are larger than they must be), flows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .timeline import MESSAGES, WAITS, WORKERS, chrome_trace
from .trace import TraceEvent

__all__ = ["perfetto_trace"]

# field numbers
TRACE_PACKET = 1
PACKET_TIME, PACKET_SEQUENCE, PACKET_EVENT, PACKET_FLAGS, PACKET_TRACK = 8, 10, 11, 13, 60
EVENT_ANNOTATION, EVENT_TYPE, EVENT_TRACK, EVENT_CATEGORY, EVENT_NAME = 4, 9, 11, 22, 23
TRACK_UUID, TRACK_NAME, TRACK_PROCESS, TRACK_THREAD, TRACK_PARENT = 1, 2, 3, 4, 5
PROCESS_PID, PROCESS_NAME = 1, 6
THREAD_PID, THREAD_TID, THREAD_NAME = 1, 2, 5
NOTE_INT, NOTE_STRING, NOTE_NAME = 4, 6, 10

BEGIN, END, INSTANT = 1, 2, 3  # TrackEvent.Type
CLEARED = 1  # SEQ_INCREMENTAL_STATE_CLEARED
SEQUENCE = 1  # one writer
TRACES_OWN = {WORKERS: "workers", MESSAGES: "messages"}  # tracks that are no process


def _number(n: int) -> bytes:
    """A varint."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value & (1 << 64) - 1)
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(data)) + data


def _packet(body: bytes) -> bytes:
    return _field(TRACE_PACKET, _field(PACKET_SEQUENCE, SEQUENCE) + body)


class _Tracks:
    """Numbers tracks and declares each once, its parent before it."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.packets: list[bytes] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._processes = {r["pid"]: r["args"]["name"] for r in rows if r["name"] == "process_name"}
        self._threads = {(r["pid"], r["tid"]): r["args"]["name"] for r in rows if r["name"] == "thread_name"}

    def _declared(self, key: tuple[Any, ...], parent: int, fields: bytes) -> int:
        number = self._numbers[key] = len(self._numbers) + 1
        above = _field(TRACK_PARENT, parent) if parent else b""
        self.packets.append(_packet(_field(PACKET_TRACK, _field(TRACK_UUID, number) + above + fields)))
        return number

    def process(self, pid: int) -> int:
        """Its track."""
        if found := self._numbers.get((pid,)):
            return found
        name = self._processes.get(pid, "") or TRACES_OWN.get(pid, f"process {pid}")
        fields = _field(TRACK_NAME, name)
        if pid not in TRACES_OWN:
            fields = _field(TRACK_PROCESS, _field(PROCESS_PID, pid) + _field(PROCESS_NAME, name))
        return self._declared((pid,), 0, fields)

    def thread(self, pid: int, tid: int) -> int:
        """Its track, a worker's, or that of a thread's waits."""
        if found := self._numbers.get((pid, tid)):
            return found
        name = self._threads.get((pid, tid), f"thread {tid}")
        if pid in TRACES_OWN:
            return self._declared((pid, tid), self.process(pid), _field(TRACK_NAME, name))
        if tid >= WAITS:
            return self._declared((pid, tid), self.thread(pid, tid - WAITS), _field(TRACK_NAME, name))
        thread = _field(THREAD_PID, pid) + _field(THREAD_TID, tid) + _field(THREAD_NAME, name)
        return self._declared((pid, tid), self.process(pid), _field(TRACK_THREAD, thread))

    def message(self, number: int, name: str) -> int:
        """The track of one message."""
        key = ("message", number)
        return self._numbers.get(key) or self._declared(key, self.process(MESSAGES), _field(TRACK_NAME, name))


def _event(ns: int, kind: int, track: int, row: dict[str, Any] | None = None) -> tuple[int, bytes]:
    body = _field(EVENT_TYPE, kind) + _field(EVENT_TRACK, track)
    if row is not None:
        body += _field(EVENT_CATEGORY, row["cat"]) + _field(EVENT_NAME, row["name"])
        for name, value in row["args"].items():
            note = _field(NOTE_INT, value) if isinstance(value, int) else _field(NOTE_STRING, str(value))
            body += _field(EVENT_ANNOTATION, _field(NOTE_NAME, name) + note)
    return ns, _packet(_field(PACKET_TIME, ns) + _field(PACKET_EVENT, body))


def _nested(slices: list[tuple[int, int, dict[str, Any]]], track: int) -> list[tuple[int, bytes]]:
    """Begins and ends in order; one that would outlast what it began in ends with it (a rounded nanosecond)."""
    out: list[tuple[int, bytes]] = []
    ends: list[int] = []
    for start, end, row in sorted(slices, key=lambda s: (s[0], -s[1])):
        while ends and ends[-1] <= start:
            out.append(_event(ends.pop(), END, track))
        ends.append(min(end, ends[-1]) if ends else end)
        out.append(_event(start, BEGIN, track, row))
    while ends:
        out.append(_event(ends.pop(), END, track))
    return out


def perfetto_trace(events: list[TraceEvent]) -> bytes:
    """The bytes of a file that ui.perfetto.dev and trace_processor open (.pftrace)."""
    rows = chrome_trace(events)["traceEvents"]
    tracks = _Tracks(rows)
    slices: dict[int, list[tuple[int, int, dict[str, Any]]]] = defaultdict(list)
    out: list[tuple[int, bytes]] = []
    for row in rows:
        start = round(row["ts"] * 1000)
        if row["ph"] == "X":
            end = max(start, round((row["ts"] + row["dur"]) * 1000))
            slices[tracks.thread(row["pid"], row["tid"])].append((start, end, row))
        elif row["ph"] in "be":
            begins = row["ph"] == "b"
            track = tracks.message(row["id"], row["name"])
            out.append(_event(start, BEGIN if begins else END, track, row if begins else None))
        elif row["ph"] == "i":
            out.append(_event(start, INSTANT, tracks.thread(row["pid"], row["tid"]), row))
    for track, own in slices.items():
        out += _nested(own, track)
    out.sort(key=lambda timed: timed[0])  # stable: what is in order on its track stays so
    first = _packet(_field(PACKET_FLAGS, CLEARED))
    return b"".join((first, *tracks.packets, *(packet for _, packet in out)))
