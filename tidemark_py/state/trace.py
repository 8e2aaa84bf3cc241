"""Trace records: what the kernel noted of a system call or an event, and the line strace(1) would print for it.

Reads the trace ring's bytes (abi/layouts.toml: trace_record) and call_use records; the formats follow the argument
types of abi/syscalls.toml. Nothing writes records back. Missing: most structures behind pointers (shown as addresses).
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from ..abi.gen import linux
from ..abi.gen.abi import SYSCALLS, CallUse, Errno, Event, Metric, Notify, Start, SyscallRow, Trace, TraceRecord
from ..abi.gen.guest import Stat
from ..errors import InternalError

__all__ = [
    "CallUseState",
    "TraceEvent",
    "arguments_text",
    "event_text",
    "format_trace",
    "parse_call_uses",
    "parse_trace",
    "result_text",
]

ROWS: dict[int, SyscallRow] = {row.nr: row for row in SYSCALLS}
STRING_BYTES = 256  # what the kernel captures of one
RESTARTS = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}
NO_RESULT = -600  # the call did not return
PROBED = {"rseq", "io_uring_setup"}  # glibc and libuv ask for them at every start and do without
FAMILIES = {1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6", 16: "AF_NETLINK"}


def _call_name(nr: int) -> str:
    row = ROWS.get(nr)
    return row.name if row else f"syscall_{nr:#x}"


def _lower(names: type[IntEnum]) -> Callable[[int], str]:
    return lambda value: names(value).name.lower()


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One record. Times are CLOCK_MONOTONIC nanoseconds; parked_ns of them the thread waited."""

    kind: Trace
    pid: int
    tid: int
    start_ns: int
    end_ns: int
    parked_ns: int
    result: int
    nr: int
    worker: int
    args: tuple[int, ...]
    program: str
    captured: tuple[tuple[int, bytes], ...] = ()

    @property
    def name(self) -> str:
        """The system call's or event's name."""
        if self.kind == Trace.CALL:
            return _call_name(self.nr)
        if self.kind == Trace.EVENT:
            return Event(self.nr).name.lower()
        names = {Trace.WAIT: _call_name, Trace.MESSAGE: _lower(Notify), Trace.RUN: _lower(Start)}
        names[Trace.PHASE] = _lower(Metric)
        return names[self.kind](self.nr) if self.kind in names else self.kind.name.lower()


@dataclass(frozen=True, slots=True)
class CallUseState:
    """How often `program` made a call that this kernel lacks (level "none") or has in part, and was refused."""

    program: str
    nr: int
    name: str
    level: str
    note: str
    count: int
    refused: int

    @property
    def matters(self) -> bool:
        """Something was asked for that is not there (and not only probed for)."""
        return self.name not in PROBED and (self.level == "none" or self.refused > 0)

    def __str__(self) -> str:
        what = "not implemented" if self.level == "none" else f"partial ({self.note}), {self.refused} refused"
        return f"{self.program}: {self.name} ({self.nr}) {self.count} times: {what}"


def parse_call_uses(data: bytes) -> list[CallUseState]:
    """The records of tk_call_use_take."""
    uses = []
    for at in range(0, len(data) - len(data) % CallUse.BYTES, CallUse.BYTES):
        r = CallUse.unpack(data, at)
        row = ROWS.get(r.nr)
        name, level, note = (row.name, row.level, row.note) if row else (f"syscall_{r.nr:#x}", "none", "")
        uses.append(CallUseState(_text(bytes(r.program)), r.nr, name, level, note, r.count, r.refused))
    return uses


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("utf-8", "replace")


def parse_trace(data: bytes) -> Iterator[TraceEvent]:
    """The records in what the trace ring gave. Raises InternalError for torn ones."""
    at = 0
    while at < len(data):
        if at + TraceRecord.BYTES > len(data):
            raise InternalError("a trace record is cut off")
        r = TraceRecord.unpack(data, at)
        if r.bytes < TraceRecord.BYTES or at + r.bytes > len(data):
            raise InternalError(f"a trace record of {r.bytes} bytes at {at} of {len(data)}")
        yield TraceEvent(
            Trace(r.kind), r.pid, r.tid, r.start_ns, r.end_ns, r.parked_ns, r.result, r.nr, r.instance, r.args,
            _text(bytes(r.name)), tuple(_captured(data[at + TraceRecord.BYTES : at + r.bytes])),
        )  # fmt: skip
        at += r.bytes


