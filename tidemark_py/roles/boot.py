"""Entry of a worker that runs Python roles: js_shim/boot_role.js calls start() once Pyodide and the package are there.

Topologies: "split" runs KernelWorker and ProcessOwner in a worker each, "together" both in one, on one kernel instance.
"""

from __future__ import annotations

from typing import Any

from ..abi.gen.abi import Role
from ..abi.gen.messages import RuntimeFailed
from ..channel.wire import encode
from ..errors import BootError, InternalError, KernelPanic
from ..host.contract import RawPort
from ..host.values import kept_callback
from ..host.worker import WorkerHost, WorkerKernel, page_port
from .kernel_worker import ROLE as KERNEL_WORKER
from .kernel_worker import KernelWorker
from .process_owner import ROLE as PROCESS_OWNER
from .process_owner import ProcessOwner

__all__ = ["start"]

TOGETHER = "together"
INSTANCE = {KERNEL_WORKER: 0, PROCESS_OWNER: 1, TOGETHER: 0}


class _SharedPort:
    """One raw port for two roles: each message goes to the role that has a handler for it."""

    def __init__(self, raw: RawPort) -> None:
        self._raw = raw
        self._handlers: list[Any] = []
        self.roles: list[Any] = []

    def post(self, wire: dict[str, Any]) -> None:
        """Send."""
        self._raw.post(wire)

    def listen(self, received: Any) -> None:
        """One more listener."""
        self._handlers.append(received)
        if len(self._handlers) == 1:
            self._raw.listen(self._receive)

    def _receive(self, wire: dict[str, Any]) -> None:
        method = str(wire.get("m", "")).replace(".", "_")
        for role, handler in zip(self.roles, self._handlers, strict=False):
            if hasattr(role, method):
                handler(wire)
                return
        self._handlers[0](wire)  # answers that nobody knows it


_kept: list[Any] = []  # roles live as long as their worker


def start(shim: Any, options: Any) -> None:
    """Make the roles of this worker and let them begin; what fails is told to the page."""
    try:
        _start(shim, options)
    except (BootError, OSError, KernelPanic, InternalError) as e:
        page_port(shim).post(encode(RuntimeFailed(str(options.role), "boot", str(e))))


def _start(shim: Any, options: Any) -> None:
    role = str(options.role)
    if role not in INSTANCE:
        raise BootError(f"there is no role {role}")
    kernel = WorkerKernel(shim, options, INSTANCE[role], shim.hub.notify, shim.hub.log)
    host = WorkerHost(shim, options, kernel.head_bytes)
    raw: RawPort = page_port(shim)
    sinks: dict[int, Any] = {}
    shared: _SharedPort | None = None
    if role == TOGETHER:
        raw = shared = _SharedPort(raw)
    roles: list[Any] = []
    if role in (KERNEL_WORKER, TOGETHER):
        cap, guest_pages = int(options.memories_cap), int(options.guest_max_pages)
        worker = KernelWorker(kernel, host, raw, cap, guest_pages, int(options.jit), bool(options.restoring))
        sinks[int(Role.KERNEL)] = worker.notified
        roles.append(worker)
    if role in (PROCESS_OWNER, TOGETHER):
        owner = ProcessOwner(kernel, host, raw, shim.hub.attach, shim.hub.join)
        sinks[int(Role.OWNER)] = owner.notified
        roles.append(owner)
    if shared is not None:
        shared.roles = roles
    _kept.extend(roles)

    def notified(to: int, kind: int, arg: Any) -> None:
        sinks[to](kind, arg)

    shim.hub.listen(kept_callback(notified))
    for each in roles:
        each.start()
