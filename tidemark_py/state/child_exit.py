"""ChildExit: how a child of init ended, from wait4's status word (wait(2))."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import InternalError
from . import FORMAT_VERSION

__all__ = ["ChildExitState"]

_RECORD = struct.Struct("<IiiIQQ")


@dataclass(frozen=True, slots=True)
class ChildExitState:
    """status as wait4 gives it; instructions and user_ns include what the child itself reaped."""

    pid: int
    status: int
    instructions: int = 0
    user_ns: int = 0

    @property
    def returncode(self) -> int:
        """Exit code, or minus the signal, as subprocess has it."""
        signal = self.status & 0x7F
        return -signal if signal else (self.status >> 8) & 0xFF

    @property
    def core_dumped(self) -> bool:
        """WCOREDUMP"""
        return bool(self.status & 0x80)

    def pack(self) -> bytes:
        """The writer."""
        return _RECORD.pack(FORMAT_VERSION, self.pid, self.status, 0, self.instructions, self.user_ns)

    @classmethod
    def unpack(cls, data: bytes) -> ChildExitState:
        """The reader. Raises InternalError on another version."""
        version, pid, status, _, instructions, user_ns = _RECORD.unpack(data)
        if version != FORMAT_VERSION:
            raise InternalError(f"a child exit record of format {version} was given; this is format {FORMAT_VERSION}")
        return cls(pid, status, instructions, user_ns)
