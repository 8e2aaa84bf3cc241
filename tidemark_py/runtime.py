"""Runtime: what users hold, with Process (process/handle.py) and rt.fs (runtime_fs.py). DESIGN.md section 9.

    rt = await Runtime.create()
    await rt.fs.apply_layer(await tidemark_py.layers.fetch("layers/busybox"))
    p = await rt.spawn(["sh", "-c", "printf hi | cat"], stdout=PIPE)
    out, err = await p.communicate()

A Runtime is one kernel with its workers. It starts them, talks to the kernel worker (init, pid 1) and the process owner
by typed messages, and fails everything pending with one clear error when one of them is lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from .abi.gen import messages as m
from .abi.gen.abi import WasiCapability
from .channel.later import Later
from .channel.port import Port
from .errors import BootError, InternalError, KernelPanic, RuntimeClosed, TidemarkError, WorkerCrashed
from .frames.board import RuntimeFrames
from .host.contract import RawPort
from .layers.lazy import FetchProgress
from .net.outside import NetEvents, RuntimeNet
from .process.attachments import Attachments
from .process.handle import CompletedProcess, Process
from .process.machine import MachineHandles
from .runtime_fs import FileStat, RuntimeFS
from .state.child_exit import ChildExitState
from .state.events import RuntimeEvent, parse_events
from .state.kernel_runtime import KernelRuntimeState
from .state.machine import MachineState
from .state.metrics import Metric, of_samples, parse_metrics
from .state.trace import CallUseState, TraceEvent, parse_call_uses
from .tracing import Tracing

if TYPE_CHECKING:
    from .app import App, AppLimits

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "CompletedProcess",
    "FetchProgress",
    "FileStat",
    "Process",
    "Runtime",
    "RuntimeFS",
]

# as subprocess has them
PIPE = -1
STDOUT = -2
DEVNULL = -3
_WIRE = {PIPE: -1, DEVNULL: -2, STDOUT: -3}

BOOT_SECONDS = 60.0
JIT_MODES = {"off": 0, "on": 1, "forced": 2}
STOP_SECONDS = 1.0
LOG_LINES = 200
CRASHES_KEPT = 20
log = logging.getLogger("tidemark_py")

DEFAULT_ENV = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/sh",
    "LANG": "C.UTF-8",
}
FAILURES: dict[str, type[TidemarkError]] = {"panic": KernelPanic, "boot": BootError}


class Runtime(MachineHandles, NetEvents):
    """One kernel and its workers. `await Runtime.create()`, and close() at the end (or `async with`)."""

    def __init__(self) -> None:
        self.diagnostics: deque[str] = deque(maxlen=LOG_LINES)
        self._workers: list[Any] = []
        self._ports: dict[str, Port] = {}
        self._ready: Later[None] = Later()
        self._waiting_for: set[str] = set()
        self._processes: dict[int, Process] = {}
        self._ended_early: dict[int, ChildExitState] = {}
        self._spawning = 0
        self._over: Exception | None = None
        self._listeners: set[asyncio.Queue[RuntimeEvent | None]] = set()
        self._call_later = _loop_call_later
        self.tracing = Tracing(lambda: self._kernel)
        self._start_metrics: list[Metric] = []
        self.crashes: deque[tuple[int, str]] = deque(maxlen=CRASHES_KEPT)
        self._cancel_stop: Callable[[], None] | None = None
        self._processes_may_run = False
        self._frame_host: Callable[[], Any] = _no_frames
        self.attachments = Attachments(self._ask)

    # ---- life ----

    @classmethod
    async def create(
        cls,
        kernel: Any = None,
        *,
        topology: Literal["split", "together"] = "split",
        index_url: str | None = None,
        memories_cap: int = 96,
        snapshot: Any = None,
        snapshot_url: str | None = None,
        boot_seconds: float = BOOT_SECONDS,
        jit: Literal["off", "on", "forced"] = "on",
        workers: Any = None,
        _restoring: bool = False,
    ) -> Runtime:
        """Start a kernel.

        kernel: bytes, URL, buffer or compiled module of kernel.wasm; None is the package's own. topology: roles in a
        worker each, or both in one (small devices). index_url: Pyodide's files, None is where this Pyodide came from.
        memories_cap: most guest memories, that is processes at a time. snapshot, snapshot_url: Pyodide's memory
        snapshot for the workers, only a faster start. jit: translate hot guest code to WebAssembly; forced: all that
        runs (tests). workers: who makes them; None is the page when this Python runs on its main thread, else each
        worker makes its own ("nested"), which Firefox does not always run. A MessagePort that the page's
        serveWorkers() serves lets a worker's Python have them made by the page. Raises IsolationError, BootError.
        """
        from .host import page as host

        if topology not in ("split", "together"):
            raise ValueError(f"topology is 'split' or 'together', not {topology!r}")
        place = await host.PageHost.open(workers)
        self = cls()
        self._call_later = place.call_later
        try:
            began = time.perf_counter()
            module, saved = await asyncio.gather(place.compile(kernel), place.snapshot(snapshot or snapshot_url))
            fetched = time.perf_counter()
            memory, most_pages = place.kernel_memory()
            options = {
                "index_url": host.absolute_url(index_url) if index_url else host.default_index_url(),
                "module": module,
                "memory": memory,
                "variant": place.variant() if kernel is None else None,
                "guest_max_pages": most_pages,
                "memories_cap": memories_cap,
                "jit": JIT_MODES[jit],
                "thread_url": place.thread_url,
                "snapshot": saved,
                "restoring": _restoring,
            }
            self._build = place.build_id(module)
            self._frame_host = lambda: place.frames(memory)
            del module
            self._start_workers(place, topology, options)
            self.fs._absolute_url = host.absolute_file_url
            del options
            await self._booted(boot_seconds)
            for name, seconds in (("start.fetch", fetched - began), ("start.roles", time.perf_counter() - fetched)):
                self._start_metrics.append(of_samples(name, 1, (seconds * 1e6,) * 3))
        except BaseException:
            self.close()
            raise
        return self

    def _start_workers(self, place: Any, topology: str, options: dict[str, Any]) -> None:
        roles: list[tuple[str, Any]]
        if topology == "together":
            roles = [("together", None)]
        else:
            a, b = place.new_channel()
            roles = [("kernel_worker", a), ("process_owner", b)]
        self._waiting_for = {"kernel_worker", "process_owner"}
        for role, peer in roles:
            worker = place.start_role_worker(f"tidemark {role}", lambda text, role=role: self._lost(role, text))
            self._attach(role, worker, worker)
            sources = place.sources()
            boot = {**options, "role": role, "peer_port": peer, "sources": sources}
            if role == "kernel_worker":
                del boot["variant"]
            worker.boot(boot, [sources.bytes.buffer] if peer is None else [sources.bytes.buffer, peer])

    def _attach(self, role: str, raw: RawPort, worker: Any) -> None:
        """A role's port; `worker` is terminated by close()."""
        self._workers.append(worker)
        port = Port(raw, self)
        for name in ("kernel_worker", "process_owner") if role == "together" else (role,):
            self._ports[name] = port
        if "kernel_worker" in self._ports:
            self.fs = RuntimeFS(self._ports["kernel_worker"])
            self.net = RuntimeNet(lambda: self._kernel, self._program_of)
            self.frames = RuntimeFrames(lambda: self._kernel, lambda: self._frame_host())
            self.state = MachineState(self._ports["kernel_worker"])

    async def _booted(self, seconds: float) -> None:
        def late() -> None:
            missing = " and ".join(sorted(self._waiting_for))
            self._ready.fail(BootError(f"the {missing} did not start within {seconds:g} s: is Pyodide reachable?"))

        cancel = self._call_later(seconds, late)
        try:
            await self._ready
        finally:
            cancel()

    def close(self) -> None:
        """End every process and worker and free all memory. What is pending fails with RuntimeClosed at once.

        Processes are killed first: a browser takes two seconds to end a worker that is busy, and none for an idle one.
        """
        self.attachments.let_go(RuntimeClosed("the runtime was closed"))
        if self._over is None and self._ready.done and self._processes_may_run:
            self._ports["kernel_worker"].send(m.RuntimeStop(STOP_SECONDS))
            self._cancel_stop = self._call_later(STOP_SECONDS * 1.5, self._terminate)
            self._end(RuntimeClosed("the runtime was closed"), terminate=False)
        else:
            self._end(RuntimeClosed("the runtime was closed"))

    async def __aenter__(self) -> Runtime:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """It cannot be used any more: closed, or failed."""
        return self._over is not None

    def _terminate(self) -> None:
        cancel, self._cancel_stop = self._cancel_stop, None
        if cancel is not None:
            cancel()
        workers, self._workers = self._workers, []
        self._frame_host = _no_frames  # it holds the kernel memory
        for worker in workers:
            worker.terminate()

    def _end(self, error: Exception, terminate: bool = True) -> None:
        if self._over is not None:
            return
        self.attachments.let_go(error)
        self._over = error
        if terminate:
            self._terminate()
        self._ready.fail(error)
        for port in set(self._ports.values()):
            port.fail_all(error)
        processes, self._processes = self._processes, {}
        for process in processes.values():
            process._exit.fail(error)
        for queue in self._listeners:
            queue.put_nowait(None)
        self.tracing.end(error)

    # ---- attached Pyodides: shims ----

    def check(self) -> None:
        """Raises what ended this runtime, if something did."""
        if self._over is not None:
            raise self._over

    def _ask(self, role: str, message: Any) -> Later[Any]:
        self.check()
        self._processes_may_run = True
        return self._ports[role].request(message)

    def attach_joined(self, message: m.AttachJoined) -> m.AttachJoinedReply:
        """A Pyodide is a process now."""
        return self.attachments.noted(message)

    def interrupt(self) -> None:
        """SIGINT, as ^C on a terminal: KeyboardInterrupt in each attached Python that waits, and to its children."""
        self.attachments.interrupt(2)

    async def port(self) -> Any:
        """A MessagePort for another worker's `await tidemark_py.attach(port)`: transfer it there."""
        return await self.attachments.new_port()

    def _lost(self, role: str, text: str) -> None:
        what = {"kernel_worker": "kernel worker", "process_owner": "process owner"}.get(role, "runtime's worker")
        if not self._ready.done:
            self._end(BootError(f"the {what} did not start: {text}"))
        else:
            self._end(WorkerCrashed(f"the {what} crashed ({text}): make a new Runtime"))

    @property
    def _kernel(self) -> Port:
        self.check()
        return self._ports["kernel_worker"]

    # ---- messages: PageHandler ----

    def runtime_ready(self, message: m.RuntimeReady) -> None:
        """A role runs."""
        self._waiting_for.discard(message.role)
        if not self._waiting_for:
            self._ready.resolve(None)

    def runtime_failed(self, message: m.RuntimeFailed) -> None:
        """A role cannot go on."""
        error = FAILURES.get(message.kind, InternalError)(message.text)
        log.debug("%s: %s", message.role, message.text)
        self._end(error)

    def runtime_logged(self, message: m.RuntimeLogged) -> None:
        """A line for diagnostics."""
        line = f"{message.role}: {message.text}"
        self.diagnostics.append(line)
        log.warning("%s", line)

    def runtime_stopped(self, message: m.RuntimeStopped) -> None:
        """Every process is gone; so may the workers."""
        self._terminate()

    def layer_progress(self, message: m.LayerProgress) -> None:
        """A lazy layer has more of its bodies."""
        self.fs._fetched(message)

    def trace_recorded(self, message: m.TraceRecorded) -> None:
        """Somebody traces."""
        self.tracing.recorded(message.records)

    def process_crashed(self, message: m.ProcessCrashed) -> None:
        """Comes before process_exited."""
        self.crashes.append((message.pid, message.report))
        if (process := self._processes.get(message.pid)) is not None:
            process.crash = message.report

    def process_exited(self, message: m.ProcessExited) -> None:
        """A child of init ended; orphans are nobody's here."""
        state = ChildExitState(message.pid, message.status, message.instructions, message.user_ns)
        process = self._processes.pop(message.pid, None)
        if process is not None:
            process._exited(state)
        elif self._spawning:
            self._ended_early[message.pid] = state

    async def _program_of(self, pid: int) -> str:
        try:
            return await self.fs.readlink(f"/proc/{pid}/exe")
        except OSError:
            return ""

    def event_recorded(self, message: m.EventRecorded) -> None:
        """New lifecycle events."""
        for event in parse_events(message.records):
            for queue in self._listeners:
                queue.put_nowait(event)

    # ---- processes ----

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        executable: str = "",
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        tty: bool | tuple[int, int] = False,
        pass_fds: Mapping[int, int] | None = None,
        start_new_session: bool = False,
        process_group: bool = False,
        user: int = 0,
        group: int = 0,
        umask: int = 0o022,
        memory_limit: int = 0,
        root: int = 0,
        preopens: Mapping[str, str] | None = None,
        capabilities: int = 0,
    ) -> Process:
        """Start a program; argv[0] (or `executable`, when given) is searched in env's PATH.

        Streams: PIPE, DEVNULL, STDOUT (stderr only), a descriptor of init, or None: nothing to read, and output goes to
        Python's own stdout and stderr. tty: a terminal for all three, (rows, columns) or True for 24x80; then stdin and
        stdout are its two directions. pass_fds: number in the child -> descriptor of init. preopens: what WebAssembly
        modules see, by the name they see: {"/": "/srv/app"}, {} nothing; it and capabilities hold for all that is
        started from there. Raises FileNotFoundError, PermissionError, OSError(ENOEXEC) ... naming argv[0].
        """
        arguments = [str(a) for a in argv]
        copy_out = stdout is None and stderr is None and not tty
        rows, columns = tty if isinstance(tty, tuple) else (24, 80)
        message = m.ProcessSpawn(
            root=root,
            argv=arguments,
            executable=executable,
            env=[f"{k}={v}" for k, v in (DEFAULT_ENV if env is None else env).items()],
            cwd=cwd,
            stdin=_stream(DEVNULL if stdin is None else stdin),
            stdout=_stream(PIPE if stdout is None else stdout),
            stderr=_stream(PIPE if stderr is None else stderr),
            pass_fds=[n for pair in (pass_fds or {}).items() for n in pair],
            tty=bool(tty),
            rows=rows,
            columns=columns,
            session=start_new_session,
            group=process_group,
            uid=user,
            gid=group,
            umask=umask,
            memory_limit=memory_limit,
            preopens=[text for name, directory in (preopens or {}).items() for text in (directory, name)],
            capabilities=capabilities | (WasiCapability.NO_PREOPENS if preopens is not None and not preopens else 0),
        )
        port = self._kernel
        self._processes_may_run = True
        self._spawning += 1
        try:
            reply = await port.request(message)
            process = Process(port, arguments, reply, bool(tty))
            early = self._ended_early.pop(reply.pid, None)
            process.crash = dict(self.crashes).get(reply.pid)
        finally:
            self._spawning -= 1
            if not self._spawning:
                self._ended_early.clear()
        if early is not None:
            process._exited(early)
        else:
            self._processes[reply.pid] = process
        if copy_out:
            process._copy_out()
        return process

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - subprocess.run's name
        check: bool = False,
        stdout: int | None = PIPE,
        stderr: int | None = PIPE,
        **options: Any,
    ) -> CompletedProcess:
        """spawn, communicate, wait. After `timeout` seconds it is killed: raises subprocess.TimeoutExpired."""
        data = input.encode() if isinstance(input, str) else input
        stdin = options.pop("stdin", DEVNULL if data is None else PIPE)
        process = await self.spawn(argv, stdin=stdin, stdout=stdout, stderr=stderr, **options)
        talk = asyncio.ensure_future(process.communicate(data))
        if timeout is not None and not await self._within(talk, timeout):
            from subprocess import TimeoutExpired

            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            talk.cancel()
            raise TimeoutExpired(list(argv), timeout)
        out, err = await talk
        result = CompletedProcess(list(process.args), process.returncode or 0, out, err, process.instructions)
        if check:
            result.check_returncode()
        return result

    async def start_app(
        self,
        app: str | bytes,
        session_id: str,
        ready: Literal["before", "export"] | None = None,
        preopens: Mapping[str, str] | None = None,
        limits: AppLimits | None = None,
        args: Sequence[str] = (),
    ) -> App:
        """Start a WebAssembly app (tidemark_py/app.py): a package directory of the guests, a zip of one, or a module.

        ready: when READY is said on app.channel: "before" _start, or when the app says so ("export"); None: as its
        manifest has it.
        Raises AppError before anything runs; then `await app.ready()`, `await app.wait()`.
        """
        from .app import start_app  # most pages start none: what it imports is not loaded for them

        return await start_app(self, app, session_id, ready, preopens, limits, args)

    async def _within(self, task: asyncio.Future[Any], seconds: float) -> bool:
        """False when `task` is not done in time."""
        expired: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        cancel = self._call_later(seconds, lambda: None if expired.done() else expired.set_result(None))
        try:
            await asyncio.wait({task, expired}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancel()
        return task.done()

    async def kill_all(self, signal: int = 9, seconds: float = 10.0) -> None:
        """Signal every process; returns when none is left. Raises TidemarkError when some are, after `seconds`."""
        left = (await self._kernel.request(m.ProcessKillAll(int(signal), seconds))).left
        if left:
            raise TidemarkError(f"{left} processes did not end within {seconds:g} s of signal {int(signal)}")

    async def kill(self, pid: int, signal: int = 9) -> None:
        """kill(2) as init sees it: any process, minus a number for a group. Raises ProcessLookupError."""
        await self._kernel.request(m.ProcessKill(pid, int(signal)))

    # ---- roots ----

    async def root_new(self, base: int = 0) -> int:
        """A fresh writable view of root `base`'s layers (-1: empty): a handle for root=."""
        return (await self._kernel.request(m.RootNew(base))).root

    async def root_drop(self, root: int) -> None:
        """Forget a root and all that was written in it. Raises OSError(EBUSY) while processes use it."""
        await self._kernel.request(m.RootDrop(root))

    new_root = root_new
    drop_root = root_drop

    # ---- diagnostics ----

    async def snapshot(self) -> KernelRuntimeState:
        """Processes, threads and counters now."""
        return KernelRuntimeState.from_json((await self._kernel.request(m.StateSnapshot())).state)

    def strace(self, pid: int = 0) -> AsyncIterator[str]:
        """`async for line in rt.strace(p.pid)`: the system calls of a process and its children (0: all) from now on."""
        return self.tracing.lines(pid)

    def trace(self, pid: int = 0, *, timeline: bool = False) -> AsyncIterator[TraceEvent]:
        """The same as records; timeline: with waits, messages and phases. chrome_trace() makes a file of a list."""
        return self.tracing.events(pid, timeline)

    async def measure(self, on: bool = True) -> None:
        """Keep histograms of system calls, wake-ups, messages and phases from now on, from zero; or no more."""
        await self._kernel.request(m.MetricsSet(on))

    async def metrics(self) -> list[Metric]:
        """What was measured since measure(), how this runtime started, and the latency of frames that are shown."""
        found = parse_metrics((await self._kernel.request(m.MetricsRead())).records)
        return [*self._start_metrics, *found, *(await self.frames.metrics())]

    async def unsupported_calls(self) -> list[CallUseState]:
        """Calls that are not there, or only in part, and who made them, since it was last asked."""
        return parse_call_uses((await self._kernel.request(m.CallsUsed())).records)

    @property
    def events(self) -> AsyncIterator[RuntimeEvent]:
        """Lifecycle events from now on: `async for event in rt.events`."""
        return self._events()

    async def _events(self) -> AsyncIterator[RuntimeEvent]:
        queue: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        port = self._kernel
        self._listeners.add(queue)
        try:
            await port.request(m.EventListen(True))
            while (event := await queue.get()) is not None:
                yield event
            if self._over is not None and not isinstance(self._over, RuntimeClosed):
                raise self._over
        finally:
            self._listeners.discard(queue)
            if not self._listeners:
                port.request(m.EventListen(False))

    async def pool_stats(self) -> m.PoolStatsReply:
        """What the process owner's workers do."""
        self.check()
        return await self._ports["process_owner"].request(m.PoolStats())


def _no_frames() -> Any:
    raise RuntimeClosed("the runtime was closed")


def _loop_call_later(seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
    """A timer of the event loop; returns what cancels it."""
    return asyncio.get_running_loop().call_later(seconds, callback).cancel


def _stream(value: int) -> int:
    if value >= 0:
        return value
    if value not in _WIRE:
        raise ValueError(f"{value} is no descriptor, PIPE, DEVNULL or STDOUT")
    return _WIRE[value]
