"""What a host gives the roles: ports, a kernel instance, workers. host/worker.py and host/fake.py implement it.

Typed here so that roles import no `js`: the same role code runs in a Pyodide worker, on Node and under plain CPython.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..abi.gen.abi import FrameFormat, FrameKind

__all__ = [
    "Frame",
    "FrameConsumer",
    "FrameHost",
    "FrameRenderer",
    "Host",
    "KeptFile",
    "KeptFolder",
    "Kernel",
    "RawPort",
    "Wire",
    "WorkerHandle",
]

Wire = dict[str, Any]


class RawPort(Protocol):
    """One end of a message channel; delivers in order, never inside post()."""

    def post(self, wire: Wire) -> None:
        """Send a copy of the message; bytes become arrays."""

    def listen(self, received: Callable[[Wire], None]) -> None:
        """Call `received` for every message from now on."""


class Kernel(Protocol):
    """The kernel instance of this worker. Every call may raise KernelPanic or InternalError, which are final."""

    thread_records: int
    counters: int

    def syscall(self, nr: int, a0: float, a1: float, a2: float, a3: float, a4: float, a5: float) -> float:
        """tk_syscall of the attached thread: result or -errno."""

    def call(self, name: str, *numbers: float) -> float:
        """Any other tk_ export."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the staging memory."""

    def write(self, address: int, data: bytes | memoryview) -> None:
        """Fill the staging memory."""

    def peek(self, address: int, size: int) -> bytes:
        """Bytes of kernel memory; address must lie in the part there since creation unless it is a blob."""

    build_id: str  # of kernel.wasm: an image belongs to one

    def image(self, address: int, size: int) -> bytes:
        """A copy of kernel memory, wherever the memory ends now."""

    def throw(self, locked: bool) -> None:
        """For tests: throw out of this worker, with the kernel lock held or not."""

    def poke(self, address: int, data: Any) -> None:
        """Copy a host buffer (bytes, or a Uint8Array) into kernel memory, which may have grown."""


class WorkerHandle(Protocol):
    """A thread worker as the owner sees it."""

    def post(self, wire: Wire, transfer: list[Any]) -> None:
        """Send a message."""

    def terminate(self) -> None:
        """End it; nothing is heard of it afterwards."""


class KeptFile(Protocol):
    """One file of the host, open for this worker alone. Every call may raise OSError (ENOSPC at the quota)."""

    def size(self) -> int:
        """Bytes."""

    def read(self, at: int, count: int) -> bytes:
        """Fewer only at the file's end."""

    def write(self, at: int, data: bytes) -> None:
        """All of it."""

    def truncate(self, count: int) -> None:
        """To so many bytes."""

    def flush(self) -> None:
        """Until it is durable."""

    def close(self) -> None:
        """Others may open it."""


class KeptFolder(Protocol):
    """Two files under a name, for this worker alone until close(); or, read only, copies of them."""

    files: tuple[KeptFile, ...]

    def room(self) -> Awaitable[int]:
        """Bytes that the host would give besides what the files have."""

    def close(self) -> None:
        """Files too."""


class Host(Protocol):
    """What else a role may ask for."""

    def start_thread_worker(
        self, name: str, received: Callable[[Wire], None], failed: Callable[[str], None]
    ) -> WorkerHandle:
        """A new worker running boot_thread.js."""

    def new_channel(self) -> tuple[Any, Any]:
        """Two entangled ports, to be sent to workers."""

    def thread_boot_options(self) -> dict[str, Any]:
        """module, memory, guest_initial_pages, guest_max_pages for thread.boot."""

    def module_boot_options(self) -> dict[str, Any] | None:
        """The same for workers that run modules: variant, shared_variant, guest_memory; None: they cannot run here."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Run `callback` on this worker's event loop."""

    def sha256(self, data: Any) -> Awaitable[str]:
        """Hex digest of a host buffer."""

    def fetch(self, url: str, start: int = 0, end: int = 0) -> Awaitable[tuple[Any, int]]:
        """(host buffer, where it starts): bytes start..end of `url`, or all of it when `end` is 0 or the server has no
        ranges. Raises OSError that says what the server or the network said."""

    def open_kept(self, name: str, read_only: bool) -> Awaitable[KeptFolder]:
        """Raises OSError: EBUSY while somebody else has it, ENOSYS where nothing can be kept."""

    def forget_kept(self, name: str) -> Awaitable[None]:
        """Remove it. Raises OSError(EBUSY)."""

    def gunzip(self, data: Any) -> Awaitable[Any]:
        """A host buffer unpacked. Raises OSError."""


# ---- frames ----


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame. data: height * stride bytes of a picture, width * stride of vertices; a copy, the reader's own."""

    number: int
    kind: FrameKind
    width: int
    height: int
    stride: int
    format: FrameFormat
    time_ns: int
    data: memoryview


class FrameConsumer(Protocol):
    """What a host gives: js_shim/frames.js' FrameConsumer, or a test's."""

    @property
    def published(self) -> int:
        """Frames so far, modulo 2^32."""

    @property
    def live(self) -> bool:
        """There is a producer."""

    def take(self) -> Frame | None:
        """The newest frame that was not taken yet. Raises StaleHandleError."""

    def changed(self, seen: int) -> Awaitable[None]:
        """Until `published` is another."""


class FrameRenderer(Protocol):
    """A channel on a canvas: a renderer worker. What is asked of one that failed or was closed raises TidemarkError."""

    @property
    def closed(self) -> bool:
        """close() was called."""

    def resize(self, width: int, height: int) -> None:
        """The canvas has other pixels now."""

    def stats(self) -> Awaitable[dict[str, Any]]:
        """frames, latency_us [median, 99th percentile, most], painter"""

    def read(self) -> Awaitable[bytes]:
        """RGBA of the canvas, rows from the top."""

    def close(self) -> None:
        """End the renderer; the picture stays."""


class QueueEnd(Protocol):
    """One end of a queue of records in shared memory: js_shim/queue.js."""

    buffer: Any  # what another worker makes its end of

    @property
    def lost(self) -> int:
        """Records that producers gave up."""

    def push(self, record: bytes) -> bool:
        """False when it is full. Raises ValueError for one that never fits."""

    def pop(self) -> bytes | None:
        """The oldest, or None."""

    def room(self, size: int) -> Awaitable[None]:
        """Something was taken, or a record of that size fits."""

    def filled(self) -> Awaitable[None]:
        """There may be a record."""


class FrameHost(Protocol):
    """What the place where Python runs does: host/frames.py."""

    def consumer(self, address: int) -> FrameConsumer:
        """Takes over the channel."""

    def queue(self, capacity: int, many: bool) -> QueueEnd:
        """An empty queue in memory of its own. Raises ValueError."""

    def show(
        self, canvas: Any, address: int, boot_ms: float, pixelated: bool, heard: Callable[[dict[str, Any]], None] | None
    ) -> FrameRenderer:
        """Start a renderer on an OffscreenCanvas."""
