"""ThreadSnapshot: a guest thread at one point: registers, signal mask, what is pending, the call it sleeps in.

Read and written by the thread itself on its way through the kernel (an errand), so that the register block is the
truth. A thread inside a call has pc at its ecall and a0..a5 as it made the call: running it from there makes the call
again. Writing one sets registers, mask, alternate stack, tid and robust list addresses and name, and adds signals; a
call under way is interrupted and its result dropped. ESTALE when the slot has another thread by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ..abi.gen.abi import State, StateRegisters, StateThread, Thread
from ..errors import SnapshotError
from .envelope import KernelRecord

__all__ = ["Registers", "ThreadSnapshot"]


@dataclass(frozen=True, slots=True)
class Registers:
    """rv64gc. x[0] is 0; f NaN-boxed; fcsr: frm << 5 | fflags; instret: instructions retired by the thread."""

    x: tuple[int, ...]
    pc: int
    f: tuple[int, ...]
    fcsr: int = 0
    sink: int = 0
    reservation: int = 2**64 - 1
    reservation_value: int = 0
    instret: int = 0

    @property
    def sp(self) -> int:
        """Stack pointer."""
        return self.x[2]

    @property
    def a(self) -> tuple[int, ...]:
        """Arguments a0 .. a7."""
        return self.x[10:18]


@dataclass(frozen=True, slots=True)
class ThreadSnapshot(KernelRecord):
    """Thread `object` of process `pid`. Masks: bit n-1 is signal n. *_ns: CLOCK_MONOTONIC. waits: queues it is in."""

    KIND: ClassVar[State] = State.THREAD
    pid: int
    object: int
    slot: int
    generation: int
    word: Thread
    in_call: bool
    blocked: int
    saved_blocked: int
    restore_blocked: bool
    pending: int
    process_pending: int
    stack_sp: int
    stack_bytes: int
    stack_flags: int
    clear_child_tid: int
    robust_list: int
    call: int
    arguments: tuple[int, ...]
    call_pc: int
    restart_deadline_ns: int
    parked_since_ns: int
    waits: int
    killed: bool
    name: str
    registers: Registers

    def record(self) -> bytes:
        """state_thread, state_registers."""
        r = self.registers
        head = StateThread(
            slot=self.slot,
            generation=self.generation,
            pid=self.pid,
            tid=self.object,
            word=self.word,
            in_call=int(self.in_call),
            blocked=self.blocked,
            saved_blocked=self.saved_blocked,
            pending=self.pending,
            process_pending=self.process_pending,
            stack_sp=self.stack_sp,
            stack_bytes=self.stack_bytes,
            clear_child_tid=self.clear_child_tid,
            robust_list=self.robust_list,
            call=self.call,
            arguments=self.arguments,
            call_pc=self.call_pc,
            restart_deadline_ns=self.restart_deadline_ns,
            parked_since_ns=self.parked_since_ns,
            waits=self.waits,
            stack_flags=self.stack_flags,
            restore_blocked=int(self.restore_blocked),
            killed=int(self.killed),
            name=tuple(self.name.encode("utf-8", "surrogateescape")[:15].ljust(16, b"\0")),
        )
        registers = StateRegisters(
            x=r.x,
            sink=r.sink,
            pc=r.pc,
            f=r.f,
            fcsr=r.fcsr,
            reservation=r.reservation,
            reservation_value=r.reservation_value,
            instret=r.instret,
        )
        return head.pack() + registers.pack()

    @classmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From state_thread and state_registers."""
        if len(record) != StateThread.BYTES + StateRegisters.BYTES:
            raise SnapshotError(f"a thread's record has {len(record)} bytes")
        t, r = StateThread.unpack(record), StateRegisters.unpack(record, StateThread.BYTES)
        if (t.pid, t.tid) != (pid, object):
            raise SnapshotError(f"a record of thread {t.tid} of process {t.pid} was given for {object} of {pid}")
        return cls(
            pid=pid,
            object=object,
            slot=t.slot,
            generation=t.generation,
            word=Thread(t.word),
            in_call=bool(t.in_call),
            blocked=t.blocked,
            saved_blocked=t.saved_blocked,
            restore_blocked=bool(t.restore_blocked),
            pending=t.pending,
            process_pending=t.process_pending,
            stack_sp=t.stack_sp,
            stack_bytes=t.stack_bytes,
            stack_flags=t.stack_flags,
            clear_child_tid=t.clear_child_tid,
            robust_list=t.robust_list,
            call=t.call,
            arguments=t.arguments,
            call_pc=t.call_pc,
            restart_deadline_ns=t.restart_deadline_ns,
            parked_since_ns=t.parked_since_ns,
            waits=t.waits,
            killed=bool(t.killed),
            name=bytes(t.name).split(b"\0", 1)[0].decode("utf-8", "surrogateescape"),
            registers=Registers(r.x, r.pc, r.f, r.fcsr, r.sink, r.reservation, r.reservation_value, r.instret),
        )
