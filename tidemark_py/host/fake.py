"""A host without workers or wasm: ports, a toy kernel and thread workers in one CPython event loop, for the unit tests.

FakeKernel answers the tk_ exports and the few system calls that the roles make, with Linux's errno and with the real
records in a byte array, so that role code is tested as it is. A program is an async Python function of a FakeProcess.
It is no second kernel: what the roles do not call is ENOSYS.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import stat as st
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from ..abi.gen import linux
from ..abi.gen.abi import (
    EVENT_RING_RECORDS,
    STAGING_BYTES,
    Errno,
    Event,
    EventRecord,
    FdMap,
    KernelCounters,
    Notify,
    Role,
    SpawnRequest,
    Start,
    Status,
    Syscall,
    Thread,
    ThreadRecord,
)
from ..abi.gen.guest import Stat
from ..errors import KernelPanic
from .contract import KeptFile, Wire

__all__ = ["FakeHost", "FakeKernel", "FakePort", "FakeProcess", "Program", "port_pair"]

SLOTS = 512
COUNTERS, RECORDS = 4096, 8192
BLOBS = RECORDS + SLOTS * ThreadRecord.BYTES
PIPE_BYTES = 65536


class FakePort:
    """One end of a channel: delivers on the event loop."""

    def __init__(self) -> None:
        self.peer: FakePort | None = None
        self.received: Callable[[Wire], None] | None = None
        self.sent: list[Wire] = []

    def post(self, wire: Wire) -> None:
        """Send."""
        self.sent.append(wire)
        asyncio.get_running_loop().call_soon(self._deliver, dict(wire))

    def _deliver(self, wire: Wire) -> None:
        if self.peer is not None and self.peer.received is not None:
            self.peer.received(wire)

    def listen(self, received: Callable[[Wire], None]) -> None:
        """Receive."""
        self.received = received


def port_pair() -> tuple[FakePort, FakePort]:
    """Two ends."""
    a, b = FakePort(), FakePort()
    a.peer, b.peer = b, a
    return a, b


@dataclass(eq=False)
class Pipe:
    """A pipe: data, open ends, one-shot watchers."""

    data: bytearray = field(default_factory=bytearray)
    readers: int = 1
    writers: int = 1
    watchers: list[tuple[int, int]] = field(default_factory=list)  # (events, number)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self, events: int) -> bool:
        """poll(2)"""
        readable = bool(events & linux.POLLIN) and bool(self.data or not self.writers)
        writable = bool(events & linux.POLLOUT) and (len(self.data) < PIPE_BYTES or not self.readers)
        return readable or writable


@dataclass(eq=False)
class Open:
    """An open file description."""

    pipe: Pipe | None = None
    write_end: bool = False
    path: str = ""
    position: int = 0
    refs: int = 1


class FakeProcess:
    """What a program sees."""

    def __init__(self, kernel: FakeKernel, pid: int, slot: int, argv: list[str], env: list[str]) -> None:
        self.kernel, self.pid, self.slot, self.argv, self.env = kernel, pid, slot, argv, env
        self.fds: dict[int, Open] = {}
        self.path = ""
        self.killed = 0
        self.task: asyncio.Task[int] | None = None

    async def read(self, fd: int, size: int = PIPE_BYTES) -> bytes:
        """read(2), waiting."""
        pipe = self.fds[fd].pipe
        if pipe is None:
            return b""
        while not pipe.data and pipe.writers:
            pipe.changed.clear()
            await pipe.changed.wait()
        data = bytes(pipe.data[:size])
        del pipe.data[:size]
        self.kernel.touched(pipe)
        return data

    async def write(self, fd: int, data: bytes) -> None:
        """write(2), waiting; BrokenPipeError without readers."""
        pipe = self.fds[fd].pipe
        while data and pipe is not None:
            if not pipe.readers:
                raise BrokenPipeError
            room = PIPE_BYTES - len(pipe.data)
            if room <= 0:
                pipe.changed.clear()
                await pipe.changed.wait()
                continue
            pipe.data += data[:room]
            data = data[room:]
            self.kernel.touched(pipe)


Program = Callable[[FakeProcess], Coroutine[Any, Any, int]]


class FakeKernel:
    """host.contract.Kernel, and the state of the whole toy machine: every role gets the same object."""

    def __init__(self, programs: dict[str, Program] | None = None) -> None:
        self.programs = programs or {}
        self.memory = bytearray(BLOBS + (1 << 20))
        self.staging = bytearray(STAGING_BYTES)
        self.thread_records, self.counters = RECORDS, COUNTERS
        self.notify: dict[int, Callable[[int, int], None]] = {}
        self.files: dict[str, bytes | str | None] = {"/": None, "/dev": None, "/dev/null": b"", "/bin": None}
        self.modes: dict[str, int] = {}
        for path in self.programs:
            self.files[path] = b"program"
        self.fds: dict[int, Open] = {}
        self.processes: dict[int, FakeProcess] = {}
        self.zombies: list[tuple[int, int]] = []
        self.next_pid = 2
        self.calls: list[tuple[str, tuple[float, ...]]] = []
        self.died: list[tuple[int, int]] = []
        self.roots = {0}
        self.panic = ""
        self.generations = [0] * SLOTS
        self.seq = 0
        self.events: list[bytes] = []
        self.listened = self.events_lost = 0
        self.child_instructions = 0
        self.blob_end = BLOBS
        self.layers: list[tuple[int, bytes, bytes]] = []

    # ---- records ----

    def set_record(self, slot: int, **fields: int) -> None:
        """Change a thread record."""
        at = RECORDS + slot * ThreadRecord.BYTES
        record = ThreadRecord.unpack(self.memory, at)
        for name, value in fields.items():
            setattr(record, name, value)
        self.memory[at : at + ThreadRecord.BYTES] = record.pack()

    def record(self, slot: int) -> ThreadRecord:
        """A thread record."""
        return ThreadRecord.unpack(self.memory, RECORDS + slot * ThreadRecord.BYTES)

    def count(self, **fields: int) -> None:
        """Set counters."""
        counters = KernelCounters.unpack(self.memory, COUNTERS)
        for name, value in fields.items():
            setattr(counters, name, value)
        self.memory[COUNTERS : COUNTERS + KernelCounters.BYTES] = counters.pack()

    def event(self, kind: Event, pid: int, a: int = 0, b: int = 0) -> None:
        """An event: a record where somebody listens and there is room."""
        self.seq += 1
        record = EventRecord(seq=self.seq, time_ns=self.seq * 1000, kind=kind, pid=pid, tid=pid, ppid=1, a=a, b=b)
        if self.listened >> kind & 1:
            if len(self.events) < EVENT_RING_RECORDS:
                self.events.append(record.pack())
            else:
                self.events_lost += 1
        self.count(event_seq=self.seq)

    def tell(self, role: Role, kind: Notify, arg: int) -> None:
        """host_notify: never inside the call."""
        sink = self.notify.get(int(role))
        if sink is not None:
            asyncio.get_running_loop().call_soon(sink, int(kind), arg)

    # ---- host.contract.Kernel ----

    def syscall(self, nr: int, a0: float, a1: float, a2: float, a3: float, a4: float, a5: float) -> float:
        """tk_syscall of init."""
        if self.panic:
            raise KernelPanic(self.panic)
        handler = getattr(self, f"sys_{Syscall(nr).name}", None)
        if handler is None:
            return -int(Errno.ENOSYS)
        arguments = [int(a) for a in (a0, a1, a2, a3, a4, a5)]
        result: int = handler(*arguments)
        return result

    def call(self, name: str, *numbers: float) -> float:
        """tk_ exports."""
        if self.panic:
            raise KernelPanic(self.panic)
        self.calls.append((name, numbers))
        handler = getattr(self, name, None)
        return 0 if handler is None else handler(*numbers)

    def read(self, address: int, size: int) -> bytes:
        """Staging memory."""
        return bytes(self.staging[address : address + size])

    def write(self, address: int, data: bytes | memoryview) -> None:
        """Staging memory."""
        self.staging[address : address + len(data)] = data

    def peek(self, address: int, size: int) -> bytes:
        """Kernel memory."""
        return bytes(self.memory[address : address + size])

    build_id = "fake"
    image = peek

    def throw(self, locked: bool) -> None:
        """A panic, or nothing."""
        if locked:
            self.panic = "thrown by a test"
            raise KernelPanic(self.panic)

    def poke(self, address: int, data: Any) -> None:
        """Kernel memory."""
        self.memory[address : address + len(data)] = data

    # ---- tk_ ----

    def tk_max_instances(self) -> int:
        """As many as the real one."""
        return 160

    def tk_events(self, kinds: float) -> int:
        """event_listen"""
        self.listened = int(kinds)
        return 0

    def tk_events_lost(self) -> int:
        """event_lost"""
        lost, self.events_lost = self.events_lost, 0
        return lost

    def tk_events_take(self, to: float, size: float) -> int:
        """event_take"""
        count = min(len(self.events), int(size) // EventRecord.BYTES)
        data = b"".join(self.events[:count])
        del self.events[:count]
        self.write(int(to), data)
        return len(data)

    def tk_child_instructions(self) -> int:
        """Of those that were waited for."""
        return self.child_instructions

    def tk_root_new(self, base: float) -> int:
        """A number."""
        if base >= 0 and base not in self.roots:
            return -int(Errno.EINVAL)
        root = max(self.roots) + 1
        self.roots.add(root)
        return root

    def tk_root_drop(self, root: float) -> int:
        """EINVAL twice."""
        if root not in self.roots:
            return -int(Errno.EINVAL)
        self.roots.discard(int(root))
        return 0

    def tk_root_use(self, root: float) -> int:
        """Every root shows the same files here."""
        return 0 if root in self.roots else -int(Errno.EINVAL)

    def tk_blob_alloc(self, size: float) -> int:
        """Bump."""
        address = self.blob_end
        self.blob_end += int(size)
        return address if self.blob_end <= len(self.memory) else 0

    def tk_layer_apply(self, root: float, index: float, index_bytes: float, blob: float, blob_bytes: float) -> int:
        """Remembered."""
        at, to = int(index), int(blob)
        self.layers.append((int(root), self.peek(at, int(index_bytes)), self.peek(to, int(blob_bytes))))
        return 0

    def tk_watch(self, fd: float, events: float, number: float) -> int:
        """One-shot."""
        opened = self.fds.get(int(fd))
        if opened is None:
            return -int(Errno.EBADF)
        if opened.pipe is None or opened.pipe.ready(int(events)):
            return 1
        opened.pipe.watchers.append((int(events), int(number)))
        return 0

    def tk_spawn(self, address: float, size: float) -> int:
        """Only programs of the table."""
        raw = self.read(int(address), int(size))
        head = SpawnRequest.unpack(raw)
        at = SpawnRequest.BYTES
        maps = [FdMap.unpack(raw, at + i * FdMap.BYTES) for i in range(head.fd_count)]
        strings = raw[at + head.fd_count * FdMap.BYTES :].decode().split("\0")[:-1]
        path, argv = strings[0], strings[2 : 2 + head.argc]
        if path not in self.files:
            return -int(Errno.ENOENT)
        if path not in self.programs:
            return -int(Errno.ENOEXEC)
        slot = next(i for i in range(SLOTS) if self.record(i).word == Thread.FREE)
        pid, self.next_pid = self.next_pid, self.next_pid + 1
        process = FakeProcess(self, pid, slot, argv, strings[2 + head.argc :])
        process.path = path
        for each in maps:
            process.fds[each.target] = self._share(self.fds[each.source])
        self.processes[pid] = process
        self.count(processes=1 + len(self.processes))
        self.start_thread(slot, pid, Start.EXEC, waiter=-1)
        self.event(Event.SPAWN, pid, 0, slot)
        return pid

    def start_thread(self, slot: int, pid: int, kind: Start, waiter: int, memory_owner: int = -1) -> None:
        """A thread that waits for a worker."""
        self.generations[slot] += 1
        self.set_record(
            slot,
            word=Thread.NEW,
            generation=self.generations[slot],
            start_kind=kind,
            pid=pid,
            tid=pid,
            waiter=waiter,
            waiter_generation=self.generations[waiter] if waiter >= 0 else 0,
            memory_owner=memory_owner,
        )
        self.tell(Role.OWNER, Notify.START, slot)

    def tk_worker_died(self, slot: float, instance: float) -> int:
        """SIGKILL."""
        self.died.append((int(slot), int(instance)))
        record = self.record(int(slot))
        if record.word in (Thread.FREE, Thread.DEAD):
            return -int(Errno.ESTALE)
        self.ended(record.pid, 9)
        return 0

    def ended(self, pid: int, status: int) -> None:
        """A process is a zombie now."""
        process = self.processes.pop(pid, None)
        if process is None:
            return
        for opened in process.fds.values():
            self._release(opened)
        self.set_record(process.slot, word=Thread.FREE)
        self.zombies.append((pid, status))
        self.count(processes=1 + len(self.processes) + len(self.zombies))
        self.event(Event.EXIT, pid, status)
        self.tell(Role.KERNEL, Notify.CHILD, pid)

    # ---- system calls of init ----

    def _cstr(self, address: int) -> str:
        end = self.staging.index(0, address)
        return self.staging[address:end].decode("utf-8", "surrogateescape")

    def _new_fd(self, opened: Open) -> int:
        fd = next(n for n in range(3, 1024) if n not in self.fds)
        self.fds[fd] = opened
        return fd

    def _share(self, opened: Open) -> Open:
        opened.refs += 1
        return opened

    def _release(self, opened: Open) -> None:
        opened.refs -= 1
        if opened.refs == 0 and opened.pipe is not None:
            if opened.write_end:
                opened.pipe.writers = 0
            else:
                opened.pipe.readers = 0
            self.touched(opened.pipe)

    def touched(self, pipe: Pipe) -> None:
        """Wake whoever watches."""
        pipe.changed.set()
        ready = [w for w in pipe.watchers if pipe.ready(w[0])]
        pipe.watchers = [w for w in pipe.watchers if w not in ready]
        for _, number in ready:
            self.tell(Role.KERNEL, Notify.WATCH, number)

    def sys_openat(self, at: int, path_at: int, flags: int, mode: int, *_: int) -> int:
        """openat(2)"""
        path = self._cstr(path_at)
        if path not in self.files:
            if not flags & linux.O_CREAT:
                return -int(Errno.ENOENT)
            if (path.rpartition("/")[0] or "/") not in self.files:
                return -int(Errno.ENOENT)
            self.files[path] = b""
        if flags & linux.O_DIRECTORY and self.files[path] is not None:
            return -int(Errno.ENOTDIR)
        if flags & linux.O_TRUNC:
            self.files[path] = b""
        return self._new_fd(Open(path=path))

    def sys_close(self, fd: int, *_: int) -> int:
        """close(2)"""
        opened = self.fds.pop(fd, None)
        if opened is None:
            return -int(Errno.EBADF)
        self._release(opened)
        return 0

    def sys_read(self, fd: int, at: int, size: int, *_: int) -> int:
        """read(2)"""
        opened = self.fds.get(fd)
        if opened is None:
            return -int(Errno.EBADF)
        if opened.pipe is None:
            body = self.files[opened.path]
            if not isinstance(body, bytes):
                return -int(Errno.EISDIR)
            data = body[opened.position : opened.position + size]
            opened.position += len(data)
        else:
            data = bytes(opened.pipe.data[:size])
            if not data and opened.pipe.writers:
                return -int(Errno.EAGAIN)
            del opened.pipe.data[:size]
            self.touched(opened.pipe)
        self.write(at, data)
        return len(data)

    def sys_write(self, fd: int, at: int, size: int, *_: int) -> int:
        """write(2)"""
        opened = self.fds.get(fd)
        if opened is None:
            return -int(Errno.EBADF)
        data = self.read(at, size)
        if opened.pipe is None:
            body = self.files[opened.path]
            assert isinstance(body, bytes)
            self.files[opened.path] = body[: opened.position] + data + body[opened.position + size :]
            opened.position += size
            return size
        if not opened.pipe.readers:
            return -int(Errno.EPIPE)
        room = PIPE_BYTES - len(opened.pipe.data)
        if room <= 0:
            return -int(Errno.EAGAIN)
        opened.pipe.data += data[:room]
        self.touched(opened.pipe)
        return min(room, size)

    def sys_pipe2(self, at: int, *_: int) -> int:
        """pipe2(2)"""
        pipe = Pipe()
        self.write(at, struct.pack("<ii", self._new_fd(Open(pipe)), self._new_fd(Open(pipe, True))))
        return 0

    def sys_fcntl(self, fd: int, *_: int) -> int:
        """Flags are not kept: init never blocks here."""
        return 0 if fd in self.fds else -int(Errno.EBADF)

    def sys_fchmod(self, fd: int, mode: int, *_: int) -> int:
        """fchmod(2)"""
        self.modes[self.fds[fd].path] = mode
        return 0

    def sys_faccessat(self, at: int, path_at: int, *_: int) -> int:
        """Everything is executable."""
        return 0 if self._cstr(path_at) in self.files else -int(Errno.ENOENT)

    def sys_newfstatat(self, at: int, path_at: int, to: int, *_: int) -> int:
        """stat(2)"""
        path = self._cstr(path_at)
        if path not in self.files:
            return -int(Errno.ENOENT)
        body = self.files[path]
        kind = st.S_IFDIR if body is None else st.S_IFLNK if isinstance(body, str) else st.S_IFREG
        record = Stat(
            st_mode=kind | self.modes.get(path, 0o755), st_size=len(body or b""), st_nlink=1, st_ino=hash(path) & 0xFFFF
        )
        self.write(to, record.pack())
        return 0

    def sys_mkdirat(self, at: int, path_at: int, mode: int, *_: int) -> int:
        """mkdir(2)"""
        path = self._cstr(path_at)
        if path in self.files:
            return -int(Errno.EEXIST)
        if (path.rpartition("/")[0] or "/") not in self.files:
            return -int(Errno.ENOENT)
        self.files[path] = None
        return 0

    def sys_symlinkat(self, target_at: int, at: int, path_at: int, *_: int) -> int:
        """symlink(2)"""
        self.files[self._cstr(path_at)] = self._cstr(target_at)
        return 0

    def sys_readlinkat(self, at: int, path_at: int, to: int, *_: int) -> int:
        """readlink(2)"""
        body = self.files.get(self._cstr(path_at))
        if not isinstance(body, str):
            return -int(Errno.EINVAL)
        self.write(to, body.encode())
        return len(body.encode())

    def sys_renameat2(self, at: int, source: int, at_too: int, target: int, *_: int) -> int:
        """rename(2)"""
        old = self._cstr(source)
        if old not in self.files:
            return -int(Errno.ENOENT)
        self.files[self._cstr(target)] = self.files.pop(old)
        return 0

    def sys_unlinkat(self, at: int, path_at: int, flags: int, *_: int) -> int:
        """unlink(2), rmdir(2)"""
        path = self._cstr(path_at)
        if path not in self.files:
            return -int(Errno.ENOENT)
        if any(p.startswith(path.rstrip("/") + "/") for p in self.files):
            return -int(Errno.ENOTEMPTY)
        del self.files[path]
        return 0

    def sys_getdents64(self, fd: int, to: int, *_: int) -> int:
        """getdents64(2)"""
        opened = self.fds[fd]
        if opened.position:
            return 0
        opened.position = 1
        prefix = opened.path.rstrip("/") + "/"
        below = [p[len(prefix) :] for p in self.files if p.startswith(prefix)]
        names = [name for name in below if name and "/" not in name]
        data = b""
        for name in (".", "..", *names):
            raw = name.encode() + b"\0"
            size = (19 + len(raw) + 7) & ~7
            data += struct.pack("<QqHB", 1, 0, size, 0) + raw.ljust(size - 19, b"\0")
        self.write(to, data)
        return len(data)

    def sys_wait4(self, pid: int, status_at: int, options: int, usage_at: int, *_: int) -> int:
        """wait4(-1, WNOHANG)"""
        if not self.zombies:
            return 0 if self.processes else -int(Errno.ECHILD)
        found, status = self.zombies.pop(0)
        self.count(processes=1 + len(self.processes) + len(self.zombies))
        self.write(status_at, struct.pack("<i", status))
        self.write(usage_at, bytes(144))
        self.child_instructions += 1000 + found
        self.event(Event.REAP, found, status, 1000 + found)
        return found

    def sys_kill(self, pid: int, signal: int, *_: int) -> int:
        """Every signal kills."""
        targets = [p for p in self.processes.values() if pid in (-1, p.pid)]
        if not targets:
            return -int(Errno.ESRCH)
        for process in targets:
            process.killed = signal
            if process.task is not None:
                process.task.cancel()
        return 0


class FakeThreadWorker:
    """thread.boot and thread.start as js_shim/boot_thread.js obeys them."""

    def __init__(
        self, host: FakeHost, name: str, received: Callable[[Wire], None], failed: Callable[[str], None]
    ) -> None:
        self.host, self.name, self.received, self.failed = host, name, received, failed
        self.number = self.instance = -1
        self.terminated = False
        self.boots: Wire = {}

    def post(self, wire: Wire, transfer: list[Any]) -> None:
        """From the owner."""
        asyncio.get_running_loop().call_soon(self._obey, dict(wire))

    def _obey(self, wire: Wire) -> None:
        if self.terminated:
            return
        if wire["m"] == "thread.boot":
            self.number, self.instance, self.boots = wire["worker"], wire["instance"], wire
            problem = self.host.boot_problem
            if problem:
                self.failed(problem)
            else:
                self.say({"m": "thread.ready"})
        else:
            self.running = asyncio.ensure_future(self._run(wire["slot"], wire["generation"]))

    def say(self, wire: Wire) -> None:
        """To the owner."""
        if not self.terminated:
            self.received({"worker": self.number, **wire})

    async def _run(self, slot: int, generation: int) -> None:
        kernel = self.host.kernel
        record = kernel.record(slot)
        said = {"m": "thread.exited", "slot": slot, "generation": generation, "touched_pages": self.host.touched_pages}
        if record.word != Thread.NEW or record.generation != generation:
            self.say({**said, "status": int(Status.STALE)})
            return
        kernel.set_record(slot, word=Thread.USER)
        process = kernel.processes.get(record.pid)
        if process is None or record.start_kind == Start.THREAD:  # a thread of a test
            return
        process.task = asyncio.ensure_future(kernel.programs[process.path](process))
        try:
            status = (await process.task) << 8
        except asyncio.CancelledError:
            status = process.killed
        except BrokenPipeError:
            status = 13
        except Exception as e:
            self.say({"m": "thread.crashed", "slot": slot, "text": str(e), "panic": False})
            return
        kernel.ended(record.pid, status)
        self.say({**said, "status": int(Status.EXITED)})

    def terminate(self) -> None:
        """Gone."""
        self.terminated = True


class FakeKeptFile:
    """host.contract.KeptFile in memory. room: bytes that fit; what was not flushed is known by `flushed`."""

    def __init__(self, data: bytes = b"", room: int = 1 << 30) -> None:
        self.data = bytearray(data)
        self.flushed = bytes(data)
        self.room = room

    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def read(self, at: int, count: int) -> bytes:
        """A slice."""
        return bytes(self.data[at : at + count])

    def write(self, at: int, data: bytes) -> None:
        """ENOSPC beyond `room`."""
        if at + len(data) > self.room:
            raise OSError(errno.ENOSPC, "no room")
        self.data[len(self.data) :] = bytes(max(0, at - len(self.data)))
        self.data[at : at + len(data)] = data

    def truncate(self, count: int) -> None:
        """Shorter only."""
        del self.data[count:]

    def flush(self) -> None:
        """Durable now."""
        self.flushed = bytes(self.data)

    def close(self) -> None:
        """Nothing to do."""


class FakeKeptFolder:
    """host.contract.KeptFolder"""

    def __init__(self, files: tuple[FakeKeptFile, ...]) -> None:
        self.files: tuple[KeptFile, ...] = files

    async def room(self) -> int:
        """Plenty."""
        return 1 << 30

    def close(self) -> None:
        """The files stay."""


class FakeHost:
    """host.contract.Host."""

    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel = kernel
        self.workers: list[FakeThreadWorker] = []
        self.attached: list[Any] = []
        self.boot_problem = ""
        self.web: dict[str, bytes] = {}
        self.fetched: list[tuple[str, int, int]] = []
        self.has_ranges = True
        self.touched_pages = 10
        self.kept: dict[str, tuple[FakeKeptFile, ...]] = {}

    def start_thread_worker(
        self, name: str, received: Callable[[Wire], None], failed: Callable[[str], None]
    ) -> FakeThreadWorker:
        """A task."""
        worker = FakeThreadWorker(self, name, received, failed)
        self.workers.append(worker)
        return worker

    def new_channel(self) -> tuple[Any, Any]:
        """Two ends."""
        return port_pair()

    def thread_boot_options(self) -> dict[str, Any]:
        """Nothing that matters here."""
        return {
            "module": None,
            "memory": None,
            "guest_initial_pages": 18,
            "guest_max_pages": 1024,
            "variant": None,
            "shared_variant": None,
            "guest_memory": None,
        }

    def module_boot_options(self) -> dict[str, Any] | None:
        """Likewise."""
        return {**self.thread_boot_options(), "variant": "variant", "shared_variant": "shared"}

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """The loop's."""
        asyncio.get_running_loop().call_later(seconds, callback)

    async def sha256(self, data: Any) -> str:
        """hashlib"""
        return hashlib.sha256(data).hexdigest()

    async def fetch(self, url: str, start: int = 0, end: int = 0) -> tuple[Any, int]:
        """From `web`; each request is noted in `fetched`. has_ranges: whether the server knows them."""
        self.fetched.append((url, start, end))
        if url not in self.web:
            raise OSError("the server says 404 Not Found")
        data = self.web[url]
        return (data[start:end], start) if end and self.has_ranges else (data, 0)

    async def open_kept(self, name: str, read_only: bool) -> FakeKeptFolder:
        """In memory."""
        return FakeKeptFolder(self.kept.setdefault(name, (FakeKeptFile(), FakeKeptFile())))

    async def forget_kept(self, name: str) -> None:
        """Gone."""
        self.kept.pop(name, None)

    async def gunzip(self, data: Any) -> Any:
        """gzip"""
        return gzip.decompress(data)
