"""Trace records to lines and to Chrome's format; the report about calls that are not there."""

from __future__ import annotations

import asyncio
import json
import struct

import pytest

from tests.unit.conftest import Machine
from tidemark_py.abi.gen import messages as m
from tidemark_py.abi.gen.abi import SYSCALLS, CallUse, Event, Notify, Role, Syscall, Trace, TraceRecord
from tidemark_py.dev import trace_check
from tidemark_py.dev.diagnose import missing
from tidemark_py.dev.profile import Functions, Symbols, speedscope
from tidemark_py.errors import InternalError
from tidemark_py.state.perfetto import perfetto_trace
from tidemark_py.state.timeline import chrome_trace
from tidemark_py.state.trace import TraceEvent, format_trace, parse_call_uses, parse_trace


def record(
    nr: int, args: tuple[int, ...] = (), result: int = 0, captured: tuple[tuple[int, bytes], ...] = (), **more: int
) -> bytes:
    """As the kernel writes it."""
    payload = b"".join(struct.pack("<HH", n, len(d)) + d + bytes(-len(d) % 4) for n, d in captured)
    payload += bytes(-len(payload) % 8)
    fields = {"kind": Trace.CALL, "pid": 5, "tid": 6, "start_ns": 1_500_000_000, "end_ns": 1_500_250_000, **more}
    r = TraceRecord(
        bytes=TraceRecord.BYTES + len(payload), result=result, nr=nr, instance=3,
        args=(*args, *(0,) * (6 - len(args))), name=(*b"prog", *(0,) * 12), **fields,
    )  # fmt: skip
    return r.pack() + payload


def line(data: bytes) -> str:
    """Without thread and time."""
    return format_trace(next(parse_trace(data)), 500_000_000).removeprefix("[6] 1.000000 ")


AT_FDCWD = (1 << 64) - 100
CALLS = [
    (record(Syscall.openat, (AT_FDCWD, 0x1000, 0o2000000 | 1, 0o644), -2, ((1, b"/etc/x\0"),)),
     'openat(AT_FDCWD, "/etc/x", O_WRONLY|O_CLOEXEC, 0o644) = -1 ENOENT'),
    (record(Syscall.write, (1, 0x2000, 40), 40, ((1, b"a\n\"\\\x01" + b"z" * 35),)),
     'write(1, "a\\n\\"\\\\\\1' + "z" * 27 + '"..., 40) = 40'),
    (record(Syscall.read, (0, 0x2000, 64), 0), "read(0, 0x2000, 64) = 0"),
    (record(Syscall.mmap, (0, 4096, 3, 0x22, (1 << 64) - 1, 0), 0x4000000),
     "mmap(NULL, 4096, PROT_WRITE|PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x4000000"),
    (record(Syscall.kill, ((1 << 64) - 1, 9), -3), "kill(-1, SIGKILL) = -1 ESRCH"),
    (record(Syscall.exit_group, (3,), -600), "exit_group(3) = ?"),
    (record(Syscall.pipe2, (0x10, 0), 0, ((0, struct.pack("<ii", 3, 4)),)), "pipe2([3, 4], O_RDONLY) = 0"),
    (record(Syscall.execve, (1, 2, 0), 0, ((0, b"/bin/ls\0"), (1, b"ls\0"), (1, b"-l\0"))),
     'execve("/bin/ls", ["ls", "-l"], NULL) = 0'),
    (record(Syscall.openat, (5, 0x1000, 0, 0), 3, ((1, b"y" * 256),)),
     f'openat(5, "{"y" * 256}"..., O_RDONLY, 0o0) = 3'),
    (record(Syscall.wait4, ((1 << 64) - 1, 0, 0, 0), -512), "wait4(-1, NULL, NULL, NULL) = ? ERESTARTSYS"),
    (record(9999, (1, 2), -38), "syscall_0x270f(0x1, 0x2, 0x0, 0x0, 0x0, 0x0) = -1 ENOSYS"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), CALLS, ids=[e.split("(")[0] for _, e in CALLS])
def test_a_call_s_line(data: bytes, expected: str) -> None:
    assert line(data) == f"{expected} <0.000250>"


def test_waiting_is_told_apart() -> None:
    assert line(record(Syscall.getpid, (), 5, parked_ns=200_000)).endswith("= 5 <0.000250, waited 0.000200>")


def test_every_call_of_the_table_can_be_shown_with_any_arguments() -> None:
    for row in SYSCALLS:
        for args in ((0,) * 6, ((1 << 64) - 1,) * 6, (1 << 31,) * 6):
            assert line(record(row.nr, args)).startswith(row.name + "(")


