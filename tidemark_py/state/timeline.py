"""A trace as a file for chrome://tracing and Perfetto (Trace Event Format): what every thread did from its birth to its
end, without a gap.

Each process has two tracks for each thread: what it did (system calls, phases of the kernel's work, the code between
them) and what it waited for. Messages to the runtime's roles are asynchronous slices, each on a track of its own; the
workers have a track each with the threads that ran there. A gap between records is named by what surrounds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..abi.gen.abi import Event, Role, Trace
from .trace import NO_RESULT, TraceEvent, arguments_text, event_text, result_text

__all__ = ["chrome_trace"]

WORKERS = 0  # pids that stand for what is no process
MESSAGES = 1_000_000_000
WAITS = 1_000_000_000  # added to a thread's number: the track of its waits
VFORK = 2  # SPAWN's a: the child runs on its parent's worker
ENDS = {"exit", "exit_group"}


@dataclass
class _Thread:
    pid: int
    tid: int
    born: int | None = None
    vfork: bool = False
    ended: int | None = None
    reaped: int | None = None
    begun: list[TraceEvent] = field(default_factory=list)
    slices: list[TraceEvent] = field(default_factory=list)
    waits: list[TraceEvent] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The newest that is known of it."""
        return max((e.end_ns for e in (*self.slices, *self.waits, *self.begun)), default=self.born or 0)


def _threads(events: Iterable[TraceEvent]) -> dict[tuple[int, int], _Thread]:
    found: dict[tuple[int, int], _Thread] = {}

    def of(pid: int, tid: int) -> _Thread:
        return found.setdefault((pid, tid), _Thread(pid, tid))

    for e in events:
        if e.kind in (Trace.CALL, Trace.PHASE):
            of(e.pid, e.tid).slices.append(e)
        elif e.kind == Trace.WAIT:
            of(e.pid, e.tid).waits.append(e)
        elif e.kind == Trace.RUN:
            of(e.pid, e.tid).begun.append(e)
        elif e.kind == Trace.EVENT and e.nr == Event.SPAWN:
            born = of(e.pid, e.tid or e.pid)
            born.born, born.vfork = e.start_ns, e.args[0] == VFORK
        elif e.kind == Trace.EVENT and e.nr in (Event.EXIT, Event.REAP) and (thread := found.get((e.pid, e.pid))):
            if e.nr == Event.EXIT:
                thread.ended = e.start_ns
            else:
                thread.reaped = e.start_ns
    return found


