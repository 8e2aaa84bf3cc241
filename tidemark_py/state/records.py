"""StateRecords: the kernel's state records, raw, as the kernel worker reads and writes them (kernel/host/state.c).

Owner: the kernel worker. What only a process's own worker can reach is an errand: it ends when NOTIFY_ERRAND names it.
"""

from __future__ import annotations

from ..abi.gen.abi import Errno, State, StatePages, StateRegisters, StateThread
from ..channel.later import Later
from ..channel.wire import linux_error
from ..host.contract import Kernel
from .calls import DATA, DATA_BYTES

__all__ = ["StateRecords"]

PAGES_BYTES = StatePages.BYTES + 256 * 4096
RECORD_BYTES_MOST = min(DATA_BYTES, 2 << 20)
# kinds that are errands, and how long their results are (0: as asked)
ERRANDS: dict[int, int] = {
    State.THREAD: StateThread.BYTES + StateRegisters.BYTES,
    State.REGISTERS: StateRegisters.BYTES,
    State.PAGES: PAGES_BYTES,
    State.GUEST_MEMORY: 0,
}


class StateRecords:
    """owner: the worker whose kernel instance it is; not shared."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._under_way: dict[int, Later[bytes]] = {}

    def read(self, kind: int, pid: int, object: int, size: int) -> bytes | Later[bytes]:
        """The record; of memory: `size` bytes at address `object`. Raises OSError."""
        if kind in ERRANDS:
            return self._begin(kind, pid, object, ERRANDS[kind] or size, write=False)
        room = size if kind == State.KERNEL_MEMORY else RECORD_BYTES_MOST
        return self._kernel.read(DATA, self._checked("tk_state_read", kind, pid, object, DATA, room))

    def write(self, kind: int, pid: int, object: int, record: bytes) -> Later[bytes] | None:
        """Raises OSError; then the record was refused whole."""
        if len(record) > RECORD_BYTES_MOST:
            raise linux_error(int(Errno.EMSGSIZE))
        self._kernel.write(DATA, record)
        if kind in ERRANDS:
            return self._begin(kind, pid, object, len(record), write=True)
        self._checked("tk_state_write", kind, pid, object, DATA, len(record))
        return None

    def done(self, errand: int) -> None:
        """NOTIFY_ERRAND"""
        later = self._under_way.pop(errand, None)
        if later is None:
            return
        result = int(self._kernel.call("tk_errand_take", errand, DATA, RECORD_BYTES_MOST))
        if result < 0:
            later.fail(linux_error(-result))
        else:
            later.resolve(self._kernel.read(DATA, result))

    def _begin(self, kind: int, pid: int, object: int, size: int, write: bool) -> Later[bytes]:
        errand = self._checked("tk_errand_begin", kind, pid, object, DATA, size, int(write))
        later: Later[bytes] = Later()
        self._under_way[errand] = later
        return later

    def _checked(self, name: str, *numbers: float) -> int:
        result = int(self._kernel.call(name, *numbers))
        if result < 0:
            raise linux_error(-result)
        return result
