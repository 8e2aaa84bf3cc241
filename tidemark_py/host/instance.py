"""A kernel instance of this thread from Python: its calls and its staging memory. What differs is by the subclass.

host/worker.py (a role's) and host/attached.py (a user's Pyodide) derive from it and say what a throw out of the kernel
means. Exports are looked up once and kept: a look-up costs 35 times the call (18 us against 0.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js
from pyodide.ffi import JsException

from ..abi.gen.abi import STAGING_BYTES

__all__ = ["KernelInstance"]


class KernelInstance:
    """Part of host.contract.Kernel."""

    def __init__(self, exports: Any, address: Any, staging: Any, head: int, syscall: Callable[..., float]) -> None:
        """staging: the memory whose byte `head` is guest address 0; syscall: tk_syscall, or tk_try that never waits."""
        self._exports = exports
        self._kept: dict[str, Any] = {}
        self._syscall: Any = syscall
        self._staging = js.Uint8Array.new(staging.buffer, head, STAGING_BYTES)
        self.thread_records = int(address.threadRecords)
        self.counters = int(address.counters)

    def _lost(self, error: JsException) -> Exception:
        """What a throw out of the kernel means here."""
        raise NotImplementedError

    def syscall(self, nr: int, a0: float, a1: float, a2: float, a3: float, a4: float, a5: float) -> float:
        """A system call of this thread: result or -errno."""
        try:
            result: float = self._syscall(nr, a0, a1, a2, a3, a4, a5)
        except JsException as e:
            raise self._lost(e) from None
        return result

    def call(self, name: str, *numbers: float) -> float:
        """Any other export; 0 when it returns nothing."""
        function = self._kept.get(name)
        if function is None:
            function = self._kept[name] = getattr(self._exports, name)
        try:
            return function(*numbers) or 0
        except JsException as e:
            raise self._lost(e) from None

    def read(self, address: int, size: int) -> bytes:
        """Staging memory."""
        result: bytes = self._staging.subarray(address, address + size).to_bytes()
        return result

    def write(self, address: int, data: bytes | memoryview) -> None:
        """Staging memory."""
        self._staging.subarray(address, address + len(data)).assign(data)
