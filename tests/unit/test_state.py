"""State snapshots: every reader understands its writer, and refuses another version by name."""

from __future__ import annotations

import struct

import pytest

from tidemark_py.abi.gen.abi import EVENT_RING_RECORDS, Errno, Event, OfdKind, SocketFlag, State, Thread
from tidemark_py.abi.gen.abi import SocketState as Phase
from tidemark_py.channel.later import Later
from tidemark_py.errors import SnapshotError
from tidemark_py.host.fake import FakeKernel
from tidemark_py.state.child_exit import ChildExitState
from tidemark_py.state.envelope import KernelRecord
from tidemark_py.state.events import EventReader, parse_events
from tidemark_py.state.fds import FdEntry, FdTable
from tidemark_py.state.kernel_runtime import FdState, KernelRuntimeState, ProcessState, ThreadState
from tidemark_py.state.memory import GuestMemoryWrites, KernelMemoryWrites, MemoryWrite
from tidemark_py.state.ofd import OfdState
from tidemark_py.state.pipe import PipeState
from tidemark_py.state.records import StateRecords
from tidemark_py.state.socket import SocketPacket, SocketState
from tidemark_py.state.thread import Registers, ThreadSnapshot


def test_kernel_runtime_state_round_trip_and_version() -> None:
    state = KernelRuntimeState(
        {"processes": 1},
        [ThreadState(0, "USER", 1, "CONTINUE", "EXEC", 2, 2, -1, 0, 10, 64)],
        [ProcessState(2, 1, 2, 2, "sh", "R", 1, [FdState(0, "pipe:[1]")])],
    )
    assert KernelRuntimeState.from_json(state.to_json()) == state
    assert KernelRuntimeState.unpack(state.pack()) == state
    with pytest.raises(SnapshotError, match="format 99"):
        KernelRuntimeState.from_json({**state.to_json(), "version": 99})
    with pytest.raises(SnapshotError, match="ABI dead"):
        KernelRuntimeState.from_json({**state.to_json(), "abi_hash": "deadbeef"})


def test_child_exit_round_trip_and_codes() -> None:
    state = ChildExitState(7, 0x8B, 123, 456)
    assert ChildExitState.unpack(state.pack()) == state
    assert state.returncode == -11 and state.core_dumped
    assert ChildExitState(7, 3 << 8).returncode == 3


THREAD = ThreadSnapshot(
    pid=4, object=5, slot=3, generation=9, word=Thread.PARKED, in_call=True, blocked=1 << 63, saved_blocked=2,
    restore_blocked=True, pending=4, process_pending=8, stack_sp=0x1000, stack_bytes=8192, stack_flags=2,
    clear_child_tid=16, robust_list=32, call=63, arguments=(0, 1, 2, 3, 4, 5), call_pc=0x10000, restart_deadline_ns=7,
    parked_since_ns=6, waits=1, killed=False, name="sh",
    registers=Registers(x=tuple(range(32)), pc=0x10000, f=tuple(range(100, 132)), fcsr=0xE0, instret=12345),
)  # fmt: skip
RECORDS: list[KernelRecord] = [
    ChildExitState(7, 0x8B, 123, 456),
    FdTable(4, (FdEntry(0, False, 0x1000, 1, OfdKind.PIPE), FdEntry(9, True, 0x2000, 2, OfdKind.FILE))),
    OfdState(4, 9, 0x2000, 2, OfdKind.FILE, 1 << 40, 0o2002, 3, -4, 0o100644, 1, 77, 99, 0, "/tmp/\udcff name"),
    PipeState(4, 0, 12, 65536, 1, 2, 3, 4, True, False, bytes(range(256))),
    SocketState(
        4, 3, 0x3000, 0x4000, 1, 1, 0, Phase.CONNECTED, SocketFlag.BOUND, 0, 999, 212992, 1, 5, b"\1\0/sock", b"",
        (SocketPacket(b"one", 0, 4, 5, 6, b"\1\0me"), SocketPacket(b"", 2), SocketPacket(b"two")),
    ),
    THREAD,
    GuestMemoryWrites(4, (MemoryWrite(0x10000, b"abc"), MemoryWrite(2**40, b""))),
    KernelMemoryWrites(0, (MemoryWrite(4096, bytes(5000)),)),
]  # fmt: skip


@pytest.mark.parametrize("state", RECORDS, ids=lambda s: type(s).__name__)
def test_every_record_round_trips_and_is_refused_by_name_when_it_is_not_ours(state: KernelRecord) -> None:
    packed = state.pack()
    again = type(state).unpack(packed)
    assert again == state and again.pack() == packed
    assert type(state).of_record(state.pid, state.object, state.record()) == state
    name = state.KIND.name.lower().replace("_", " ")
    with pytest.raises(SnapshotError, match=f"a {name} snapshot of format 99 was given"):
        type(state).unpack(packed[:4] + b"\x63\x00" + packed[6:])
    with pytest.raises(SnapshotError, match=f"a {name} snapshot of ABI dead"):
        type(state).unpack(packed[:20] + b"\xde\xad" + packed[22:])
    with pytest.raises(SnapshotError, match="cut short"):
        type(state).unpack(packed[:-1])
    with pytest.raises(SnapshotError, match="corrupted"):
        type(state).unpack(packed[:-1] + bytes([packed[-1] ^ 1]))
    other = KernelMemoryWrites if not isinstance(state, KernelMemoryWrites) else FdTable
    with pytest.raises(SnapshotError, match=f"category {state.KIND.name.lower()} was given"):
        other.unpack(packed)
    with pytest.raises(SnapshotError, match="no snapshot"):
        type(state).unpack(b"something else, whatever it is, it is long enough")


