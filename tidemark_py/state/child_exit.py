"""ChildExitState: how a process ended, from wait4's status word (wait(2)).

Read of a child that was reaped, or of a zombie that its parent has not waited for; writing one changes what that
parent will be told (EAGAIN while the process still runs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ..abi.gen.abi import State, StateChildExit
from .envelope import KernelRecord

__all__ = ["ChildExitState"]


@dataclass(frozen=True, slots=True)
class ChildExitState(KernelRecord):
    """status as wait4 gives it; instructions and user_ns include what the child itself reaped."""

    KIND: ClassVar[State] = State.CHILD_EXIT
    pid: int
    status: int
    instructions: int = 0
    user_ns: int = 0
    object: int = 0

    @property
    def returncode(self) -> int:
        """Exit code, or minus the signal, as subprocess has it."""
        signal = self.status & 0x7F
        return -signal if signal else (self.status >> 8) & 0xFF

    @property
    def core_dumped(self) -> bool:
        """WCOREDUMP"""
        return bool(self.status & 0x80)

    def record(self) -> bytes:
        """state_child_exit"""
        return StateChildExit(
            pid=self.pid, status=self.status, instructions=self.instructions, user_ns=self.user_ns
        ).pack()

    @classmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From state_child_exit."""
        r = StateChildExit.unpack(record)
        return cls(r.pid, r.status, r.instructions, r.user_ns, object)
