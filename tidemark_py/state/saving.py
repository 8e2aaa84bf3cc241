"""How the kernel worker saves the machine it runs, and becomes one that was saved (kernel/host/machine.c).

Saving: freeze, the guests' pages and registers by errands, then all of kernel memory at one go, thaw. Restoring: the
image into a kernel memory that nobody has booted, layers' bodies to where they stood, pages and registers handed to the
kernel, start. owner: the kernel worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..abi.gen.abi import Errno, ImageRange, State, StatePages, Thread
from ..channel.later import Later
from ..channel.wire import linux_error
from ..errors import SnapshotError, TidemarkError
from ..host.contract import Host, Kernel
from .calls import DATA
from .kernel_runtime import read_counters, read_threads
from .records import PAGES_BYTES, StateRecords
from .saved_machine import PAGE, LayerReference, PageStore, PageTable, SavedMachine

__all__ = ["MachineRestorer", "MachineSaver"]

LOOK_SECONDS = 0.002
FREEZE_SECONDS = 10.0
NO_PAGE = 0xFFFFFFFF
IMAGE_BYTES = 4 << 20  # copied at a time


def read_ranges(kernel: Kernel, name: str) -> list[tuple[int, int]]:
    """(address, bytes) of tk_image_ranges or tk_layer_blobs. Raises TidemarkError."""
    count = int(kernel.call(name, DATA))
    if count < 0:
        raise TidemarkError(f"the machine cannot be saved: {name} failed with {Errno(-count).name}")
    raw = kernel.read(DATA, count * ImageRange.BYTES)
    found = [ImageRange.unpack(raw, at) for at in range(0, len(raw), ImageRange.BYTES)]
    return [(r.address, r.bytes) for r in found]


def without(ranges: list[tuple[int, int]], holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of the ranges lies in no hole; both are (address, bytes)."""
    out = []
    for address, size in ranges:
        at, end = address, address + size
        for low, length in sorted(holes):
            if low >= end or low + length <= at:
                continue
            if low > at:
                out.append((at, low - at))
            at = max(at, low + length)
        if at < end:
            out.append((at, end - at))
    return out