def test_malformed_records_are_refused() -> None:
    pipe = RECORDS[3].record()
    with pytest.raises(SnapshotError, match="255 are there"):
        PipeState.of_record(4, 0, pipe[:-1])
    with pytest.raises(SnapshotError, match="packets end at"):
        SocketState.of_record(4, 3, RECORDS[4].record() + b"x")
    with pytest.raises(SnapshotError, match="no whole number"):
        FdTable.of_record(4, 0, b"x" * 33)
    with pytest.raises(SnapshotError, match="thread 5 of process 4"):
        ThreadSnapshot.of_record(4, 6, THREAD.record())
    with pytest.raises(SnapshotError, match="are not there"):
        GuestMemoryWrites.of_record(4, 0, struct.pack("<QQ", 1, 5) + b"abcd")


class Errands:
    """A kernel that answers the record calls: one pipe, and one errand at a time."""

    thread_records = counters = 0

    def __init__(self) -> None:
        self.staging = bytearray(1 << 20)
        self.wrote = b""
        self.calls: list[tuple[str, tuple[float, ...]]] = []

    def read(self, address: int, size: int) -> bytes:
        """Staging."""
        return bytes(self.staging[address : address + size])

    def write(self, address: int, data: bytes | memoryview) -> None:
        """Staging."""
        self.staging[address : address + len(data)] = data

    def call(self, name: str, *numbers: float) -> float:
        """As kernel/host/state.c."""
        self.calls.append((name, numbers))
        if name == "tk_errand_begin":
            return 5 if numbers[1] == 4 else -int(Errno.ESRCH)
        if name == "tk_errand_take":
            self.write(int(numbers[1]), b"guest")
            return 5 if numbers[0] == 5 else -int(Errno.EFAULT)
        if name == "tk_state_write":
            self.wrote = self.read(int(numbers[3]), int(numbers[4]))
            return 0
        self.write(int(numbers[3]), RECORDS[3].record())
        return len(RECORDS[3].record())


def test_records_come_at_once_or_when_the_errand_is_told() -> None:
    kernel = Errands()
    records = StateRecords(kernel)  # type: ignore[arg-type]
    assert records.read(State.PIPE, 4, 0, 0) == RECORDS[3].record()
    assert records.write(State.PIPE, 4, 0, b"new") is None and kernel.wrote == b"new"
    later = records.read(State.GUEST_MEMORY, 4, 0x10000, 5)
    assert isinstance(later, Later) and not later.done
    records.done(99)
    assert not later.done
    records.done(5)
    assert later.result() == b"guest"
    with pytest.raises(ProcessLookupError):
        records.read(State.THREAD, 5, 5, 0)
    with pytest.raises(OSError, match="too long"):
        records.write(State.KERNEL_MEMORY, 0, 0, bytes(3 << 20))


def test_event_reader_takes_what_is_new_and_counts_what_found_no_room() -> None:
    kernel = FakeKernel()
    kernel.event(Event.EXIT, 9)  # nobody listened
    reader = EventReader(kernel, 0x10000, 1 << 20)
    reader.listen("test", 1 << Event.EXIT | 1 << Event.STOP)
    for pid in range(3):
        kernel.event(Event.EXIT, pid, a=pid << 8)
    kernel.event(Event.SIGNAL, 1)
    records, lost = reader.take("test")
    assert [(e.seq, e.kind, e.pid, e.a) for e in parse_events(records)] == [
        (2, "exit", 0, 0),
        (3, "exit", 1, 256),
        (4, "exit", 2, 512),
    ]
    assert lost == 0 and reader.take("test") == (b"", 0)
    for _ in range(EVENT_RING_RECORDS + 10):
        kernel.event(Event.STOP, 1)
    records, lost = reader.take("test")
    assert lost == 10 and next(parse_events(records)).seq == 6


def test_listeners_get_their_kinds_each_and_one_takes_nothing_from_another() -> None:
    kernel = FakeKernel()
    reader = EventReader(kernel, 0x10000, 1 << 20)
    reader.listen("net", 1 << Event.NET_REFUSED)
    reader.listen("page", 1 << Event.NET_REFUSED | 1 << Event.EXIT)
    kernel.event(Event.NET_REFUSED, 5, a=7)
    kernel.event(Event.EXIT, 5)
    assert [e.kind for e in parse_events(reader.take("page")[0])] == ["net_refused", "exit"]
    assert next(parse_events(reader.take_one("net", reader.last() - 1))).a == 7
    assert reader.take_one("net", reader.last() - 1) == b""
    reader.listen("page", 0)
    kernel.event(Event.EXIT, 6)
    assert reader.take("page") == (b"", 0) and kernel.events == []