def _captured(payload: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 < len(payload):
        argument, size = struct.unpack_from("<HH", payload, at)
        if not size:
            return
        yield argument, payload[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


# ---- one line ----


def format_trace(event: TraceEvent, epoch_ns: int = 0) -> str:
    """Nearly as `strace -f -r -T` prints it; epoch_ns is taken off the time. <how long it took, waited of it>"""
    head = f"[{event.tid}] {(event.start_ns - epoch_ns) / 1e9:.6f} "
    if event.kind == Trace.LOST:
        return f"{head}+++ {event.result} events were lost +++"
    if event.kind == Trace.EVENT:
        return head + event_text(event)
    if event.kind != Trace.CALL:
        kind, took_s = Trace(event.kind).name.lower(), (event.end_ns - event.start_ns) / 1e9
        return f"{head}+++ {kind} {event.name} <{took_s:.6f}> +++"
    took = f" <{(event.end_ns - event.start_ns) / 1e9:.6f}"
    took += f", waited {event.parked_ns / 1e9:.6f}>" if event.parked_ns else ">"
    return f"{head}{event.name}({arguments_text(event)}) = {result_text(event)}{took}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRT_{number - 32}" if number >= 32 else f"signal {number}"


def event_text(e: TraceEvent) -> str:
    """A lifecycle event in words."""
    a, b = (v - (1 << 64) if v >> 63 else v for v in e.args[:2])
    if e.nr == Event.EXIT:
        if a & 0x7F:
            return f"+++ {e.program} killed by {_signal_name(a & 0x7F)} +++"
        return f"+++ {e.program} exited with {a >> 8 & 0xFF} +++"
    if e.nr == Event.SIGNAL:
        return f"--- {_signal_name(a)} {'caught' if b == 2 else 'ends ' + e.program} ---"
    return f"+++ {e.name} {e.program} pid {e.pid} parent {e.args[2]} ({a}, {b}) +++"


def result_text(e: TraceEvent) -> str:
    """What the call returned, as strace(1) has it."""
    r = e.result
    if r == NO_RESULT:
        return "?"
    if -r in RESTARTS:
        return f"? {RESTARTS[-r]}"
    if -4096 < r < 0:
        try:
            return f"-1 {Errno(-r).name}"
        except ValueError:
            return f"-1 errno {-r}"
    return hex(r & (1 << 64) - 1) if r > 1 << 20 or r < 0 else str(r)


def arguments_text(e: TraceEvent) -> str:
    """By the types of the syscall table."""
    row = ROWS.get(e.nr)
    if row is None:
        return ", ".join(hex(a) for a in e.args)
    return ", ".join(_argument(e, i, kind) for i, (_, kind) in enumerate(row.args))


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _argument(e: TraceEvent, i: int, kind: str) -> str:
    value = e.args[i]
    pieces = [data for number, data in e.captured if number == i]
    if kind in DECODERS and pieces:
        return DECODERS[kind](pieces)
    if kind in SETS:
        return _flags(value & 0xFFFFFFFF, SETS[kind])
    plain = PLAIN.get(kind)
    if plain is not None:
        return plain(value)
    return "NULL" if value == 0 else hex(value)


def _quoted(data: bytes) -> str:
    text = "".join(chr(b) if 32 <= b < 127 and b not in (34, 92) else ESCAPES.get(b, f"\\{b:o}") for b in data)
    return f'"{text}"'


ESCAPES = {10: "\\n", 9: "\\t", 13: "\\r", 34: '\\"', 92: "\\\\"}


def _string(data: bytes) -> str:
    text, end, _ = data.partition(b"\0")
    return _quoted(text) + ("" if end else "...")


def _seconds(data: bytes) -> str:
    sec, nsec = struct.unpack_from("<qq", data)
    return f"{{tv_sec={sec}, tv_nsec={nsec}}}"


def _sigset(data: bytes) -> str:
    (bits,) = struct.unpack_from("<Q", data)
    names = [_signal_name(n).removeprefix("SIG") for n in range(1, 65) if bits >> (n - 1) & 1]
    return "~[]" if len(names) == 64 else f"[{' '.join(names)}]"


def _sockaddr(data: bytes) -> str:
    (family,) = struct.unpack_from("<H", data)
    name = FAMILIES.get(family, str(family))
    if family == 1:
        path = data[2:]
        shown = "@" + path[1:].split(b"\0")[0].decode("latin-1") if path[:1] == b"\0" else _string(path).rstrip(".")
        return f"{{{name}, {shown}}}"
    if family == 2:
        return f"{{{name}, {int.from_bytes(data[2:4], 'big')}, {'.'.join(map(str, data[4:8]))}}}"
    return f"{{{name}, ...}}"


def _stat(data: bytes) -> str:
    s = Stat.unpack(data)
    return f"{{st_mode={s.st_mode:#o}, st_size={s.st_size}, ...}}"


DECODERS: dict[str, Callable[[list[bytes]], str]] = {
    "cstr": lambda p: _string(p[0]),
    "strv": lambda p: "[" + ", ".join(map(_string, p)) + "]",
    "inbuf": lambda p: _quoted(p[0][:32]) + ("..." if len(p[0]) > 32 else ""),
    "outbuf": lambda p: _quoted(p[0][:32]) + ("..." if len(p[0]) > 32 else ""),
    "timespec": lambda p: _seconds(p[0]),
    "sigset": lambda p: _sigset(p[0]),
    "sockaddr": lambda p: _sockaddr(p[0]),
    "stat": lambda p: _stat(p[0]),
    "fdpair": lambda p: "[{}, {}]".format(*struct.unpack_from("<ii", p[0])),
}
PLAIN: dict[str, Callable[[int], str]] = {
    "fd": lambda v: "AT_FDCWD" if _signed(v) == linux.AT_FDCWD else str(_signed(v)),
    "int": lambda v: str(_signed(v)),
    "pid": lambda v: str(_signed(v)),
    "whence": lambda v: {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END"}.get(v, str(v)),
    "signo": lambda v: _signal_name(_signed(v)) if v else "0",
    "uint": lambda v: str(v & 0xFFFFFFFF),
    "uid": lambda v: str(_signed(v)),
    "mode": lambda v: f"{v & 0xFFFFFFFF:#o}",
    "size": str,
    "off": lambda v: str(v - (1 << 64) if v >> 63 else v),
    "long": lambda v: str(v - (1 << 64) if v >> 63 else v),
}


def _names(prefix: str, *without: str) -> list[tuple[int, str]]:
    """Constants of a family, bigger ones first, so that O_SYNC goes before O_DSYNC."""
    found = {n: v for n, v in vars(linux).items() if n.startswith(prefix) and isinstance(v, int) and v > 0}
    return sorted(((v, n) for n, v in found.items() if n not in without), reverse=True)


#: type -> (mask of an enumeration, its names, single flags)
SETS: dict[str, tuple[int, dict[int, str], list[tuple[int, str]]]] = {
    "openflags": (3, {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR"}, _names("O_", "O_ACCMODE", "O_WRONLY", "O_RDWR")),
    "prot": (0, {}, _names("PROT_")),
    "mapflags": (3, {1: "MAP_SHARED", 2: "MAP_PRIVATE", 3: "MAP_SHARED_VALIDATE"},
                 _names("MAP_", "MAP_SHARED", "MAP_PRIVATE", "MAP_SHARED_VALIDATE", "MAP_TYPE", "MAP_FILE")),
    "cloneflags": (0xFF, {17: "SIGCHLD"}, _names("CLONE_")),
}  # fmt: skip


def _flags(value: int, how: tuple[int, dict[int, str], list[tuple[int, str]]]) -> str:
    mask, names, flags = how
    parts = [names[value & mask]] if value & mask in names else []
    rest = value & ~mask if parts or not mask else value
    for flag, name in flags:
        if flag & rest == flag and flag:
            parts.append(name)
            rest &= ~flag
    if rest or not parts:
        parts.append(hex(rest))
    return "|".join(parts)