def test_events_lines() -> None:
    assert "exited with 7" in line(record(Event.EXIT, (7 << 8,), kind=Trace.EVENT))
    assert "killed by SIGSEGV" in line(record(Event.EXIT, (139,), kind=Trace.EVENT))
    assert line(record(Event.SIGNAL, (10, 2), kind=Trace.EVENT)) == "--- SIGUSR1 caught ---"
    assert "17 events were lost" in line(record(0, (), 17, kind=Trace.LOST))


@pytest.mark.parametrize("cut", [1, 64, TraceRecord.BYTES])
def test_torn_records_are_named(cut: int) -> None:
    data = record(Syscall.openat, (0, 1), 0, ((1, b"name\0"),))
    with pytest.raises(InternalError, match="trace record"):
        list(parse_trace(data + data[:cut]))


def test_a_trace_file_is_what_its_readers_want() -> None:
    """Trace Event Format: phase, microseconds, ids; durations for calls and waits; names for processes and workers."""
    data = record(Syscall.read, (0, 0, 1), 1, parked_ns=100_000)
    data += record(Event.EXIT, (0,), kind=Trace.EVENT)
    whole = json.loads(json.dumps(chrome_trace(list(parse_trace(data)))))
    rows = whole["traceEvents"]
    assert all({"ph", "pid", "tid", "ts", "name"} <= set(r) for r in rows)
    assert [(r["name"], r["dur"]) for r in rows if r["ph"] == "X" and r["pid"] == 5] == [
        ("read", 250.0),
        ("read", 100.0),
    ]
    call, wait = (r for r in rows if r["ph"] == "X" and r["pid"] == 5)
    assert call["ts"] <= wait["ts"] and wait["ts"] + wait["dur"] == call["ts"] + call["dur"]
    assert [r["name"] for r in rows if r["ph"] == "i"] == ["exit"]
    names = {r["pid"]: r["args"]["name"] for r in rows if r["name"] == "process_name"}
    assert names == {5: "prog", 0: "workers"}
    assert trace_check.problems(whole) == []
    assert [(r["tid"], r["name"]) for r in rows if r["ph"] == "X" and r["pid"] == 0] == [(3, "thread 6")]


def message(start_ns: int, end_ns: int) -> bytes:
    return record(Notify.START, (Role.OWNER, 0, 3), kind=Trace.MESSAGE, start_ns=start_ns, end_ns=end_ns, pid=5, tid=6)


def test_perfetto_s_own_format_has_every_process_wait_and_message_on_a_track() -> None:
    """Read by its makers' classes; nested and simultaneous slices, messages that overlap, an instant."""
    data = record(Syscall.read, (0, 0, 1), 1, parked_ns=100_000)
    data += record(Syscall.write, (1, 0, 1), 1, start_ns=1_500_250_000, end_ns=1_500_250_000)
    data += message(1_500_000_100, 1_500_000_300) + message(1_500_000_200, 1_500_000_400)
    data += record(Event.EXIT, (0,), kind=Trace.EVENT, start_ns=1_500_300_000, end_ns=1_500_300_000)
    whole = perfetto_trace(list(parse_trace(data)))
    assert trace_check.perfetto_problems(whole) == []
    tracks = trace_check.perfetto_tracks(whole)
    by_name = {track["name"]: track for track in tracks.values()}
    assert by_name["prog"]["kind"] == "process" and by_name["thread 6"]["kind"] == "thread"
    assert tracks[by_name["thread 6"]["parent"]]["name"] == "prog"
    assert by_name["thread 6"]["slices"][:2] == ["read", "write"]
    waits = by_name["waits of 6"]
    assert waits["slices"] == ["read"] and tracks[waits["parent"]]["name"] == "thread 6"
    messages = [t for t in tracks.values() if t["slices"] and t["parent"] and tracks[t["parent"]]["name"] == "messages"]
    assert [m["slices"] for m in messages] == [["start to owner"]] * 2
    assert tracks[by_name["worker 3"]["parent"]]["name"] == "workers"


def varint(n: int) -> bytes:
    return bytes([n & 127 | 128, *varint(n >> 7)]) if n > 127 else bytes([n])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def event(ns: int, kind: int, track: int = 1) -> bytes:
    name = field(22, b"c") + field(23, b"n") if kind != 2 else b""
    return field(1, field(10, 1) + field(8, ns) + field(11, field(9, kind) + field(11, track) + name))


DECLARED = field(1, field(10, 1) + field(60, field(1, 1) + field(2, b"track")))
WRONG = [
    (event(5, 1) + event(6, 2), "not declared"),
    (DECLARED + event(5, 1), "never end"),
    (DECLARED + event(5, 2), "never began"),
    (DECLARED + event(7, 1) + event(6, 2), "after 7"),
    (DECLARED + DECLARED, "twice"),
    (DECLARED + event(5, 4), "TYPE_COUNTER"),
    (DECLARED + field(1, field(10, 1) + field(60, field(1, 2) + field(5, 9))), "lies in 9"),
    (DECLARED + field(1, field(10, 1) + field(9_000_000, 1)), "does not have"),
    (field(1, field(60, field(1, 1))), "no sequence"),
]


