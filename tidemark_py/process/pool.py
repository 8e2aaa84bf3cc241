"""The pool of thread workers: who runs what, who is free, when one is made, reused or terminated.

Owner: the process owner, which never blocks. A worker and the guest memory it made stay paired; threads of one process
are a group on the memory of the worker that made it. Nobody outside a group ever holds its memory, so a worker goes
back to the pool only when no other thread of its group runs, and the borrowers are terminated first.
A worker for WebAssembly modules makes no memory (the module does) and is ended after one thread. They are kept ready
only once a first module has run; compiled modules are kept by image, the last used ones. A new worker costs more than a
module's start and takes the same processors, the page's thread among them: while some are ready, more are made only
when modules have stopped starting for a moment.
Missing: a wait cell that hands a process's next thread to its idle worker without Python (DESIGN.md section 3).
"""

from __future__ import annotations

import errno
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..abi.gen.messages import ThreadBoot, ThreadCompiled, ThreadExited, ThreadStart, ThreadStartModule, ThreadThrow
from ..channel.wire import encode
from ..host.contract import Host, Wire, WorkerHandle

__all__ = ["PoolWorker", "WorkerPool", "WorkerState"]

IDLE_TARGET = 4
IDLE_MOST = 8
# A memory of which more was touched gives its pages back only with its worker: 64 MiB in 4 KiB pages.
TOUCHED_PAGES_MOST = 16384
RETRY_SECONDS = 0.5
MODULE_IDLE_TARGET = 4
MODULE_IDLE_LEAST = 2  # fewer are made up for at once
MODULE_QUIET_SECONDS = 0.05
MODULES_KEPT = 32
MODULES_KEPT_BYTES = 256 << 20
# A worker ended while it computed may run on so long (Chromium: two seconds): nobody else gets its instance before.
LINGER_SECONDS = 6.0


class WorkerState(Enum):
    """Where a worker is."""

    BOOTING = "booting"
    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"  # its thread ended, but others still run on the memory it made
    GONE = "gone"


@dataclass(slots=True, eq=False)
class PoolWorker:
    """One thread worker. group: the worker that made the guest memory (itself, mostly)."""

    number: int
    instance: int
    handle: WorkerHandle = field(init=False)
    group: PoolWorker = field(init=False)
    borrowers: list[PoolWorker] = field(default_factory=list)
    state: WorkerState = WorkerState.BOOTING
    slot: int = -1
    generation: int = 0
    start_order: int = 0
    for_modules: bool = False

    @property
    def is_maker(self) -> bool:
        """It made the guest memory it runs on."""
        return self.group is self


