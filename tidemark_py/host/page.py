"""Where the user's Python runs: the page's main thread, a worker of it, or Node's main thread or worker.

Owns: probing what this place allows, compiling the kernel, making its memory, starting role workers.
js_shim/platform.js knows the differences between browsers and Node; host/node.py the few that Python must know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js
from pyodide.code import run_js
from pyodide.ffi import JsException, create_once_callable, create_proxy, to_js

from ..errors import BootError, IsolationError
from . import assets, node
from .contract import Wire
from .values import JsPort, build_id_of, text_of, to_wire

__all__ = ["PageHost", "RoleWorker", "check_isolation", "message_port", "new_channel", "shim_modules"]

WASM_PAGE = 65536
NESTED = "nested"
KERNEL_INITIAL_PAGES = 1024  # 64 MiB
MOST_PAGES = (65536, 32768, 16384, 8192)  # 4, 2, 1 GiB, 512 MiB: phones refuse 4
LINKER_PAGES = 65535  # what wasm-ld declares at most
REMEDY = (
    "This page may not share memory, so no process can start: serve it over https or from localhost with the headers "
    "'Cross-Origin-Opener-Policy: same-origin' and 'Cross-Origin-Embedder-Policy: require-corp' "
    "(or let Tidemark's service worker add them)."
)

SHIM_HERE = ("platform.js", "workers.js", "attach.js", "kernel_fs.js")
_shared: dict[str, Any] = {}  # made once per page: shim modules and sources


class RoleWorker:
    """A worker that runs roles, as a RawPort."""

    def __init__(self, maker: Any, url: str, name: str, failed: Callable[[str], None]) -> None:
        self._received: Callable[[Wire], None] | None = None
        self._early: list[Wire] = []
        self._proxies = [create_proxy(self._heard), create_proxy(failed)]
        self._handle = maker.startWorker(url, name, *self._proxies)

    def _heard(self, data: Any) -> None:
        wire = data.to_py(depth=1)
        if self._received is None:
            self._early.append(wire)
        else:
            self._received(wire)

    def listen(self, received: Callable[[Wire], None]) -> None:
        """Receive, also what came before."""
        self._received = received
        early, self._early = self._early, []
        for wire in early:
            received(wire)

    def post(self, wire: Wire) -> None:
        """Send."""
        if self._handle is not None:
            value, buffers = to_wire(wire)
            if buffers is None:
                self._handle.post(value)
            else:
                self._handle.post(value, buffers)

    def boot(self, options: dict[str, Any], transfer: list[Any]) -> None:
        """role.boot"""
        maker = self._handle.serve()
        value = to_js({"m": "role.boot", "maker": maker, **options}, dict_converter=js.Object.fromEntries)
        self._handle.post(value, to_js(transfer if maker is None else [*transfer, maker]))

    def terminate(self) -> None:
        """End the worker and, with it, every worker it started."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.terminate()
            proxies, self._proxies = self._proxies, []

            def destroy() -> None:
                for proxy in proxies:
                    proxy.destroy()

            js.setTimeout(create_once_callable(destroy), 0)  # not now: one of them may be what is calling us


async def shim_modules() -> dict[str, Any]:
    """The shim's modules that this thread uses itself, loaded once. Raises BootError."""
    if "modules" not in _shared:
        urls = _shared["urls"] = assets.shim_urls(_module_url)
        load = run_js("(urls) => Promise.all(urls.map((url) => import(url)))")
        try:
            _shared["modules"] = dict(zip(SHIM_HERE, await load(to_js([urls[n] for n in SHIM_HERE])), strict=True))
        except JsException as e:
            raise BootError(f"the shim could not be loaded: {text_of(e)}") from None
    modules: dict[str, Any] = _shared["modules"]
    return modules


def new_channel() -> tuple[Any, Any]:
    """The two ports of a MessageChannel."""
    channel = js.MessageChannel.new()
    return channel.port1, channel.port2


async def message_port(port: Any) -> JsPort:
    """A MessagePort as a RawPort. Raises BootError."""
    return JsPort((await shim_modules())["platform.js"].portPeer(port))


