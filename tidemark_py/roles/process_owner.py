"""ProcessOwner: gives every new thread to a worker and answers who waits for that; ends what a lost worker ran.

It reads one thread_record per hand-over and never decides what a system call means. It never blocks (DESIGN.md 3).
"""

from __future__ import annotations

import errno
from typing import Any

from ..abi.gen.abi import Errno, Notify, Role, Start, Status, Thread, ThreadRecord
from ..abi.gen.messages import (
    MESSAGES,
    AttachClose,
    AttachCloseReply,
    AttachOpen,
    AttachOpenReply,
    KernelNotified,
    PoolCrash,
    PoolCrashReply,
    PoolResume,
    PoolResumeReply,
    PoolStats,
    PoolStatsReply,
    RuntimeFailed,
    RuntimeLogged,
    RuntimeReady,
    ThreadCompiled,
    ThreadCrashed,
    ThreadExited,
    ThreadReady,
)
from ..channel.port import Port
from ..channel.wire import decode
from ..errors import InternalError, KernelPanic, TidemarkError
from ..host.contract import Host, Kernel, RawPort, Wire
from ..process.pool import PoolWorker, WorkerPool, WorkerState
from ..state.metrics import handled

__all__ = ["ProcessOwner"]

ROLE = "process_owner"
FIRST_INSTANCE = 2  # 0 kernel worker, 1 owner
NO_INSTANCE = 0xFFFFFFFF
DEAD_SECONDS = 3.0  # Chromium gives a worker that is busy or parked two seconds before it ends it by force


