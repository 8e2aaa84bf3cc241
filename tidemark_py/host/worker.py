"""A worker that runs Python roles, in a browser or on Node: kernel instance, ports and thread workers over js_shim.

Called by roles/boot.py with the `shim` object of js_shim/boot_role.js and the page's role.boot message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js
from pyodide.ffi import JsException, create_once_callable, create_proxy, to_js

from ..abi.gen.abi import STAGING_BYTES
from ..errors import BootError, InternalError, KernelPanic
from . import kept, web
from .contract import Wire
from .instance import KernelInstance
from .values import JsPort, build_id_of, text_of, to_wire

__all__ = ["WorkerHost", "WorkerKernel"]

WASM_PAGE = 65536
# Before an instance exists nobody can ask it how long the hidden head is: at most this, which costs nothing untouched.
HEAD_BYTES_MOST = 4 << 20


class WorkerKernel(KernelInstance):
    """The kernel instance of this worker, as host.contract.Kernel has it."""

    def __init__(self, shim: Any, options: Any, instance: int, notify: Any, log: Any) -> None:
        pages = (STAGING_BYTES + HEAD_BYTES_MOST) // WASM_PAGE
        self._memory = options.memory
        staging = shim.newMemory(pages, pages)
        try:
            self._instance = shim.instantiate(
                to_js(
                    {
                        "module": options.module,
                        "memory": options.memory,
                        "guestMemory": staging,
                        "instance": instance,
                        "notify": notify,
                        "log": log,
                    },
                    dict_converter=js.Object.fromEntries,
                )
            )
        except JsException as e:
            raise BootError(text_of(e)) from None
        exports = self._instance.exports
        self.head_bytes = int(exports.tk_head_bytes())
        super().__init__(exports, self._instance.address, staging, self.head_bytes, exports.tk_syscall)
        self._low = js.Uint8Array.new(options.memory.buffer)
        self._windows: dict[tuple[int, int], Any] = {}
        self.build_id = build_id_of(options.module)
        self._copy_in = shim.copyIn

    def throw(self, locked: bool) -> None:
        """For tests: what a trap in this worker does. Without the lock: an uncaught error of the worker."""
        if locked:
            self._instance.holdLock()
            self._instance.crashed()
            self.call("tk_heap_used")
            raise KernelPanic(self._instance.panicText())

        def thrown() -> None:
            raise InternalError("thrown by a test")

        js.setTimeout(create_once_callable(thrown), 0)

    def _lost(self, error: JsException) -> Exception:
        """A throw out of the kernel: panic when it held the lock or said so."""
        if self._instance.crashed(error.js_error if hasattr(error, "js_error") else error):
            return KernelPanic(f"the kernel stopped: {self._instance.panicText()}")
        return InternalError(f"a kernel call threw: {text_of(error)}")

    def peek(self, address: int, size: int) -> bytes:
        """Kernel memory. Windows that are read again and again are kept: a new one costs ten times the read."""
        window = self._windows.get((address, size))
        if window is None:
            window = self._low.subarray(address, address + size)
            if len(self._windows) < 4096:
                self._windows[(address, size)] = window
        result: bytes = window.to_bytes()
        return result

    def image(self, address: int, size: int) -> bytes:
        """A copy, not kept as a window."""
        result: bytes = js.Uint8Array.new(self._memory.buffer, address, size).to_bytes()
        return result

    def poke(self, address: int, data: Any) -> None:
        """A blob, wherever the memory ends now."""
        self._copy_in(self._memory, address, to_js(data) if isinstance(data, (bytes, memoryview)) else data)


class _Worker:
    """host.contract.WorkerHandle over a MadeWorker of workers.js."""

    def __init__(self, handle: Any, proxies: list[Any]) -> None:
        self._handle = handle
        self._proxies = proxies

    def post(self, wire: Wire, transfer: list[Any]) -> None:
        """Send."""
        value, _ = to_wire(wire)
        if transfer:
            self._handle.post(value, to_js(transfer))
        else:
            self._handle.post(value)

    def terminate(self) -> None:
        """End it."""
        self._handle.terminate()
        proxies, self._proxies = self._proxies, []

        def destroy() -> None:
            for proxy in proxies:
                proxy.destroy()

        if proxies:
            js.setTimeout(create_once_callable(destroy), 0)  # not while one of them may be what is calling us


class WorkerHost:
    """host.contract.Host over the shim."""

    def __init__(self, shim: Any, options: Any, head_bytes: int) -> None:
        self._shim = shim
        self._options = options
        self._head_pages = -(-head_bytes // WASM_PAGE)
        self._module_options: dict[str, Any] | None = None

    def start_thread_worker(
        self, name: str, received: Callable[[Wire], None], failed: Callable[[str], None]
    ) -> _Worker:
        """boot_thread.js"""

        def heard(data: Any) -> None:
            received(data.to_py(depth=1))

        proxies = [create_proxy(heard), create_proxy(failed)]
        handle = self._shim.maker.startWorker(self._options.thread_url, name, *proxies)
        return _Worker(handle, proxies)

    def new_channel(self) -> tuple[Any, Any]:
        """MessageChannel"""
        channel = self._shim.newChannel()
        return channel.port1, channel.port2

    def thread_boot_options(self) -> dict[str, Any]:
        """For thread.boot."""
        return {
            "module": self._options.module,
            "memory": self._options.memory,
            "guest_initial_pages": self._head_pages,
            "guest_max_pages": int(self._options.guest_max_pages),
            "variant": None,
            "shared_variant": None,
            "guest_memory": None,
        }

    def module_boot_options(self) -> dict[str, Any] | None:
        """For thread.boot of a worker for modules. What they share is made at the first call."""
        if self._module_options is None:
            variant = getattr(self._options, "variant", None)
            if variant is None:
                return None
            memory = self._shim.newMemory(self._head_pages, self._head_pages)
            try:
                plain, shared = self._shim.compileVariants(variant)
            except JsException as e:
                raise BootError(f"kernel-wasi.wasm does not compile here: {text_of(e)}") from None
            more = {"variant": plain, "shared_variant": shared, "guest_memory": memory}
            self._module_options = {**self.thread_boot_options(), **more}
        return self._module_options

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """setTimeout"""
        js.setTimeout(create_once_callable(callback), int(seconds * 1000))

    async def sha256(self, data: Any) -> str:
        """crypto.subtle"""
        if isinstance(data, (bytes, memoryview)):
            import hashlib

            return hashlib.sha256(data).hexdigest()
        digest = await js.crypto.subtle.digest("SHA-256", data)
        return str(bytes(digest.to_bytes()).hex())

    async def fetch(self, url: str, start: int = 0, end: int = 0) -> tuple[Any, int]:
        """fetch(), a range of it"""
        if end:
            return await web.fetch_range(url, start, end)
        return await web.fetch_array(url), 0

    async def open_kept(self, name: str, read_only: bool) -> kept.Folder:
        """OPFS, or Node's file system"""
        return await kept.open_folder(name, read_only)

    async def forget_kept(self, name: str) -> None:
        """Likewise"""
        await kept.forget(name)

    async def gunzip(self, data: Any) -> Any:
        """DecompressionStream"""
        return await web.gunzip(data)


def page_port(shim: Any) -> JsPort:
    """The way to whoever made this worker."""
    return JsPort(shim.parent)
