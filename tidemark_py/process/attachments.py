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

    def __init__(self, ask: Ask, attachments: Attachments) -> None:
        self._ask = ask
        self.attach_open = attachments.opened
        self.attach_joined = attachments.noted
        self.attach_close = attachments.closed

    def __getattr__(self, name: str) -> Callable[[Any], Later[Any]]:
        if name.startswith("fs_"):
            return lambda message: self._ask("kernel_worker", message)
        raise AttributeError(name)


class Attachments:
    """`ask(role, message)` sends a request to a role; it raises what ended the runtime."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ends: list[Callable[[Exception], None]] = []
        self._shared: list[Port] = []
        self.pids: dict[int, int] = {}  # by instance

    # ---- what a Pyodide asks for: here, or over a port ----

    def opened(self, message: m.AttachOpen) -> Later[m.AttachOpenReply]:
        """What it needs to be a process. Raises OSError(EAGAIN), RuntimeClosed."""
        return self._ask("process_owner", message)

    def noted(self, message: m.AttachJoined) -> m.AttachJoinedReply:
        """It is one."""
        self.pids[message.instance] = message.pid
        return m.AttachJoinedReply()

    def closed(self, message: m.AttachClose) -> Later[m.AttachCloseReply]:
        """It has let go by itself."""
        self.pids.pop(message.instance, None)
        return self._ask("process_owner", message)

    # ---- for shims ----

    def open(self, port: Any) -> Later[m.AttachOpenReply]:
        """What this Pyodide needs to be a process."""
        return self.opened(m.AttachOpen(port))

    def joined(self, instance: int, pid: int, end: Callable[[Exception], None]) -> None:
        """`end` is called when the runtime ends, while there still is a kernel if possible."""
        self._ends.append(end)
        self.noted(m.AttachJoined(instance, pid))

    def close(self, instance: int) -> None:
        """This one has let go by itself."""
        self.closed(m.AttachClose(instance, -1))

    # ---- for the runtime ----

    def interrupt(self, signal: int) -> None:
        """What a terminal does at ^C: to every attached Pyodide and its children that started no group of their own."""
        for pid in self.pids.values():
            self._ask("kernel_worker", m.ProcessKill(-pid, signal))

    def share(self, raw: RawPort) -> None:
        """Answer another worker's Pyodide over `raw`."""
        self._shared.append(Port(raw, _Relay(self._ask, self)))

    async def new_port(self) -> Any:
        """A MessagePort whose other end share() answers. Raises BootError."""
        from ..host import page

        mine, theirs = page.new_channel()
        self.share(await page.message_port(mine))
        return theirs

    def let_go(self, error: Exception) -> None:
        """The runtime ends: so do they all."""
        ends, self._ends = self._ends, []
        self.pids.clear()
        for end in ends:
            end(error)
        kind = "panic" if isinstance(error, KernelPanic) else "closed"
        for port in self._shared:
            port.send(m.RuntimeFailed("runtime", kind, str(error)))
        self._shared.clear()