@pytest.mark.parametrize(("data", "said"), WRONG, ids=[said for _, said in WRONG])
def test_the_check_of_perfetto_s_format_finds_what_is_wrong(data: bytes, said: str) -> None:
    assert any(said in text for text in trace_check.perfetto_problems(data))


def use(nr: int, count: int, refused: int) -> bytes:
    return CallUse(program=(*b"prog", *(0,) * 12), nr=nr, count=count, refused=refused).pack()


def test_the_report_names_what_was_wanted_and_is_not_there() -> None:
    uses = parse_call_uses(
        use(Syscall.mmap, 9, 0) + use(Syscall.prctl, 4, 2) + use(Syscall.bpf, 3, 3) + use(Syscall.rseq, 1, 1)
    )
    assert missing(uses, "none") == []
    shown = missing(uses, "missing")
    assert shown[0] == "system call: prog: bpf (280) 3 times: not implemented"
    assert "prctl (167) 4 times: partial (" in shown[1] and shown[1].endswith("2 refused") and len(shown) == 2
    assert len(missing(uses, "all")) == 4


async def test_listeners_get_their_process_and_its_children_and_stop_the_kernel(machine: Machine) -> None:
    rt = machine.runtime
    seen: list[str] = []

    async def listen() -> None:
        async for event in rt.trace(5):
            seen.append(f"{event.pid} {event.name}")

    task = asyncio.ensure_future(listen())
    await asyncio.sleep(0.01)
    assert ("tk_trace", (5, 3)) in machine.kernel.calls
    spawned = record(Event.SPAWN, (1, 0, 5), kind=Trace.EVENT, pid=7)
    child = record(Syscall.getpid, pid=7)
    other = record(Syscall.getpid, pid=8)
    rt.trace_recorded(m.TraceRecorded(record(Syscall.read) + spawned + child + other))
    await asyncio.sleep(0.01)
    assert seen == ["5 read", "7 spawn", "7 getpid"]
    task.cancel()
    await asyncio.sleep(0.01)
    assert ("tk_trace", (5, 0)) in machine.kernel.calls


async def test_tracing_ends_with_the_runtime(machine: Machine) -> None:
    async def lines() -> list[str]:
        return [line async for line in machine.runtime.strace()]

    task = asyncio.ensure_future(lines())
    await asyncio.sleep(0.01)
    machine.runtime.trace_recorded(m.TraceRecorded(record(Syscall.getpid, (), 5)))
    machine.runtime.close()
    assert len(await task) == 1


def test_a_profile_is_samples_by_thread_with_weights_and_functions() -> None:
    def sample(tid: int, place: int, compiled: int, ns: int) -> TraceEvent:
        where = ((0, b"/bin/a"),)
        return TraceEvent(Trace.SAMPLE, 5, tid, 100, 100 + ns, 0, 0, 0, 1, (0, compiled, place, 0, 0, 0), "a", where)

    events = [sample(5, 0x1234, 0, 10), sample(5, 0x1230, 0, 20), sample(6, 0x1234, 1, 30)]
    made = speedscope(events, Symbols([]))
    first, second = made["profiles"]
    assert first["samples"] == [[0, 1], [0, 1]] and first["weights"] == [10, 20] and first["endValue"] == 30
    assert second["samples"] == [[0, 2]] and second["name"] == "a (process 5, thread 6)"
    names = [frame["name"] for frame in made["shared"]["frames"]]
    assert names == ["/bin/a", "a+0x1000 [interpreted]", "a+0x1000 [compiled]"]


def test_functions_of_an_elf_file_are_found_by_place_and_torn_files_have_none() -> None:
    def elf(name: int = 1) -> bytes:
        head = (
            b"\x7fELF\x02\x01".ljust(32, b"\0")
            + struct.pack("<QQ", 64, 120)
            + bytes(6)
            + struct.pack("<HHHH", 56, 1, 64, 3)
        )
        load = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, 0x11000, 0x11000, 0x200, 0x200, 0x1000)
        null = bytes(64)
        table = struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, 312, 48, 2, 0, 8, 24)
        strings = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 360, 10, 0, 0, 1, 0)
        symbols = bytes(24) + struct.pack("<IBBHQQ", name, 2, 0, 1, 0x11010, 16)
        return head.ljust(64, b"\0") + load + null + table + strings + symbols + b"\0function\0"

    functions = Functions(elf())
    assert [functions.name(place) for place in (0x100F, 0x1010, 0x101F, 0x1020)] == [None, "function", "function", None]
    whole = elf()
    for cut in range(len(whole)):
        assert Functions(whole[:cut]).name(0x1010) is None
    assert Functions(elf(99999)).name(0x1010) is None
