"""KernelWorker: init (pid 1). Files, layers, streams and spawning for the page, all by Linux system calls of its own.

It holds no second copy of anything: descriptors, pipes and files live in kernel memory. It never blocks: what must wait
is a Later that a kernel notification resolves.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..abi.gen import messages as m
from ..abi.gen.abi import Errno, LayerFile, LayerHeader, Notify, Role, Syscall
from ..channel.later import Later
from ..channel.port import Port
from ..channel.wire import linux_error
from ..errors import KernelPanic, LayerError, NotHere, TidemarkError
from ..host.buffers import copy_of, part_of, size_of
from ..host.contract import Host, Kernel, RawPort
from ..layers.lazy import LazyLayer
from ..net.gate import NetGate
from ..process.spawn import spawn
from ..process.streams import StreamTable
from ..state.calls import DATA, DATA_BYTES, KernelCalls
from ..state.events import EventReader
from ..state.kernel_runtime import read_counters, read_kernel_runtime
from ..state.metrics import counted_histograms, handled
from ..state.records import StateRecords
from ..state.saved_machine import LayerReference
from ..state.saving import MachineRestorer, MachineSaver
from .keeper import Keeper
from .layer_fetcher import LayerFetcher

__all__ = ["KernelWorker"]

R = TypeVar("R")
ROLE = "kernel_worker"
INIT = 1
EVENT_SECONDS = 0.02
EVERY_EVENT = 0xFFFFFFFF
KILL_SECONDS = 0.004


class KernelWorker:
    """Implements KernelWorkerHandler. Call start() once."""

    def __init__(
        self,
        kernel: Kernel,
        host: Host,
        page: RawPort,
        memories_cap: int,
        guest_max_pages: int,
        jit: int = 0,
        restoring: bool = False,
    ) -> None:
        self._kernel = kernel
        self._host = host
        self._limits = (memories_cap, guest_max_pages)
        self._jit = jit
        self.page = Port(page, self, self.failed)
        self.calls = KernelCalls(kernel)
        self.streams = StreamTable(self.calls)
        self.records = StateRecords(kernel)
        self._layers: dict[int, LayerReference] = {}  # by address: bodies that a saved machine can name
        self._saver = MachineSaver(kernel, host, self.records, self._layers)
        self._restorer = MachineRestorer(kernel, host, memories_cap, guest_max_pages, jit) if restoring else None
        self._events = EventReader(kernel, DATA, DATA_BYTES)
        self.net = NetGate(self.calls, self.page, self._events)
        self.fetcher = LayerFetcher(
            kernel, host, self.page.send, lambda text: self.page.send(m.RuntimeLogged("layers", text))
        )
        self.keeper = Keeper(
            kernel,
            host,
            self.calls,
            lambda text: self.page.send(m.RuntimeLogged("kept files", text)),
            self._prefetch,
        )
        self._listening = False
        self._over = False

    def start(self) -> None:
        """Boot the kernel and become init; or wait for a saved machine. Raises OSError or KernelPanic."""
        if self._restorer is not None:
            self.page.send(m.RuntimeReady(ROLE))
            return
        if self._jit:
            self._kernel.call("tk_jit_mode", self._jit)
        for name, arguments in (("tk_boot", self._limits), ("tk_host_attach", (INIT, 0))):
            result = int(self._kernel.call(name, *arguments))
            if result < 0:
                raise linux_error(-result, text=f"{name} failed with -{-result}")
        self.net.listen()
        self.page.send(m.RuntimeReady(ROLE))

    # ---- notifications ----

    def notified(self, kind: int, arg: Any) -> None:
        """NOTIFY_* for init; kind -1 is a line of the kernel's log."""
        if self._over:
            return
        if kind == -1:
            self.page.send(m.RuntimeLogged("kernel", str(arg)))
            return
        try:
            handled(self._kernel, Role.KERNEL, kind, int(arg))
            if kind == Notify.WATCH:
                (self.net if arg >= NetGate.WATCH else self.streams).watched(int(arg))
            elif kind == Notify.CHILD:
                self._reap()
            elif kind == Notify.LISTEN:
                self.page.send(m.NetListening(int(arg)))
            elif kind == Notify.NET_REFUSED:
                self.net.refused(int(arg))
            elif kind == Notify.JOURNAL:
                self.keeper.notified(int(arg))
            elif kind == Notify.FETCH:
                self.fetcher.wanted()
            elif kind == Notify.ERRAND:
                self.records.done(int(arg))
            elif kind == Notify.EVENT:
                self._events.drain()
            elif kind == Notify.TRACE:
                self._send_trace()
            elif kind == Notify.CRASH:
                self._send_crashes()
        except (TidemarkError, OSError) as e:
            self._end("panic" if isinstance(e, KernelPanic) else "internal", str(e))

    def _reap(self) -> None:
        while (child := self.calls.wait_any()) is not None:
            self.page.send(
                m.ProcessExited(child.pid, child.status, instructions=child.instructions, user_ns=child.user_ns)
            )

    def failed(self, error: BaseException) -> None:
        """A panic ends the runtime; a handler's own failure was answered already."""
        if isinstance(error, KernelPanic):
            self._end("panic", str(error))

    def _end(self, kind: str, text: str) -> None:
        if not self._over:
            self.page.send(m.RuntimeFailed(ROLE, kind, text))
            self._over = True

    def _when_here(self, work: Callable[[], R]) -> R | Later[R]:
        """What `work` returns; when it meets a file that is not here, later, once it is."""
        try:
            return work()
        except NotHere:
            answer: Later[R] = Later()

        def again(_: Later[str]) -> None:
            try:
                answer.resolve(work())
            except NotHere:
                self.fetcher.next_done().then(again)
            except Exception as e:
                answer.fail(e)

        self.fetcher.next_done().then(again)
        return answer

    # ---- files ----

    def fs_write_file(self, message: m.FsWriteFile) -> m.FsWriteFileReply:
        """open, write, close."""
        self.calls.use_root(message.root)
        self.calls.write_file(message.path, message.data, message.mode)
        return m.FsWriteFileReply()

    def fs_write_files(self, message: m.FsWriteFiles) -> m.FsWriteFilesReply:
        """Parents are made."""
        self.calls.use_root(message.root)
        for path, body in zip(message.paths, message.bodies, strict=True):
            self.calls.make_parents(path)
            self.calls.write_file(path, body, message.mode)
        return m.FsWriteFilesReply()

    def fs_read_file(self, message: m.FsReadFile) -> m.FsReadFileReply | Later[m.FsReadFileReply]:
        """The whole body."""

        def read() -> m.FsReadFileReply:
            self.calls.use_root(message.root)
            return m.FsReadFileReply(self.calls.read_file(message.path))

        return self._when_here(read)

    def fs_symlink(self, message: m.FsSymlink) -> m.FsSymlinkReply:
        """symlink(2)"""
        self.calls.use_root(message.root)
        self.calls.symlink(message.target, message.path)
        return m.FsSymlinkReply()

    def fs_readlink(self, message: m.FsReadlink) -> m.FsReadlinkReply:
        """readlink(2)"""
        self.calls.use_root(message.root)
        return m.FsReadlinkReply(self.calls.readlink(message.path))

    def fs_mkdir(self, message: m.FsMkdir) -> m.FsMkdirReply:
        """mkdir(2), as os.makedirs when asked."""
        self.calls.use_root(message.root)
        if message.parents:
            self.calls.make_parents(message.path)
        try:
            self.calls.mkdir(message.path, message.mode)
        except FileExistsError:
            if not message.exist_ok or (self.calls.stat(message.path).st_mode & 0o170000) != 0o040000:
                raise
        return m.FsMkdirReply()

    def fs_stat(self, message: m.FsStat) -> m.FsStatReply:
        """stat(2)"""
        self.calls.use_root(message.root)
        s = self.calls.stat(message.path, message.follow)
        return m.FsStatReply(
            mode=s.st_mode,
            ino=s.st_ino,
            dev=s.st_dev,
            nlink=s.st_nlink,
            uid=s.st_uid,
            gid=s.st_gid,
            size=s.st_size,
            atime=s.st_atime_sec + s.st_atime_nsec / 1e9,
            mtime=s.st_mtime_sec + s.st_mtime_nsec / 1e9,
            ctime=s.st_ctime_sec + s.st_ctime_nsec / 1e9,
        )

    def fs_readdir(self, message: m.FsReaddir) -> m.FsReaddirReply:
        """getdents64(2)"""
        self.calls.use_root(message.root)
        return m.FsReaddirReply(self.calls.readdir(message.path))

    def fs_remove(self, message: m.FsRemove) -> m.FsRemoveReply:
        """unlink(2), rmdir(2) or both all the way down."""
        self.calls.use_root(message.root)
        if message.recursive:
            self.calls.remove_tree(message.path)
        else:
            is_directory = (self.calls.stat(message.path, follow=False).st_mode & 0o170000) == 0o040000
            self.calls.unlink(message.path, is_directory)
        return m.FsRemoveReply()

    def fs_rename(self, message: m.FsRename) -> m.FsRenameReply:
        """rename(2)"""
        self.calls.use_root(message.root)
        self.calls.rename(message.source, message.target)
        return m.FsRenameReply()

    def fs_mount(self, message: m.FsMount) -> m.FsMountReply:
        """mount(2)"""
        self.calls.use_root(message.root)
        self.calls.mount(message.source, message.target, message.type, message.read_only, message.options)
        return m.FsMountReply()

    def fs_unmount(self, message: m.FsUnmount) -> m.FsUnmountReply:
        """umount2(2)"""
        kept = self.keeper.at(message.root, message.path)
        if kept is not None:
            self.keeper.sync()
        self.calls.use_root(message.root)
        self.calls.unmount(message.path, message.lazy)
        if kept is not None:
            self.keeper.notified(kept.number)  # it is gone: others may have it now
        return m.FsUnmountReply()

    def fs_keep(self, message: m.FsKeep) -> Awaitable[m.FsKeepReply]:
        """Only one tab at a time."""
        return self._keep(message)

    async def _keep(self, message: m.FsKeep) -> m.FsKeepReply:
        kept, new = await self.keeper.mount(message.root, message.path, message.name, message.read_only, message.limit)
        return m.FsKeepReply(new, kept.limit)

    def fs_sync(self, message: m.FsSync) -> m.FsSyncReply:
        """sync(2)"""
        self.keeper.sync()
        return m.FsSyncReply()

    def fs_forget_kept(self, message: m.FsForgetKept) -> Awaitable[m.FsForgetKeptReply]:
        """Not while it is mounted."""
        return self._forget_kept(message.name)

    async def _forget_kept(self, name: str) -> m.FsForgetKeptReply:
        await self._host.forget_kept(name)
        return m.FsForgetKeptReply()

    def fs_snapshot(self, message: m.FsSnapshot) -> Awaitable[m.FsSnapshotReply]:
        """A pax archive."""
        return self._snapshot(message)

    async def _snapshot(self, message: m.FsSnapshot) -> m.FsSnapshotReply:
        from ..state.tree import read_tree

        while True:
            self.calls.use_root(message.root)
            try:
                return m.FsSnapshotReply(read_tree(self.calls, message.path))
            except NotHere:
                await self._prefetch(message.root, message.path)

    def fs_prefetch(self, message: m.FsPrefetch) -> Awaitable[m.FsPrefetchReply]:
        """All of it, in as few requests as it takes."""
        return self._prefetch(message.root, message.path)

    async def _prefetch(self, root: int, path: str) -> m.FsPrefetchReply:
        most = 0
        while True:
            self.calls.use_root(root)
            missing = self.calls.missing(path)
            most = max(most, missing)
            if not missing:
                return m.FsPrefetchReply(most)
            problem = await self.fetcher.next_done()
            if problem:
                raise OSError(errno.EIO, problem, path)

    def fs_restore(self, message: m.FsRestore) -> m.FsRestoreReply:
        """The inverse."""
        from ..state.tree import write_tree

        self.calls.use_root(message.root)
        return m.FsRestoreReply(write_tree(self.calls, message.path, message.tar))

    # ---- layers and roots ----

    def fs_apply_layer(self, message: m.FsApplyLayer) -> Awaitable[m.FsApplyLayerReply]:
        """All or nothing."""
        return self._apply_layer(message)

    async def _apply_layer(self, message: m.FsApplyLayer) -> m.FsApplyLayerReply:
        from ..layers.format import Layer

        layer = Layer(message.manifest, message.index, message.blob, message.name)
        whole = await self._host.sha256(message.blob) == message.manifest.get("blob_sha256")
        if not whole or await self._host.sha256(message.index) != message.manifest.get("index_sha256"):
            layer.verify()  # names the file
            raise LayerError(f"{message.name}: corrupted (the manifest's hash of the whole differs)")
        sha256 = str(message.manifest["blob_sha256"])
        self._add_layer(message.root, message.name, message.index, message.blob, layer.blob_bytes, sha256=sha256)
        return m.FsApplyLayerReply(entries=LayerHeader.unpack(message.index).entries)

    def fs_apply_layer_url(self, message: m.FsApplyLayerUrl) -> Awaitable[m.FsApplyLayerUrlReply]:
        """All or nothing; a lazy one after its index."""
        return self._apply_layer_url(message)

    async def _apply_layer_url(self, message: m.FsApplyLayerUrl) -> m.FsApplyLayerUrlReply:
        from ..layers.format import GZIP_MAGIC, Layer, file_parts, parse_manifest

        url = message.url
        try:
            data, _ = await self._host.fetch(url)
            if copy_of(data, 0, 2) == GZIP_MAGIC:
                data = await self._host.gunzip(data)
        except OSError as e:
            raise LayerError(f"{url}: {e}") from None
        if url.split("?")[0].endswith((".tdx", ".tdx.gz")):
            return m.FsApplyLayerUrlReply(self._apply_index(message.root, copy_of(data, 0, size_of(data)), url))
        manifest, index, blob = file_parts(copy_of(data, 0, LayerFile.BYTES), size_of(data), url)
        layer = Layer(parse_manifest(copy_of(data, *manifest), url), copy_of(data, *index), part_of(data, *blob), url)
        layer.verify(trust_blob=await self._host.sha256(layer.blob) == layer.manifest.get("blob_sha256"))
        sha256 = str(layer.manifest["blob_sha256"])
        self._add_layer(message.root, layer.name, layer.index, layer.blob, layer.blob_bytes, sha256=sha256)
        return m.FsApplyLayerUrlReply(entries=LayerHeader.unpack(layer.index).entries)

    def fs_apply_index(self, message: m.FsApplyIndex) -> m.FsApplyIndexReply:
        """All or nothing."""
        return m.FsApplyIndexReply(self._apply_index(message.root, message.index, message.url))

    def _apply_index(self, root: int, index: bytes, url: str) -> int:
        lazy = LazyLayer.parse(index, url)
        self.fetcher.add(self._add_layer(root, lazy.name, lazy.index, None, lazy.blob_bytes, lazy), lazy)
        return LayerHeader.unpack(lazy.index).entries

    def _add_layer(
        self,
        root: int,
        name: str,
        index: bytes,
        blob: Any,
        blob_bytes: int,
        lazy: LazyLayer | None = None,
        sha256: str = "",
    ) -> int:
        """The kernel's number of a lazy blob, else 0. Raises LayerError."""
        index_at = self._copy_in(index, len(index), name)
        blob_at = 0
        try:
            blob_at = self._copy_in(blob, blob_bytes, name)
            numbers = (root, index_at, len(index), blob_at, blob_bytes, lazy.chunk_shift if lazy else 0)
            result = int(self._kernel.call("tk_layer_apply", *numbers))
            if result < 0:
                raise LayerError(f"{name}: the kernel refused the layer: {linux_error(-result).strerror}")
            if sha256:
                self._layers[blob_at] = LayerReference(name, sha256, blob_at, blob_bytes)
            blob_at = 0  # the root holds it now
        finally:
            self._kernel.call("tk_blob_free", index_at, len(index))
            if blob_at:
                self._kernel.call("tk_blob_free", blob_at, blob_bytes)
        return result

    def _copy_in(self, data: Any, size: int, name: str) -> int:
        address = int(self._kernel.call("tk_blob_alloc", size))
        if address == 0:
            raise LayerError(f"{name}: no memory for {size >> 20} MiB: the kernel memory is full")
        if data is not None:
            self._kernel.poke(address, data)
        return address

    def root_new(self, message: m.RootNew) -> m.RootNewReply:
        """A fresh view."""
        result = int(self._kernel.call("tk_root_new", message.base))
        if result < 0:
            raise linux_error(-result)
        return m.RootNewReply(result)

    def root_drop(self, message: m.RootDrop) -> m.RootDropReply:
        """EBUSY while processes use it."""
        self.calls.forget_root(message.root)
        result = int(self._kernel.call("tk_root_drop", message.root))
        if result < 0:
            raise linux_error(-result)
        return m.RootDropReply()

    # ---- processes and streams ----

    def process_spawn(self, message: m.ProcessSpawn) -> m.ProcessSpawnReply | Later[m.ProcessSpawnReply]:
        """Raises OSError naming argv[0]."""
        return self._when_here(lambda: spawn(self.calls, self.streams, message))

    def process_kill(self, message: m.ProcessKill) -> m.ProcessKillReply:
        """kill(2)"""
        self.calls.kill(message.pid, message.signal)
        return m.ProcessKillReply()

    def runtime_stop(self, message: m.RuntimeStop) -> None:
        """Nobody is left when the workers are terminated."""

        def stopped(_: Later[m.ProcessKillAllReply]) -> None:
            with suppress(OSError):  # it was said when it happened; who wants to know calls fs.sync first
                self.keeper.sync()
            self._kernel.call("tk_close")  # whoever is attached and waits in the kernel learns of it
            self.page.send(m.RuntimeStopped())

        self._kill_all(9, message.seconds).then(stopped)

    def process_kill_all(self, message: m.ProcessKillAll) -> Awaitable[m.ProcessKillAllReply]:
        """kill(-1)"""
        return self._kill_all(message.signal, message.seconds)

    def _kill_all(self, signal: int, seconds: float) -> Later[m.ProcessKillAllReply]:
        """Again and again: a process may fork while it is looked for. Orphans end without a word: poll."""
        answer: Later[m.ProcessKillAllReply] = Later()
        rounds = max(1, int(seconds / KILL_SECONDS))

        def look() -> None:
            nonlocal rounds
            try:
                self._reap()
                left = read_counters(self._kernel)["processes"] - 1
                if left <= 0 or rounds <= 0:
                    answer.resolve(m.ProcessKillAllReply(max(left, 0)))
                    return
                self.calls.raw(Syscall.kill, -1, signal)
            except (OSError, TidemarkError) as e:
                answer.fail(e)
                return
            rounds -= 1
            self._host.call_later(KILL_SECONDS, look)

        look()
        return answer

    def process_resize(self, message: m.ProcessResize) -> m.ProcessResizeReply:
        """TIOCSWINSZ"""
        self.calls.resize(message.fd, message.rows, message.columns)
        return m.ProcessResizeReply()

    def stream_pipe(self, message: m.StreamPipe) -> m.StreamPipeReply:
        """pipe(2); the ends become streams when they are used as such."""
        return m.StreamPipeReply(*self.calls.pipe())

    def stream_read(self, message: m.StreamRead) -> Awaitable[m.StreamReadReply]:
        """When there is data."""
        answer: Later[m.StreamReadReply] = Later()

        def done(later: Later[bytes]) -> None:
            try:
                answer.resolve(m.StreamReadReply(later.result()))
            except Exception as e:
                answer.fail(e)

        self.streams.read(message.fd, message.max).then(done)
        return answer

    def stream_write(self, message: m.StreamWrite) -> Awaitable[m.StreamWriteReply]:
        """When all was accepted."""
        answer: Later[m.StreamWriteReply] = Later()

        def done(later: Later[None]) -> None:
            try:
                later.result()
                answer.resolve(m.StreamWriteReply())
            except Exception as e:
                answer.fail(e)

        self.streams.write(message.fd, message.data).then(done)
        return answer

    def stream_control(self, message: m.StreamControl) -> m.StreamControlReply:
        """fcntl(2)"""
        return m.StreamControlReply(self.calls.call(Syscall.fcntl, message.fd, message.command, message.argument))

    def stream_close(self, message: m.StreamClose) -> m.StreamCloseReply:
        """close(2)"""
        self.streams.close(message.fd)
        return m.StreamCloseReply()

    # ---- network ----

    def net_open(self, message: m.NetOpen) -> m.NetOpenReply:
        """The gate."""
        if message.on:
            self.net.open()
        else:
            self.net.close()
        return m.NetOpenReply()

    def net_connect(self, message: m.NetConnect) -> m.NetConnectReply:
        """connect(2)"""
        return m.NetConnectReply(self.net.connect(message.host, message.port))

    def net_shutdown(self, message: m.NetShutdown) -> m.NetShutdownReply:
        """shutdown(2)"""
        self.net.shutdown(message.connection)
        return m.NetShutdownReply()

    def net_reset(self, message: m.NetReset) -> m.NetResetReply:
        """close(2) as a reset."""
        self.net.abort_on_close(message.connection)
        self.streams.close(message.connection)
        return m.NetResetReply()

    def net_answer(self, message: m.NetAnswer) -> m.NetAnswerReply:
        """What connect(2) says."""
        self.net.answer(message.connection, message.errno)
        return m.NetAnswerReply()

    def net_reply(self, message: m.NetReply) -> m.NetReplyReply:
        """What a name query gets."""
        self.net.reply(message.query, message.data)
        return m.NetReplyReply()

    # ---- frames and input ----

    def frame_channel(self, message: m.FrameChannel) -> m.FrameChannelReply:
        """The record's address."""
        address = int(self._kernel.call("tk_frame_channel", message.number))
        if not address:
            raise linux_error(Errno.ENODEV, text=f"there is no frame channel {message.number}")
        return m.FrameChannelReply(address, self._kernel.call("tk_boot_ms"))

    def screen_size(self, message: m.ScreenSize) -> m.ScreenSizeReply:
        """Of /dev/fb0."""
        result = int(self._kernel.call("tk_screen_size", message.width, message.height))
        if result < 0:
            size = f"{message.width} x {message.height}"
            raise linux_error(-result, text=f"the screen cannot be {size} now: a program has it open, or it is too big")
        return m.ScreenSizeReply()

    def input_events(self, message: m.InputEvents) -> m.InputEventsReply:
        """Whole reports, in order."""
        numbers = message.events
        for at in range(0, len(numbers) - 2, 3):
            result = int(self._kernel.call("tk_input", message.device, *numbers[at : at + 3]))
            if result < 0:
                raise linux_error(-result, text=f"input event {tuple(numbers[at : at + 3])} of device {message.device}")
        return m.InputEventsReply()

    # ---- diagnostics ----

    def state_snapshot(self, message: m.StateSnapshot) -> m.StateSnapshotReply:
        """KernelRuntimeState."""
        return m.StateSnapshotReply(read_kernel_runtime(self._kernel, self.calls).to_json())

    def state_read(self, message: m.StateRead) -> m.StateReadReply | Awaitable[m.StateReadReply]:
        """At once, or when the process's own thread has done it."""
        found = self.records.read(message.kind, message.pid, message.object, message.size)
        if isinstance(found, bytes):
            return m.StateReadReply(found)
        return found.map(m.StateReadReply)

    def state_write(self, message: m.StateWrite) -> m.StateWriteReply | Awaitable[m.StateWriteReply]:
        """All or nothing."""
        under_way = self.records.write(message.kind, message.pid, message.object, message.record)
        return m.StateWriteReply() if under_way is None else under_way.map(lambda _: m.StateWriteReply())

    def trace_set(self, message: m.TraceSet) -> m.TraceSetReply:
        """Everything recorded before the answer is sent before it."""
        result = int(self._kernel.call("tk_trace", message.pid, message.what))
        self._send_trace()
        if result < 0:
            raise linux_error(-result)
        return m.TraceSetReply()

    def metrics_set(self, message: m.MetricsSet) -> m.MetricsSetReply:
        """From zero, or no more."""
        result = int(self._kernel.call("tk_metrics", int(message.on)))
        if result < 0:
            raise linux_error(-result)
        return m.MetricsSetReply()

    def metrics_read(self, message: m.MetricsRead) -> m.MetricsReadReply:
        """Those that counted something."""
        return m.MetricsReadReply(counted_histograms(self._kernel))

    def _send_trace(self) -> None:
        while records := self._taken("tk_trace_take"):
            self.page.send(m.TraceRecorded(records))

    def _send_crashes(self) -> None:
        while report := self._taken("tk_crash_take"):
            pid = int.from_bytes(report[:4], "little")
            self.page.send(m.ProcessCrashed(pid, report[4:].decode("utf-8", "replace")))

    def calls_used(self, message: m.CallsUsed) -> m.CallsUsedReply:
        """They are forgotten."""
        return m.CallsUsedReply(self._taken("tk_call_use_take"))

    def _taken(self, export: str) -> bytes:
        size = int(self._kernel.call(export, DATA, DATA_BYTES))
        if size < 0:
            raise linux_error(-size)
        return self._kernel.read(DATA, size)

    # ---- saved machines ----

    def machine_image(self, message: m.MachineImage) -> Awaitable[m.MachineImageReply]:
        """A copy of everything."""
        return self._machine_image(message.embed_layers)

    async def _machine_image(self, embed_layers: bool) -> m.MachineImageReply:
        await self._saver.image(embed_layers, lambda: self.page.send(m.MachineImaged()))
        return m.MachineImageReply()

    def machine_save(self, message: m.MachineSave) -> m.MachineSaveReply:
        """The copy as a file."""
        return m.MachineSaveReply(self._saver.file(message.processes))

    @property
    def _restoring(self) -> MachineRestorer:
        if self._restorer is None:
            raise TidemarkError("this kernel runs already: restore into a new Runtime")
        return self._restorer

    def machine_restore(self, message: m.MachineRestore) -> m.MachineRestoreReply:
        """Kernel memory."""
        self._restoring.restore(message.saved)
        return m.MachineRestoreReply()

    def machine_restore_layer(self, message: m.MachineRestoreLayer) -> Awaitable[m.MachineRestoreLayerReply]:
        """Bodies."""
        return self._machine_restore_layer(message)

    async def _machine_restore_layer(self, message: m.MachineRestoreLayer) -> m.MachineRestoreLayerReply:
        await self._restoring.layer(message.sha256, message.blob)
        return m.MachineRestoreLayerReply()

    def machine_start(self, message: m.MachineStart) -> m.MachineStartReply:
        """From now on this is init."""
        references = self._restoring.start()
        self._restorer = None
        self._layers.update({r.address: r for r in references})
        self.net.listen()
        self._reap()
        return m.MachineStartReply()

    def kernel_crash(self, message: m.KernelCrash) -> m.KernelCrashReply:
        """Test hook."""
        self._kernel.throw(message.locked)
        return m.KernelCrashReply()

    def event_listen(self, message: m.EventListen) -> m.EventListenReply:
        """From the next event on."""
        start = message.on and not self._listening
        self._events.listen("page", EVERY_EVENT if message.on else 0)
        self._listening = message.on
        if start:
            self._host.call_later(EVENT_SECONDS, self._send_events)
        return m.EventListenReply(self._events.last())

    def _send_events(self) -> None:
        if not self._listening or self._over:
            return
        records, lost = self._events.take("page")
        if records or lost:
            self.page.send(m.EventRecorded(records, lost))
        self._host.call_later(EVENT_SECONDS, self._send_events)
