"""The thread that runs the user's Pyodide as a process of the kernel: js_shim/attach.js and kernel_fs.js, from Python.

AttachedKernel is a host.contract.Kernel whose calls never wait (tk_try), and what waiting needs: `waits` (this thread
may wait in a call), park, the wait cell, signals. `files` puts the kernel's descriptors and directories into Pyodide's
own file system. Made by open_attached(); owner: process/attachment.py.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import js
from pyodide.ffi import JsException, create_proxy, to_js
from pyodide_js import _module as module_of_pyodide

from ..abi.gen.abi import Errno
from ..errors import BootError, InternalError, KernelPanic, RuntimeClosed
from . import page
from .instance import KernelInstance
from .values import text_of

__all__ = ["AttachedKernel", "open_attached"]

CLOSED = "the runtime was closed"


def _object(values: dict[str, Any]) -> Any:
    return to_js(values, dict_converter=js.Object.fromEntries)


class AttachedKernel(KernelInstance):
    """owner: an Attachment. Every call raises RuntimeClosed or KernelPanic once there is no kernel any more."""

    def __init__(self, attached: Any) -> None:
        exports, address = attached.exports, attached.instance.address
        super().__init__(exports, address, attached.staging, int(attached.head), exports.tk_try)
        self._attached = attached
        self._wait = exports.tk_syscall
        self._low = js.Uint8Array.new(attached.memory.buffer)
        self._signals, self._seen, self._ring = attached.signals, attached.seen, attached.ring
        self._function: Callable[[], None] = lambda: None
        self._rung_proxy = create_proxy(self._on_rung)
        self._closed: Exception | None = None
        self.waits = bool(attached.waits)
        self.slot = int(attached.slot)
        self.pid = int(attached.pid)
        self.staging_bytes = int(attached.half)

    def _lost(self, error: JsException) -> Exception:
        """A throw out of the kernel."""
        if self._attached is None:
            return self._closed or RuntimeClosed(CLOSED)
        if not self._attached.instance.crashed(getattr(error, "js_error", error)):
            return InternalError(f"a kernel call threw: {text_of(error)}")
        text = str(self._attached.instance.panicText())
        self._closed = RuntimeClosed(text) if text == CLOSED else KernelPanic(f"the kernel stopped: {text}")
        return self._closed

    # ---- host.contract.Kernel ----

    def syscall(self, nr: int, a0: float, a1: float, a2: float, a3: float, a4: float, a5: float) -> float:
        """A call that never waits: -EAGAIN instead."""
        if self._closed is not None:
            raise self._closed
        return super().syscall(nr, a0, a1, a2, a3, a4, a5)

    def park(self, nr: int, *a: float) -> float:
        """A call that waits, where `waits`."""
        if self._closed is not None:
            raise self._closed
        try:
            result: float = self._wait(nr, *a, *(0,) * (6 - len(a)))
        except JsException as e:
            raise self._lost(e) from None
        return result

    def call(self, name: str, *numbers: float) -> float:
        """Any other export."""
        if self._closed is not None:
            raise self._closed
        return super().call(name, *numbers)

    def peek(self, address: int, size: int) -> bytes:
        """Kernel memory."""
        result: bytes = self._low.subarray(address, address + size).to_bytes()
        return result

    def poke(self, address: int, data: Any) -> None:
        """Only roles do that."""
        raise InternalError("an attached Pyodide does not write into kernel memory")

    def throw(self, locked: bool) -> None:
        """For tests: as if this thread had thrown, with the kernel lock held or not."""
        if locked:
            self._attached.instance.holdLock()
        self._attached.instance.crashed()

    # ---- waiting ----

    def signals(self, idle: bool = False) -> int:
        """1: Python handles one, 2: a child has changed state, 4: the stop button; or several. idle: nobody waits."""
        if self._closed is not None:
            raise self._closed
        try:
            return int(self._signals(idle))
        except JsException as e:
            raise self._lost(e) from None

    def seen(self) -> int:
        """What the wait cell says now."""
        if self._closed is not None:
            raise self._closed
        return int(self._seen())

    def rung(self, seen: int, ms: int) -> Awaitable[Any]:
        """Done when the cell is no longer `seen`, or after `ms`."""
        promise: Awaitable[Any] = self._attached.rung(seen, ms)
        if hasattr(promise, "then"):
            return promise
        done: Awaitable[Any] = js.Promise.resolve(promise)
        return done

    def on_ring(self, function: Callable[[], None]) -> None:
        """Who hears of ring()."""
        self._function = function

    def ring(self, seen: int) -> None:
        """Call back once the cell is no longer `seen`."""
        self._ring(seen, self._rung_proxy)

    def _on_rung(self, *_: Any) -> None:
        if self._closed is None:
            self._function()

    # ---- the end ----

    def detach(self) -> None:
        """The process ends; its children are init's."""
        if self._closed is None:
            self.call("tk_host_detach")

    def close(self, error: Exception) -> None:
        """Every call raises `error` from now on; nothing here holds the kernel's memory."""
        self._closed = error
        if self._attached is not None:
            self._attached.drop()
        self._attached = self._exports = self._wait = self._low = self._staging = None
        self._syscall = self._signals = self._seen = self._ring = None
        self._kept = {}


async def open_attached(ask: Callable[[Any], Awaitable[Any]]) -> tuple[AttachedKernel, Any, int]:
    """(kernel, files, instance). `ask` sends attach.open with our end of a port. Raises OSError, BootError."""
    urls = await page.shim_modules()
    shim, filesystem = urls["attach.js"], urls["kernel_fs.js"]
    channel = js.MessageChannel.new()
    reply = await ask(channel.port2)
    raise_signal = module_of_pyodide._PyErr_SetInterruptEx
    options = {
        "module": reply.module,
        "memory": reply.memory,
        "instance": reply.instance,
        "port": channel.port1,
        "waits": bool(shim.mayWait()),
        "raise": raise_signal,
        "interrupted": _interrupted(),
    }
    try:
        attached = shim.newAttached(_object(options))
    except JsException as e:
        raise BootError(text_of(e)) from None
    if int(attached.slot) < 0:
        raise OSError(errno.EAGAIN, "the kernel has no room for another process")
    kernel = AttachedKernel(attached)
    numbers = {str(int(e)): getattr(errno, e.name) for e in Errno if hasattr(errno, e.name)}
    files = filesystem.newKernelFS(module_of_pyodide.FS, attached, _object(numbers))
    return kernel, files, int(reply.instance)


def _interrupted() -> Any:
    """() => whether the page's stop button (pyodide.setInterruptBuffer) was pressed: its press is taken."""
    from pyodide.code import run_js

    take = """(m) => () => {
      const pressed = Boolean(m.Py_EmscriptenSignalBuffer?.[0]);
      if (pressed) m.Py_EmscriptenSignalBuffer[0] = 0;
      return pressed;
    }"""
    return run_js(take)(module_of_pyodide)
