"""Attachments: the Pyodides that are processes of a runtime, as the runtime sees them: here, and over ports elsewhere.

A Pyodide of another worker asks over a port of share() for what the page would ask: files (fs.*) and attach.*; nothing
else is passed on. owner: Runtime, as `rt.attachments`. Callers: shims (open, joined, close), Runtime (let_go).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..abi.gen import messages as m
from ..channel.later import Later
from ..channel.port import Port
from ..errors import KernelPanic
from ..host.contract import RawPort

__all__ = ["Attachments"]

Ask = Callable[[str, Any], Later[Any]]


class _Relay:
    """What comes over a shared port goes to the role that answers it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __getattr__(self, name: str) -> Callable[[Any], Later[Any]]:
        if name.startswith("fs_"):
            return lambda message: self._ask("kernel_worker", message)
        if name in ("attach_open", "attach_close"):
            return lambda message: self._ask("process_owner", message)
        raise AttributeError(name)


class Attachments:
    """`ask(role, message)` sends a request to a role; it raises what ended the runtime."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ends: list[Callable[[Exception], None]] = []
        self._shared: list[Port] = []

    def open(self, port: Any) -> Later[m.AttachOpenReply]:
        """What a Pyodide needs to be a process. Raises OSError(EAGAIN), RuntimeClosed."""
        return self._ask("process_owner", m.AttachOpen(port))

    def joined(self, end: Callable[[Exception], None]) -> None:
        """`end` is called when the runtime ends, while there still is a kernel if possible."""
        self._ends.append(end)

    def close(self, instance: int) -> None:
        """A Pyodide has let go by itself."""
        self._ask("process_owner", m.AttachClose(instance, -1))

    def share(self, raw: RawPort) -> None:
        """Answer another worker's Pyodide over `raw`."""
        self._shared.append(Port(raw, _Relay(self._ask)))

    async def new_port(self) -> Any:
        """A MessagePort whose other end share() answers. Raises BootError."""
        from ..host import page

        mine, theirs = page.new_channel()
        self.share(await page.message_port(mine))
        return theirs

    def let_go(self, error: Exception) -> None:
        """The runtime ends: so do they all."""
        ends, self._ends = self._ends, []
        for end in ends:
            end(error)
        kind = "panic" if isinstance(error, KernelPanic) else "closed"
        for port in self._shared:
            port.send(m.RuntimeFailed("runtime", kind, str(error)))
        self._shared.clear()
