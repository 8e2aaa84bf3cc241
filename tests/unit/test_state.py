"""State snapshots: every reader understands its writer, and refuses another version by name."""

from __future__ import annotations

import pytest

from tidemark_py.abi.gen.abi import EVENT_RING_RECORDS, Event
from tidemark_py.errors import InternalError
from tidemark_py.host.fake import FakeKernel
from tidemark_py.state.child_exit import ChildExitState
from tidemark_py.state.events import EventReader, parse_events
from tidemark_py.state.kernel_runtime import FdState, KernelRuntimeState, ProcessState, ThreadState


def test_kernel_runtime_state_round_trip_and_version() -> None:
    state = KernelRuntimeState(
        {"processes": 1},
        [ThreadState(0, "USER", 1, "CONTINUE", "EXEC", 2, 2, -1, 0, 10, 64)],
        [ProcessState(2, 1, 2, 2, "sh", "R", 1, [FdState(0, "pipe:[1]")])],
    )
    assert KernelRuntimeState.from_json(state.to_json()) == state
    with pytest.raises(InternalError, match="format 99"):
        KernelRuntimeState.from_json({**state.to_json(), "version": 99})
    with pytest.raises(InternalError, match="ABI dead"):
        KernelRuntimeState.from_json({**state.to_json(), "abi_hash": "deadbeef"})


def test_child_exit_round_trip_and_codes() -> None:
    state = ChildExitState(7, 0x8B, 123, 456)
    assert ChildExitState.unpack(state.pack()) == state
    assert state.returncode == -11 and state.core_dumped
    assert ChildExitState(7, 3 << 8).returncode == 3
    with pytest.raises(InternalError, match="format"):
        ChildExitState.unpack(b"\x63" + state.pack()[1:])


def test_event_reader_takes_what_is_new_and_counts_what_was_overwritten() -> None:
    kernel = FakeKernel()
    reader = EventReader(kernel)
    for pid in range(3):
        kernel.event(Event.EXIT, pid, a=pid << 8)
    records, lost = reader.take()
    assert [(e.seq, e.kind, e.pid, e.a) for e in parse_events(records)] == [
        (1, "exit", 0, 0),
        (2, "exit", 1, 256),
        (3, "exit", 2, 512),
    ]
    assert lost == 0 and reader.take() == (b"", 0)
    for _ in range(EVENT_RING_RECORDS + 10):
        kernel.event(Event.STOP, 1)
    records, lost = reader.take()
    assert lost == 10 and next(parse_events(records)).seq == 14


def test_instructions_of_a_reaped_child_come_from_its_event() -> None:
    kernel = FakeKernel()
    kernel.event(Event.REAP, 5, 0, 777)
    kernel.event(Event.EXIT, 6)
    reader = EventReader(kernel)
    assert reader.instructions_of_reaped(5) == 777
    assert reader.instructions_of_reaped(6) == 0