class ProcessOwner:
    """Implements ProcessOwnerHandler. Call start() once."""

    def __init__(self, kernel: Kernel, host: Host, page: RawPort, attach: Any, join: Any = None) -> None:
        self._kernel = kernel
        self._host = host
        self._join = join
        self._records = kernel.thread_records
        self.page = Port(page, self, self.failed)
        instances = range(FIRST_INSTANCE, int(kernel.call("tk_max_instances")))
        self.pool = WorkerPool(host, instances, self._received, attach, self._started, self._refused, self._lost)
        self._ready = False
        self._over = False

    def start(self) -> None:
        """Fill the pool; runtime.ready follows when it is there."""
        self.pool.refill()

    # ---- notifications ----

    def notified(self, kind: int, arg: Any) -> None:
        """NOTIFY_* for the owner, from a kernel instance in a role's worker."""
        self._notified(kind, int(arg), None)

    def kernel_notified(self, message: KernelNotified) -> None:
        """NOTIFY_* from a thread worker."""
        self._notified(message.kind, message.arg, message.guest_port)

    def _notified(self, kind: int, arg: int, guest_port: Any) -> None:
        if self._over:
            return
        handled(self._kernel, Role.OWNER, kind, arg)
        if kind == Notify.KILL:
            worker = self.pool.end(arg)
            if worker is not None:
                self._call("tk_worker_died", arg, worker.instance)
            return
        if kind != Notify.START:
            return
        record = self.record(arg)
        if record.word != Thread.NEW:
            return  # killed before it began
        if record.start_kind == Start.THREAD:
            self.pool.run_beside(record.memory_owner, guest_port, arg, record.generation)
        elif record.start_kind == Start.WASI:
            self.pool.run_module(arg, record.generation, record.image)
        elif record.start_kind == Start.WASI_THREAD:
            self.pool.run_module(arg, record.generation, 0, guest_port)
        else:
            self.pool.run(arg, record.generation)

    def record(self, slot: int) -> ThreadRecord:
        """The thread's record now."""
        return ThreadRecord.unpack(self._kernel.peek(self._records + slot * ThreadRecord.BYTES, ThreadRecord.BYTES))

    # ---- from workers ----

    def _received(self, wire: Wire) -> None:
        cls = MESSAGES[wire["m"]]
        message = decode(cls, wire)
        if isinstance(message, KernelNotified):
            self.kernel_notified(message)
        elif isinstance(message, ThreadExited):
            self.thread_exited(message)
        elif isinstance(message, ThreadCompiled):
            self.pool.keep_module(message)
        elif isinstance(message, ThreadReady):
            self.thread_ready(message)
        elif isinstance(message, ThreadCrashed):
            self.thread_crashed(message)
        else:
            raise InternalError(f"a thread worker sent {cls.NAME}")

    def thread_ready(self, message: ThreadReady) -> None:
        """A worker booted."""
        self.pool.ready(message.worker)
        if not self._ready and self.pool.has_booted:
            self._ready = True
            self.page.send(RuntimeReady(ROLE))

    def thread_exited(self, message: ThreadExited) -> None:
        """tk_run returned."""
        if message.status == Status.STALE:
            self.page.send(RuntimeLogged(ROLE, f"thread {message.slot}: a worker was started with an old generation"))
        self.pool.exited(message)

    def thread_crashed(self, message: ThreadCrashed) -> None:
        """A worker threw."""
        if message.panic:
            self.failed(KernelPanic(message.text))
            return
        self.pool.failed(message.worker, message.text)

    # ---- what the pool reports ----

    def _started(self, slot: int, generation: int) -> None:
        self._resume_waiter(slot, 0)

    def _refused(self, slot: int, generation: int) -> None:
        """No worker: the parent's clone says EAGAIN; a spawned process, which nobody waits for, is killed."""
        if self.record(slot).waiter >= 0:
            self._resume_waiter(slot, -int(Errno.EAGAIN))
        else:
            self._call("tk_worker_died", slot, NO_INSTANCE)

    def _resume_waiter(self, slot: int, result: int) -> None:
        record = self.record(slot)
        if record.waiter < 0:
            return
        # A child that moves to a worker for modules is handed over twice: its parent may have been resumed already.
        if record.start_kind != Start.WASI or self.record(record.waiter).word == Thread.HANDOVER:
            self._call("tk_resume", record.waiter, record.waiter_generation, result)

    def _lost(self, worker: PoolWorker, text: str) -> None:
        if self._over:
            return
        if not self._ready and not self.pool.has_booted:
            self.page.send(RuntimeFailed(ROLE, "boot", f"a thread worker did not start: {text}"))
            self._over = True
            return
        if worker.slot >= 0:
            pid = self.record(worker.slot).pid
            line = f"the worker of process {pid} crashed, so the process was killed: {text}"
            self.page.send(RuntimeLogged(ROLE, line))
            self._call("tk_worker_died", worker.slot, worker.instance)
        else:
            self.page.send(RuntimeLogged(ROLE, f"a thread worker was lost: {text}"))

    def _call(self, name: str, *numbers: float) -> int:
        """A kernel call whose failure ends the runtime."""
        try:
            return int(self._kernel.call(name, *numbers))
        except TidemarkError as e:
            self.failed(e)
            return -int(Errno.EIO)

    def failed(self, error: BaseException) -> None:
        """Tell the page that nothing goes on."""
        if self._over:
            return
        kind = "panic" if isinstance(error, KernelPanic) else "internal"
        self.page.send(RuntimeFailed(ROLE, kind, str(error) or type(error).__name__))
        self._over = True

    # ---- from the page ----

    def attach_open(self, message: AttachOpen) -> AttachOpenReply:
        """An instance's number for a Pyodide that becomes a process; its notifications come by its port."""
        instance = self.pool.lend_instance()
        self._join(message.port)
        options = self._host.thread_boot_options()
        return AttachOpenReply(instance, options["module"], options["memory"])

    def attach_close(self, message: AttachClose) -> AttachCloseReply:
        """The instance is free again."""
        if message.thread >= 0:
            self._call("tk_worker_died", message.thread, message.instance)
        self.pool.take_back_instance(message.instance)
        return AttachCloseReply()

    def pool_stats(self, message: PoolStats) -> PoolStatsReply:
        """Counts."""
        pool = self.pool
        return PoolStatsReply(
            idle=pool.count(WorkerState.IDLE),
            running=pool.count(WorkerState.RUNNING) + pool.count(WorkerState.HELD),
            booting=pool.count(WorkerState.BOOTING),
            started=pool.made,
            handed_over=pool.handed_over,
            crashed=pool.crashed,
        )

    def pool_crash(self, message: PoolCrash) -> PoolCrashReply:
        """Test hook."""
        if message.pid < 0:
            self._kernel.throw(message.locked)
            return PoolCrashReply()
        if message.pid == 0:
            self.pool.throw(message.locked)
            return PoolCrashReply()
        running = [w for w in self.pool.workers.values() if w.state is WorkerState.RUNNING]
        worker = next((w for w in running if self.record(w.slot).pid == message.pid), None)
        if worker is None:
            raise OSError(errno.ESRCH, "No such process")
        # It may run on for a moment, and would end its process itself when the kernel wakes it: tell later.
        worker.handle.terminate()
        number = worker.number
        self._host.call_later(DEAD_SECONDS, lambda: self.pool.failed(number, "terminated by a test"))
        return PoolCrashReply()

    def pool_resume(self, message: PoolResume) -> PoolResumeReply:
        """Test hook."""
        return PoolResumeReply(int(self._kernel.call("tk_resume", message.thread, message.generation, 0)))
