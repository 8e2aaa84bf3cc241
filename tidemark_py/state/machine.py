"""MachineState: the kernel's state as typed snapshots, read and written from the page: `runtime.state`.

table = await rt.state.fds(pid)
pipe = await rt.state.pipe(pid, 0)
await rt.state.write(dataclasses.replace(pipe, data=b"other bytes"))
"""

from __future__ import annotations

from collections.abc import Iterable

from ..abi.gen import messages as m
from ..abi.gen.abi import State
from ..channel.port import Port
from .child_exit import ChildExitState
from .envelope import KernelRecord
from .fds import FdTable
from .memory import GuestMemoryWrites, KernelMemoryWrites, MemoryWrite, MemoryWrites
from .ofd import OfdState
from .pipe import PipeState
from .socket import SocketState
from .thread import ThreadSnapshot

__all__ = ["MachineState"]

PART_BYTES = 1 << 20  # of memory in one message


class MachineState:
    """Every call raises OSError: ESRCH (no such process or thread), EBADF, ENOTSOCK, EFAULT ... as the module says."""

    def __init__(self, port: Port) -> None:
        self._port = port

    async def _read(self, kind: State, pid: int, number: int, size: int = 0) -> bytes:
        return (await self._port.request(m.StateRead(kind, pid, number, size))).record

    async def fds(self, pid: int) -> FdTable:
        """The process's descriptors."""
        return FdTable.of_record(pid, 0, await self._read(State.FDS, pid, 0))

    async def ofd(self, pid: int, fd: int) -> OfdState:
        """The description behind a descriptor."""
        return OfdState.of_record(pid, fd, await self._read(State.OFD, pid, fd))

    async def pipe(self, pid: int, fd: int) -> PipeState:
        """The pipe behind a descriptor (EBADF: it is none)."""
        return PipeState.of_record(pid, fd, await self._read(State.PIPE, pid, fd))

    async def socket(self, pid: int, fd: int) -> SocketState:
        """The socket behind a descriptor (ENOTSOCK: it is none)."""
        return SocketState.of_record(pid, fd, await self._read(State.SOCKET, pid, fd))

    async def thread(self, pid: int, tid: int = 0) -> ThreadSnapshot:
        """A thread of the process; 0 is its leader."""
        number = tid or pid
        return ThreadSnapshot.of_record(pid, number, await self._read(State.THREAD, pid, number))

    async def child_exit(self, pid: int) -> ChildExitState:
        """How a zombie ended; EAGAIN: it still runs."""
        return ChildExitState.of_record(pid, 0, await self._read(State.CHILD_EXIT, pid, 0))

    async def guest_memory(self, pid: int, ranges: Iterable[tuple[int, int]]) -> GuestMemoryWrites:
        """What stands at (address, bytes) ... of the process's memory."""
        return GuestMemoryWrites(pid, tuple([await self._range(State.GUEST_MEMORY, pid, *r) for r in ranges]))

    async def kernel_memory(self, ranges: Iterable[tuple[int, int]]) -> KernelMemoryWrites:
        """What stands at (address, bytes) ... of kernel memory."""
        return KernelMemoryWrites(0, tuple([await self._range(State.KERNEL_MEMORY, 0, *r) for r in ranges]))

    async def _range(self, kind: State, pid: int, address: int, size: int) -> MemoryWrite:
        parts = []
        for at in range(0, size, PART_BYTES):
            parts.append(await self._read(kind, pid, address + at, min(PART_BYTES, size - at)))
        return MemoryWrite(address, b"".join(parts))

    async def write(self, snapshot: KernelRecord) -> None:
        """The kernel takes over what the snapshot may change (see its module)."""
        if isinstance(snapshot, MemoryWrites):
            for w in snapshot.writes:
                for at in range(0, len(w.data), PART_BYTES):
                    part = w.data[at : at + PART_BYTES]
                    await self._port.request(m.StateWrite(snapshot.KIND, snapshot.pid, w.address + at, part))
            return
        await self._port.request(m.StateWrite(snapshot.KIND, snapshot.pid, snapshot.object, snapshot.record()))