class MachineSaver:
    """layers: by address, what fs.apply_layer brought."""

    def __init__(self, kernel: Kernel, host: Host, records: StateRecords, layers: dict[int, LayerReference]) -> None:
        self._kernel = kernel
        self._host = host
        self._records = records
        self._layers = layers
        self._busy = False
        self._saved: SavedMachine | None = None

    async def image(self, embed_layers: bool, moment: Callable[[], None]) -> None:
        """Keep a copy of the machine; `moment` is called when it is taken. It goes on in any case.

        Raises TidemarkError when it cannot be saved.
        """
        if self._busy:
            raise TidemarkError("the machine is being saved already")
        self._busy = True
        try:
            await self._freeze()
            self._saved = await self._copy(embed_layers)
            moment()
        finally:
            self._kernel.call("tk_freeze", 0)
            self._busy = False

    def file(self, processes: list[dict[str, Any]]) -> bytes:
        """The copy as a file. Raises TidemarkError without one."""
        saved, self._saved = self._saved, None
        if saved is None:
            raise TidemarkError("there is no image to save")
        saved.processes = processes
        return saved.pack()

    async def _freeze(self) -> None:
        result = int(self._kernel.call("tk_freeze", 1))
        if result == -int(Errno.EBUSY):
            raise TidemarkError("the machine cannot be saved while a Pyodide is attached to it: close that first")
        if result == -int(Errno.EOPNOTSUPP):
            raise TidemarkError("the machine cannot be saved while a WebAssembly module runs: its state is its own")
        if result < 0:
            raise TidemarkError(
                "the machine cannot be saved before its lazy layers are all here: await rt.fs.prefetch('/') first"
            )
        looks = int(FREEZE_SECONDS / LOOK_SECONDS)
        while int(self._kernel.call("tk_unfrozen")):
            if looks <= 0:
                late = [f"{t.tid} of process {t.pid} ({t.word})" for t in self._threads() if t.word != "PARKED"]
                raise TidemarkError(f"the machine cannot be saved: thread {', '.join(late) or '?'} does not rest")
            looks -= 1
            later: Later[None] = Later()
            self._host.call_later(LOOK_SECONDS, lambda done=later: done.resolve(None))  # type: ignore[misc]
            await later

    def _threads(self) -> list[Any]:
        gone = (Thread.HOST.name, Thread.DEAD.name)
        return [t for t in read_threads(self._kernel) if t.word not in gone]

    async def _copy(self, embed_layers: bool) -> SavedMachine:
        kernel, store = self._kernel, PageStore()
        guests: dict[int, PageTable] = {}
        registers = []
        for thread in self._threads():
            record = await _soon(self._records.read(State.REGISTERS, thread.pid, thread.tid, 0))
            registers.append((thread.pid, thread.tid, record))
            if thread.pid not in guests:
                guests[thread.pid] = await self._pages(thread.pid, store)
        # From here to the end nothing else runs in this worker: the image is one moment.
        ranges = read_ranges(kernel, "tk_image_ranges")
        blobs = dict(read_ranges(kernel, "tk_layer_blobs"))
        layers = [] if embed_layers else [r for r in self._layers.values() if r.address in blobs]
        table = PageTable()
        for address, size in without(ranges, [(r.address, blobs[r.address]) for r in layers]):
            for at in range(address, address + size, IMAGE_BYTES):
                store.add(table, at // PAGE, kernel.image(at, min(IMAGE_BYTES, address + size - at)))
        return SavedMachine(
            build=kernel.build_id,
            monotonic_ns=int(kernel.call("tk_monotonic_ns")),
            kernel_bytes=int(kernel.call("tk_memory_bytes")),
            guest_max_pages=read_counters(kernel)["guest_max_pages"],
            layers=layers,
            processes=[],
            kernel=table,
            guests=guests,
            registers=registers,
            pages=store.pages,
        )

    async def _pages(self, pid: int, store: PageStore) -> PageTable:
        table, page = PageTable(), 0
        while page != NO_PAGE:
            record = await _soon(self._records.read(State.PAGES, pid, page, 0))
            head = StatePages.unpack(record)
            for i in range(head.count):
                at = StatePages.BYTES + i * PAGE
                store.add(table, head.page[i], record[at : at + PAGE], keep_zero=True)
            page = head.next
        return table


async def _soon(found: bytes | Later[bytes]) -> bytes:
    return found if isinstance(found, bytes) else await found


class MachineRestorer:
    """For a kernel that was not booted. restore(), layer() for each reference, start()."""

    def __init__(self, kernel: Kernel, host: Host, memories_cap: int, guest_max_pages: int, jit: int) -> None:
        self._kernel = kernel
        self._host = host
        self._limits = (memories_cap, guest_max_pages)
        self._jit = jit
        self._saved: SavedMachine | None = None

    def restore(self, data: bytes) -> None:
        """Kernel memory becomes the saved one. Raises SnapshotError, OSError."""
        kernel = self._kernel
        saved = self._saved = SavedMachine.unpack(data, kernel.build_id)
        if saved.guest_max_pages > self._limits[1]:
            raise SnapshotError(
                f"the saved machine's processes may have {saved.guest_max_pages >> 4} MiB of memory each, "
                f"this tab gives {self._limits[1] >> 4} MiB"
            )
        if int(kernel.call("tk_restore_grow", saved.kernel_bytes)) < 0:
            raise SnapshotError(f"there is no room for the {saved.kernel_bytes >> 20} MiB of the saved kernel memory")
        for page, content, count in saved.kernel.runs():
            kernel.poke(page * PAGE, saved.content(content, count))
        self._checked("tk_restore", *self._limits, saved.monotonic_ns)
        kernel.call("tk_jit_mode", self._jit)

    def layer(self, sha256: str, blob: Any) -> Awaitable[None]:
        """Bodies of a referenced layer, to where they stood; checked."""
        return self._layer(sha256, blob)

    async def _layer(self, sha256: str, blob: Any) -> None:
        if self._saved is None or await self._host.sha256(blob) != sha256:
            raise SnapshotError(f"a layer of the saved machine is corrupted: its SHA-256 is not {sha256[:12]}")
        for reference in self._saved.layers:
            if reference.sha256 == sha256:
                self._kernel.poke(reference.address, blob)

    def start(self) -> list[LayerReference]:
        """The threads go on. The layers that are there by reference."""
        saved, self._saved = self._saved, None
        if saved is None:
            raise SnapshotError("nothing was restored")
        kernel = self._kernel
        for _, tid, record in saved.registers:
            kernel.write(DATA, record)
            self._checked("tk_restore_registers", tid, DATA)
        for pid, table in saved.guests.items():
            for first in range(0, len(table.numbers), 256):
                numbers = table.numbers[first : first + 256]
                head = StatePages(count=len(numbers), next=NO_PAGE, page=tuple(numbers) + (0,) * (256 - len(numbers)))
                pages = b"".join(saved.content(c) for c in table.contents[first : first + 256])
                kernel.write(DATA, head.pack() + pages)
                self._checked("tk_restore_pages", pid, DATA)
        kernel.call("tk_journal_detach_all")  # what was kept there is kept there: here it is plain memory
        kernel.call("tk_restore_start")
        return saved.layers

    def _checked(self, name: str, *numbers: float) -> None:
        result = int(self._kernel.call(name, *numbers))
        if result == -int(Errno.EAGAIN) and name == "tk_restore":
            raise SnapshotError(f"the saved machine has more processes than memories_cap={self._limits[0]} allows")
        if result < 0:
            raise linux_error(-result)


assert PAGES_BYTES == StatePages.BYTES + 256 * PAGE
