"""KernelRuntimeState: counters, threads and processes at one look. For diagnostics, the inspector and the tests.

Threads and counters come from kernel memory without the lock: a picture, not a transaction. Processes come from procfs
(proc_pid_stat(5)); where it is not mounted they are left out.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field
from typing import Any

from ..abi.gen.abi import ABI_HASH, KernelCounters, Start, State, Status, Thread, ThreadRecord
from ..errors import SnapshotError
from ..host.contract import Kernel
from . import FORMAT_VERSION
from .calls import KernelCalls
from .envelope import open_snapshot, seal_snapshot

__all__ = ["FdState", "KernelRuntimeState", "ProcessState", "ThreadState", "read_kernel_runtime"]


@dataclass(frozen=True, slots=True)
class ThreadState:
    """One thread slot in use."""

    slot: int
    word: str
    generation: int
    status: str
    start: str
    pid: int
    tid: int
    waiter: int
    waiter_generation: int
    instructions: int
    syscall: int


@dataclass(frozen=True, slots=True)
class FdState:
    """One descriptor: what /proc/pid/fd says it is."""

    fd: int
    target: str


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process, zombies too."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    name: str
    state: str
    threads: int
    fds: list[FdState] = field(default_factory=list)
    resident_bytes: int = 0
    command: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KernelRuntimeState:
    """The whole picture."""

    counters: dict[str, int]
    threads: list[ThreadState]
    processes: list[ProcessState]
    version: int = FORMAT_VERSION
    abi_hash: str = ABI_HASH

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def pack(self) -> bytes:
        """The writer."""
        return seal_snapshot(State.KERNEL_RUNTIME, json.dumps(self.to_json(), separators=(",", ":")).encode())

    @classmethod
    def unpack(cls, data: bytes) -> KernelRuntimeState:
        """The reader. Raises SnapshotError."""
        return cls.from_json(json.loads(open_snapshot(State.KERNEL_RUNTIME, data)))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> KernelRuntimeState:
        """Raises SnapshotError on another version or ABI."""
        if value.get("version") != FORMAT_VERSION or value.get("abi_hash") != ABI_HASH:
            raise SnapshotError(
                f"a kernel state of format {value.get('version')}, ABI {str(value.get('abi_hash'))[:8]} was given; "
                f"this is format {FORMAT_VERSION}, ABI {ABI_HASH[:8]}"
            )
        return cls(
            counters={k: int(v) for k, v in value["counters"].items()},
            threads=[ThreadState(**t) for t in value["threads"]],
            processes=[ProcessState(**{**p, "fds": [FdState(**f) for f in p["fds"]]}) for p in value["processes"]],
        )


def _name(enum: Any, value: int) -> str:
    try:
        return str(enum(value).name)
    except ValueError:
        return str(value)


# tk_jit_stat's numbers, in its order.
TRANSLATOR_COUNTERS = (
    "translated", "instructions", "regions", "bytes", "links", "leaves", "refused", "anew", "translate_ns", "link_ns",
)  # fmt: skip


def read_counters(kernel: Kernel) -> dict[str, int]:
    """kernel_counters by name, and the translator's under jit_ names (zero while it is off)."""
    raw = KernelCounters.unpack(kernel.peek(kernel.counters, KernelCounters.BYTES))
    translator = {f"jit_{n}": int(kernel.call("tk_jit_stat", i)) for i, n in enumerate(TRANSLATOR_COUNTERS)}
    return {name: getattr(raw, name) for name in KernelCounters.OFFSET if name != "reserved"} | translator


def read_threads(kernel: Kernel, slots: int = 512) -> list[ThreadState]:
    """Every slot in use."""
    raw = kernel.peek(kernel.thread_records, slots * ThreadRecord.BYTES)
    out = []
    for slot in range(slots):
        if struct.unpack_from("<I", raw, slot * ThreadRecord.BYTES)[0] == Thread.FREE:
            continue
        r = ThreadRecord.unpack(raw, slot * ThreadRecord.BYTES)
        out.append(
            ThreadState(
                slot=slot,
                word=_name(Thread, r.word),
                generation=r.generation,
                status=_name(Status, r.status),
                start=_name(Start, r.start_kind),
                pid=r.pid,
                tid=r.tid,
                waiter=r.waiter,
                waiter_generation=r.waiter_generation,
                instructions=r.instructions,
                syscall=r.syscall,
            )
        )
    return out


def read_processes(calls: KernelCalls) -> list[ProcessState]:
    """What procfs shows."""
    calls.use_root(0)
    try:
        pids = sorted(int(name) for name in calls.readdir("/proc") if name.isdigit())
    except OSError:
        return []
    return [p for p in (_process(calls, pid) for pid in pids) if p is not None]


def _process(calls: KernelCalls, pid: int) -> ProcessState | None:
    try:
        text = calls.read_file(f"/proc/{pid}/stat").decode("utf-8", "replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    f = rest.split()
    fds = []
    command: list[str] = []
    try:
        words = calls.read_file(f"/proc/{pid}/cmdline").decode("utf-8", "replace").split("\0")
        command = words[:-1] if words[-1] == "" else words
        for fd in calls.readdir(f"/proc/{pid}/fd"):
            fds.append(FdState(int(fd), calls.readlink(f"/proc/{pid}/fd/{fd}")))
    except (OSError, ValueError):
        pass
    return ProcessState(
        pid=pid,
        state=f[0],
        ppid=int(f[1]),
        pgid=int(f[2]),
        sid=int(f[3]),
        name=name,
        threads=int(f[17]) if len(f) > 17 else 1,
        fds=sorted(fds, key=lambda d: d.fd),
        resident_bytes=int(f[21]) * 4096 if len(f) > 21 else 0,
        command=command,
    )


def read_kernel_runtime(kernel: Kernel, calls: KernelCalls) -> KernelRuntimeState:
    """The reader."""
    return KernelRuntimeState(read_counters(kernel), read_threads(kernel), read_processes(calls))