class PageHost:
    """Made by PageHost.open(); one per runtime."""

    def __init__(self, maker: Any, urls: dict[str, str]) -> None:
        self._maker = maker
        self._urls = urls

    @classmethod
    async def open(cls, workers: Any = None) -> PageHost:
        """Check the place and load the shim; workers as Runtime.create has it. Raises IsolationError, BootError."""
        check_isolation()
        module = (await shim_modules())["workers.js"]
        if workers == NESTED:
            maker = module.makerHere(False)
        else:
            maker = module.makerHere() if workers is None else module.makerBehind(workers)
        return cls(maker, _shared["urls"])

    def sources(self) -> Any:
        """The package's sources for one worker, {names, sizes, bytes}; `bytes` may be transferred."""
        if "sources" not in _shared:
            _shared["sources"] = assets.role_sources()
        names, sizes, bodies = _shared["sources"]
        return to_js({"names": names, "sizes": sizes, "bytes": bodies}, dict_converter=js.Object.fromEntries)

    async def compile(self, kernel: Any) -> Any:
        """A WebAssembly.Module of bytes, a URL, a buffer, or None for the package's own. Raises BootError."""
        try:
            if kernel is None:
                kernel = assets.kernel_bytes()
            if isinstance(kernel, str):
                response = await js.fetch(kernel)
                if not response.ok:
                    raise BootError(f"{kernel}: the server says {response.status}")
                kernel = await response.arrayBuffer()
            if isinstance(kernel, (bytes, bytearray, memoryview)):
                kernel = to_js(kernel)
            if js.Object.prototype.toString.call(kernel) == "[object WebAssembly.Module]":
                return kernel
            return await js.WebAssembly.compile(kernel)
        except JsException as e:
            raise BootError(f"kernel.wasm does not compile here: {text_of(e)}") from None

    def variant(self) -> Any:
        """The kernel's variant for WebAssembly modules as a buffer, or None. Compiled by who first needs it."""
        data = assets.variant_bytes()
        return None if data is None else to_js(data)

    @staticmethod
    def build_id(module: Any) -> str:
        """Which kernel.wasm it is."""
        return build_id_of(module)

    def kernel_memory(self) -> tuple[Any, int]:
        """(shared memory, the most pages a memory may have here). Raises BootError."""
        for most in MOST_PAGES:
            options = {"initial": KERNEL_INITIAL_PAGES, "maximum": min(most, LINKER_PAGES), "shared": True}
            try:
                memory = js.WebAssembly.Memory.new(to_js(options, dict_converter=js.Object.fromEntries))
            except JsException:
                continue
            return memory, most
        raise BootError(
            "there is no room for another WebAssembly memory in this tab: close a runtime, or reload the page"
        )

    async def frames(self, memory: Any) -> Any:
        """contract.FrameHost over a kernel memory."""
        from .frames import JsFrameHost

        if "frames" not in _shared:
            _shared["frames"] = await run_js("(url) => import(url)")(self._urls["frames.js"])
            _shared["queue"] = await run_js("(url) => import(url)")(self._urls["queue.js"])
        modules = (_shared["frames"], _shared["queue"])
        return JsFrameHost(self._maker, modules, self._urls["frame_renderer.js"], memory)

    def new_channel(self) -> tuple[Any, Any]:
        """MessageChannel"""
        return new_channel()

    def start_role_worker(self, name: str, failed: Callable[[str], None]) -> RoleWorker:
        """boot_role.js"""
        return RoleWorker(self._maker, self._urls["boot_role.js"], name, failed)

    @staticmethod
    def call_later(seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """A timer; returns what cancels it. (A cancelled one of Pyodide's own loop keeps Node alive to its end.)"""
        timer = js.setTimeout(create_once_callable(callback), int(seconds * 1000))
        return lambda: js.clearTimeout(timer)

    @property
    def thread_url(self) -> str:
        """boot_thread.js"""
        return self._urls["boot_thread.js"]

    async def snapshot(self, source: Any) -> Any:
        """A Pyodide memory snapshot as ArrayBuffer: of a URL, of bytes, or as it is; None when it is not to be had."""
        if not source:
            return None
        if isinstance(source, str):
            try:
                response = await js.fetch(source)
                if not response.ok:
                    return None
                body = await response.arrayBuffer()
                if js.Uint8Array.new(body, 0, 2).to_bytes() == b"\x1f\x8b":  # a server unpacks .gz, or does not
                    stream = js.Response.new(body).body.pipeThrough(js.DecompressionStream.new("gzip"))
                    body = await js.Response.new(stream).arrayBuffer()
                return body
            except JsException:
                return None
        return to_js(source).buffer if isinstance(source, (bytes, bytearray, memoryview)) else source


def check_isolation() -> None:
    """Raises IsolationError with the remedy."""
    if node.is_node():
        node.check_version()
    elif not getattr(js, "crossOriginIsolated", False) or not hasattr(js, "SharedArrayBuffer"):
        raise IsolationError(REMEDY)


def _module_url(source: str) -> str:
    if node.is_node():
        return node.module_url(source)
    options = to_js({"type": "text/javascript"}, dict_converter=js.Object.fromEntries)
    url: str = js.URL.createObjectURL(js.Blob.new(to_js([source]), options))
    return url


def default_index_url() -> str:
    """Where this Pyodide came from."""
    import pyodide_js

    try:
        url = str(pyodide_js._api.config.indexURL)
    except AttributeError:
        raise BootError("say where Pyodide's files are: Runtime.create(index_url=...)") from None
    return absolute_url(url)


def absolute_file_url(url: str) -> str:
    """Absolute."""
    return node.file_url(url).rstrip("/") if node.is_node() else str(js.URL.new(url, js.location.href).href)


def absolute_url(url: str) -> str:
    """Absolute, with a slash at its end."""
    if node.is_node():
        return node.file_url(url)
    result = str(js.URL.new(url, js.location.href).href)
    return result if result.endswith("/") else result + "/"
