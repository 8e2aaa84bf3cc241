"""attach(): the runtime of a page, for a Pyodide in another worker; install() uses it as a Runtime.

The page makes a port by `await rt.port()` and transfers it to the worker, where it calls `tidemark_py.attach(port)`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ..abi.gen import messages as m
from ..channel.later import Later
from ..channel.port import Port
from ..errors import BootError, KernelPanic, RuntimeClosed
from ..process.attachments import Attachments
from ..runtime_fs import RuntimeFS

__all__ = ["AttachedRuntime", "attach"]

ANSWER_SECONDS = 10.0
SILENT = (
    "nobody answers at this port: make one by rt.port() on the page, and transfer it to this worker: "
    "worker.postMessage({port}, [port])"
)


class _Remote(Attachments):
    """The page's own Attachments hear of it, too."""

    def noted(self, message: m.AttachJoined) -> m.AttachJoinedReply:
        self._ask("page", message)
        return super().noted(message)


class AttachedRuntime:
    """A Runtime elsewhere: its files (`fs`), and what install() needs. close() lets go; the runtime runs on."""

    def __init__(self, raw: Any) -> None:
        self._over: Exception | None = None
        self._port = Port(raw, self)
        self.fs = RuntimeFS(self._port)
        self.attachments = _Remote(self._ask)

    def _ask(self, role: str, message: Any) -> Later[Any]:
        self.check()
        return self._port.request(message)

    def check(self) -> None:
        """Raises what ended the runtime, if something did."""
        if self._over is not None:
            raise self._over

    @property
    def closed(self) -> bool:
        """It cannot be used any more."""
        return self._over is not None

    def runtime_failed(self, message: m.RuntimeFailed) -> None:
        """The page's runtime has ended."""
        failure: type[Exception] = KernelPanic if message.kind == "panic" else RuntimeClosed
        self._end(failure(message.text))

    def close(self) -> None:
        """This Pyodide is no process of it any more."""
        self._end(RuntimeClosed("this Python has let go of the runtime"))

    def _end(self, error: Exception) -> None:
        if self._over is None:
            self.attachments.let_go(error)
            self._over = error
            self._port.fail_all(error)


async def attach(port: Any, make: Callable[[Any], Any] = AttachedRuntime) -> Any:
    """The runtime behind a MessagePort of `rt.port()`: give it to install(). Raises IsolationError, BootError."""
    from ..host import page  # imports js, which is not there when the reference is made of this docstring

    page.check_isolation()
    runtime = make(await page.message_port(port))
    try:
        await asyncio.wait_for(_answered(runtime), ANSWER_SECONDS)
    except TimeoutError:
        raise BootError(SILENT) from None
    return runtime


async def _answered(runtime: AttachedRuntime) -> None:
    await runtime.fs.stat("/")