class WorkerPool:
    """Callbacks: started(slot, generation) once a thread's worker was told to run; lost(worker, text) when one crashed;
    refused(slot, generation) when no worker can be had for a thread."""

    def __init__(
        self,
        host: Host,
        instances: range,
        received: Callable[[Wire], None],
        attach: Callable[[Any], None],
        started: Callable[[int, int], None],
        refused: Callable[[int, int], None],
        lost: Callable[[PoolWorker, str], None],
    ) -> None:
        self._host = host
        self._received = received
        self._attach = attach
        self._started, self._refused, self._lost = started, refused, lost
        self._free_instances = list(reversed(instances))
        self._options = host.thread_boot_options()
        self.workers: dict[int, PoolWorker] = {}
        self._idle: list[PoolWorker] = []
        self._idle_for_modules: list[PoolWorker] = []
        self._waiting_modules: deque[tuple[int, int, int, Any]] = deque()
        self._modules_wanted = False  # keep idle workers for modules
        self._modules_started = 0
        self._awaits_quiet = False
        self._modules: OrderedDict[int, tuple[Any, int]] = OrderedDict()  # image -> module, bytes of its file
        self._waiting: deque[tuple[int, int]] = deque()
        self._borrow: dict[int, tuple[int, int]] = {}  # booting borrower -> its first thread
        self.made = 0
        self.handed_over = 0
        self.crashed = 0
        self._closed = False
        self._resting = False  # a worker could not boot: make no more for a while

    # ---- what the owner asks for ----

    def refill(self) -> None:
        """Start workers until enough are idle or on their way."""
        if self._modules_wanted:
            have = self._ready_for_modules()
            self._make_up(MODULE_IDLE_LEAST - have, for_modules=True)
            if have < MODULE_IDLE_TARGET:
                self._make_up_when_quiet()
        booting = sum(w.state is WorkerState.BOOTING and not w.for_modules for w in self.workers.values())
        self._make_up(IDLE_TARGET + len(self._waiting) - len(self._idle) - booting + len(self._borrow))

    def _make_up(self, missing: int, for_modules: bool = False) -> None:
        while missing > 0 and self._free_instances and not self._closed and not self._resting:
            self._make(None, for_modules)
            missing -= 1

    def _ready_for_modules(self) -> int:
        """Workers for modules that are idle or will be."""
        booting = sum(w.state is WorkerState.BOOTING and w.for_modules for w in self.workers.values())
        return len(self._idle_for_modules) + booting - len(self._waiting_modules)

    def _make_up_when_quiet(self) -> None:
        """Once no module has started for a moment."""
        if self._awaits_quiet or self._closed:
            return
        self._awaits_quiet = True
        seen = self._modules_started

        def look() -> None:
            self._awaits_quiet = False
            if self._modules_started != seen:
                self._make_up_when_quiet()
            else:
                self._make_up(MODULE_IDLE_TARGET - self._ready_for_modules(), for_modules=True)

        self._host.call_later(MODULE_QUIET_SECONDS, look)

    def run_module(self, slot: int, generation: int, image: int, guest_port: Any = None) -> None:
        """Give a thread whose process is a module to a worker, now or when one is there. guest_port: not the first."""
        if self._host.module_boot_options() is None:
            self._refused(slot, generation)
            return
        self._modules_wanted = True
        if self._idle_for_modules:
            self._start_module(self._idle_for_modules.pop(), slot, generation, image, guest_port)
        else:
            self._waiting_modules.append((slot, generation, image, guest_port))
            self._give_up_if_hopeless()
        self.refill()

    def keep_module(self, message: ThreadCompiled) -> None:
        """A compiled image: processes to come need not compile it."""
        self._modules[message.image] = (message.module, message.bytes)
        while len(self._modules) > MODULES_KEPT or (
            len(self._modules) > 1 and sum(size for _, size in self._modules.values()) > MODULES_KEPT_BYTES
        ):
            self._modules.popitem(last=False)

    def end(self, slot: int) -> PoolWorker | None:
        """Terminate the worker that runs a module for this thread; it is outside of the kernel for good."""
        worker = next((w for w in self.workers.values() if w.for_modules and w.slot == slot), None)
        if worker is not None:
            self._remove(worker, LINGER_SECONDS)
            self.refill()
        return worker

    def run(self, slot: int, generation: int) -> None:
        """Give a thread with a memory of its own to a worker, now or when one is there."""
        if self._idle:
            self._start(self._idle.pop(), slot, generation)
        else:
            self._waiting.append((slot, generation))
            self._give_up_if_hopeless()
        self.refill()

    def run_beside(self, owner_slot: int, guest_port: Any, slot: int, generation: int) -> None:
        """Give a thread to a worker on the memory of the worker that runs thread `owner_slot`."""
        # A slot may be reused before its last worker's thread.exited is read: the latest start counts.
        candidates = [w for w in self.workers.values() if w.slot == owner_slot]
        if not candidates:
            self._refused(slot, generation)
            return
        beside = max(candidates, key=lambda w: w.start_order)
        group = beside.group
        free = next((w for w in group.borrowers if w.state is WorkerState.IDLE), None)
        if free is not None:
            if guest_port is not None:
                guest_port.close()
            self._start(free, slot, generation)
        elif not self._free_instances or guest_port is None:
            self._refused(slot, generation)
        else:
            worker = self._make((group, guest_port))
            self._borrow[worker.number] = (slot, generation)

    def lend_instance(self) -> int:
        """A kernel instance's number for somebody else. Raises OSError(EAGAIN) when all are in use."""
        if not self._free_instances:
            raise OSError(errno.EAGAIN, "every kernel instance is in use: end processes first")
        return self._free_instances.pop(0)

    def take_back_instance(self, instance: int) -> None:
        """It is free again."""
        self._free_instances.insert(0, instance)

    def count(self, state: WorkerState) -> int:
        """Workers in `state`."""
        return sum(1 for w in self.workers.values() if w.state is state)

    @property
    def has_booted(self) -> bool:
        """Nothing is on its way any more."""
        return self.count(WorkerState.BOOTING) == 0

    def throw(self, locked: bool) -> None:
        """For tests: an idle worker throws."""
        self._idle[0].handle.post(encode(ThreadThrow(locked)), [])

    def close(self) -> None:
        """Terminate all."""
        self._closed = True
        for worker in list(self.workers.values()):
            self._remove(worker)

    # ---- what workers say ----

    def ready(self, number: int) -> None:
        """thread.ready"""
        worker = self.workers.get(number)
        if worker is None:
            return
        thread = self._borrow.pop(number, None)
        if thread is not None:
            self._start(worker, *thread)
        else:
            self._to_idle(worker)

    def exited(self, message: ThreadExited) -> None:
        """thread.exited: reuse the worker, hold it, or end it."""
        worker = self.workers.get(message.worker)
        if worker is None or worker.slot != message.slot or worker.generation != message.generation:
            return
        worker.slot = -1
        if worker.for_modules:
            self._remove(worker)
            self.refill()
            return
        group = worker.group
        if not worker.is_maker:
            worker.state = WorkerState.IDLE  # waits for the process's next thread
            if group.state is WorkerState.HELD and not self._group_runs(group):
                self._end_group(group)
            return
        if self._group_runs(worker):
            worker.state = WorkerState.HELD
            return
        for borrower in list(worker.borrowers):
            self._remove(borrower)
        # -1: the kernel cannot say how much
        if not 0 <= message.touched_pages <= TOUCHED_PAGES_MOST or len(self._idle) >= IDLE_MOST:
            self._remove(worker)
            self.refill()
        else:
            self._to_idle(worker)

    def failed(self, number: int, text: str) -> None:
        """A worker crashed, wherever it was."""
        worker = self.workers.get(number)
        if worker is None:
            return
        booting = worker.state is WorkerState.BOOTING
        thread = self._borrow.pop(number, None)
        self.crashed += 1
        self._remove(worker)
        self._lost(worker, text)
        if thread is not None:
            self._refused(*thread)
        if booting and thread is None:
            self._rest()
        else:
            self.refill()

    # ---- inside ----

    def _make(self, borrow: tuple[PoolWorker, Any] | None, for_modules: bool = False) -> PoolWorker:
        self.made += 1
        worker = PoolWorker(self.made, self._free_instances.pop())
        worker.group = borrow[0] if borrow else worker
        worker.for_modules = for_modules
        if borrow:
            borrow[0].borrowers.append(worker)
        self.workers[worker.number] = worker
        number = worker.number
        worker.handle = self._host.start_thread_worker(
            f"tidemark thread {number}", self._received, lambda text: self.failed(number, text)
        )
        mine, theirs = self._host.new_channel()
        self._attach(mine)
        boot = ThreadBoot(
            worker=number,
            instance=worker.instance,
            kernel_port=theirs,
            guest_port=borrow[1] if borrow else None,
            **((self._host.module_boot_options() if for_modules else None) or self._options),
        )
        worker.handle.post(encode(boot), [theirs, borrow[1]] if borrow else [theirs])
        return worker

    def _start(self, worker: PoolWorker, slot: int, generation: int) -> None:
        worker.state = WorkerState.RUNNING
        worker.slot, worker.generation = slot, generation
        self.handed_over += 1
        worker.start_order = self.handed_over
        worker.handle.post(encode(ThreadStart(slot, generation)), [])
        self._started(slot, generation)

    def _start_module(self, worker: PoolWorker, slot: int, generation: int, image: int, guest_port: Any) -> None:
        worker.state = WorkerState.RUNNING
        worker.slot, worker.generation = slot, generation
        self.handed_over += 1
        self._modules_started += 1
        worker.start_order = self.handed_over
        module = None
        if image in self._modules:
            self._modules.move_to_end(image)
            module = self._modules[image][0]
        message = ThreadStartModule(slot, generation, image, module, guest_port)
        worker.handle.post(encode(message), [guest_port] if guest_port is not None else [])
        self._started(slot, generation)

    def _to_idle(self, worker: PoolWorker) -> None:
        worker.state = WorkerState.IDLE
        if worker.for_modules:
            if self._waiting_modules:
                self._start_module(worker, *self._waiting_modules.popleft())
                self.refill()
            else:
                self._idle_for_modules.append(worker)
            return
        if self._waiting:
            self._start(worker, *self._waiting.popleft())
            self.refill()
        else:
            self._idle.append(worker)

    def _group_runs(self, maker: PoolWorker) -> bool:
        return any(b.state in (WorkerState.RUNNING, WorkerState.BOOTING) for b in maker.borrowers)

    def _end_group(self, maker: PoolWorker) -> None:
        for borrower in list(maker.borrowers):
            self._remove(borrower)
        self._remove(maker)
        self.refill()

    def _remove(self, worker: PoolWorker, linger_seconds: float = 0.0) -> None:
        worker.state = WorkerState.GONE
        worker.handle.terminate()
        del self.workers[worker.number]
        if linger_seconds and not self._closed:
            self._host.call_later(linger_seconds, lambda: self._free_instances.append(worker.instance))
        else:
            self._free_instances.append(worker.instance)
        for idle in (self._idle, self._idle_for_modules):
            if worker in idle:
                idle.remove(worker)
        if worker in worker.group.borrowers:
            worker.group.borrowers.remove(worker)

    def _rest(self) -> None:
        """No memory for another worker, perhaps until a terminated one is collected: try again in a moment."""
        if not self._resting and not self._closed:
            self._resting = True
            self._host.call_later(RETRY_SECONDS, self._rested)
        self._give_up_if_hopeless()

    def _rested(self) -> None:
        self._resting = False
        if not self._closed:
            self.refill()

    def _give_up_if_hopeless(self) -> None:
        """Threads for which no worker can come answer EAGAIN, instead of waiting for somebody's exit."""
        if self.count(WorkerState.BOOTING) or not (self._resting or not self._free_instances):
            return
        while self._waiting:
            self._refused(*self._waiting.popleft())
        while self._waiting_modules:
            slot, generation, _, guest_port = self._waiting_modules.popleft()
            if guest_port is not None:
                guest_port.close()
            self._refused(slot, generation)