class _Rows:
    """traceEvents. Times in microseconds from the first record."""

    def __init__(self, epoch_ns: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self._epoch = epoch_ns

    def at(self, ns: int) -> float:
        return (ns - self._epoch) / 1000

    def add(self, ph: str, pid: int, tid: int, name: str, cat: str, start_ns: int, **more: Any) -> None:
        row = {"ph": ph, "pid": pid, "tid": tid, "name": name, "cat": cat, "ts": self.at(start_ns), **more}
        row.setdefault("args", {})
        self.rows.append(row)

    def slice(self, pid: int, tid: int, name: str, cat: str, start_ns: int, end_ns: int, **args: Any) -> None:
        took = self.at(end_ns) - self.at(start_ns)
        self.add("X", pid, tid, name, cat, start_ns, dur=max(took, 0.0), args=args)

    def name(self, what: str, pid: int, tid: int, name: str) -> None:
        self.rows.append({"ph": "M", "name": what, "pid": pid, "tid": tid, "ts": 0, "args": {"name": name}})


def _gap(thread: _Thread, start_ns: int, before: TraceEvent | None) -> tuple[str, str]:
    """Name and category of a time in which nothing was recorded."""
    begun = next((e for e in thread.begun if e.start_ns > start_ns), None)
    if before is None and begun is not None and not thread.vfork:
        return "handed to a worker", "handover"
    if before is not None and before.kind == Trace.CALL:
        if before.name in ENDS:
            return "ending", "kernel"
        if before.name in ("clone", "clone3") and before.result == NO_RESULT:
            return "the child runs here (vfork)", "wait"
        if before.name in ("execve", "execveat") and begun is not None:
            return "handed to a worker", "handover"
    return "guest code", "guest"


def _thread(rows: _Rows, thread: _Thread, over_ns: int) -> None:
    pid, tid = thread.pid, thread.tid
    calls = sorted(thread.slices, key=lambda e: (e.start_ns, -e.end_ns))
    firsts = [e.start_ns for e in (*calls, *thread.begun)]
    now = thread.born if thread.born is not None else min(firsts, default=over_ns)
    # Its own end, or for a thread that only a process outlives, the last that is known of it.
    end = thread.ended if thread.ended is not None else (over_ns if tid == pid else thread.last)
    before: TraceEvent | None = None

    def gap(until_ns: int) -> None:
        nonlocal now
        begun = [e for e in thread.begun if now < e.start_ns <= until_ns]
        for each in begun:
            rows.slice(pid, tid, *_gap(thread, now, before), now, each.start_ns)
            now = each.start_ns
        if until_ns > now:
            name, cat = ("guest code", "guest") if begun else _gap(thread, now, before)
            rows.slice(pid, tid, name, cat, now, until_ns)
            now = until_ns

    for e in calls:
        if e.start_ns > now:
            gap(e.start_ns)
        inside = e.start_ns < now  # a phase of a call that is on the track already
        if e.kind == Trace.CALL:
            args = {"arguments": arguments_text(e), "result": result_text(e), "worker": e.worker}
            if e.parked_ns:
                args["waited_us"] = str(e.parked_ns / 1000)
            rows.slice(pid, tid, e.name, "syscall", e.start_ns, e.end_ns, **args)
        else:
            rows.slice(pid, tid, e.name, "phase", e.start_ns, min(e.end_ns, now) if inside else e.end_ns)
        now = max(now, e.end_ns)
        before = e if e.kind == Trace.CALL or before is None else before
    if end > now:
        gap(end)
    if thread.reaped is not None and thread.reaped > now:
        rows.slice(pid, tid, "zombie", "wait", now, thread.reaped)
    for each in () if thread.waits else [c for c in calls if c.parked_ns]:  # recorded without a timeline
        start = max(each.end_ns - each.parked_ns, each.start_ns)
        rows.slice(pid, tid + WAITS, each.name, "wait", start, each.end_ns)
    for wait in thread.waits:
        call = next((c for c in calls if c.start_ns <= wait.start_ns and wait.end_ns <= c.end_ns), None)
        name = call.name if call is not None else "a page that is not here"
        woken_by = int(wait.args[0])
        by = {0: "nobody: its time was up, or a role", 1: "the runtime"}.get(woken_by, f"thread {woken_by}")
        rows.slice(pid, tid + WAITS, name, "wait", wait.start_ns, wait.end_ns, woken_by=by)


def chrome_trace(events: list[TraceEvent]) -> dict[str, Any]:
    """The JSON object that chrome://tracing and Perfetto open."""
    epoch = min((e.start_ns for e in events), default=0)
    over = max((e.end_ns for e in events), default=0)
    rows = _Rows(epoch)
    names: dict[int, str] = {}
    runs: dict[tuple[int, int], list[int]] = {}
    messages = 0
    for e in events:
        if e.kind not in (Trace.MESSAGE, Trace.LOST):
            names[e.pid] = e.program or names.get(e.pid, "")
        if e.kind in (Trace.CALL, Trace.RUN):
            run = runs.setdefault((e.worker, e.tid), [e.start_ns, e.end_ns])
            run[0], run[1] = min(run[0], e.start_ns), max(run[1], e.end_ns)
        elif e.kind == Trace.MESSAGE:
            messages += 1
            to = Role(e.args[0]).name.lower()
            args = {"to": to, "argument": e.args[1], "from_worker": e.args[2], "from_process": e.pid}
            for ph, ns in (("b", e.start_ns), ("e", max(e.end_ns, e.start_ns))):
                name = f"{e.name} to {to}"
                rows.add(ph, MESSAGES, 0, name, "message", ns, id=messages, args=args if ph == "b" else {})
        elif e.kind in (Trace.EVENT, Trace.LOST):
            text = event_text(e) if e.kind == Trace.EVENT else f"{e.result} records lost"
            rows.add("i", e.pid, e.tid or e.pid, e.name, "event", e.start_ns, s="p", args={"text": text})
    threads = _threads(events)
    for thread in threads.values():
        _thread(rows, thread, over)
        rows.name("thread_name", thread.pid, thread.tid, f"thread {thread.tid}")
        if thread.waits or any(c.parked_ns for c in thread.slices):
            rows.name("thread_name", thread.pid, thread.tid + WAITS, f"waits of {thread.tid}")
    for (worker, tid), (first, last) in runs.items():
        rows.slice(WORKERS, worker, f"thread {tid}", "worker", first, last)
        rows.name("thread_name", WORKERS, worker, f"worker {worker}")
    names[WORKERS] = "workers"
    if messages:
        names[MESSAGES] = "messages"
    for pid, name in names.items():
        rows.name("process_name", pid, 0, name)
    return {"traceEvents": rows.rows, "displayTimeUnit": "ms"}
