"""CPython's own process modules over the runtime: install() makes them work in this Pyodide.

This Pyodide becomes a process of the kernel (process/attachment.py), some of its directories the guests' (tree.py).
What install() changes, once: subprocess.Popen's methods, names of os, io, fcntl and signal (os.py lists them), select
and poll, the event loop's subprocess_exec and subprocess_shell, the modules grp and pwd, PATH in os.environ,
sys.executable. A second one takes another.
"""

from __future__ import annotations

import asyncio
import logging
import os as os_module
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import TidemarkError

__all__ = ["install"]

_patched = False
_lock: asyncio.Lock | None = None


async def install(
    runtime: Any = None, layers: str | Sequence[Any] = (), mounts: Mapping[str, str] | None = None, **options: Any
) -> Any:
    """Processes for this Pyodide; returns the Runtime.

    runtime: one that runs, or what attach() gave; None is the one installed before, or a new Runtime.create(**options).
    layers: names or URLs for layers.fetch, or Layer objects, added in this order. mounts: directories of this Python
    that are to be the guests' (shims/tree.py says which by default, and what happens to what is in them). Raises
    IsolationError, BootError, LayerError, and RuntimeClosed for a runtime that was closed.
    """
    global _lock
    _lock = _lock or asyncio.Lock()
    async with _lock:
        return await _install(runtime, [layers] if isinstance(layers, str) else list(layers), mounts, options)


async def _install(runtime: Any, layers: list[Any], mounts: Mapping[str, str] | None, options: dict[str, Any]) -> Any:
    from .. import layers as layers_module
    from ..runtime import Runtime
    from . import machine

    current = machine._machine
    made = False
    if runtime is None and current is not None and not current.runtime.closed:
        runtime = current.runtime
    elif runtime is None:
        runtime, made = await Runtime.create(**options), True
    else:
        runtime.check()
    try:
        for each in layers:
            layer = await layers_module.fetch(each) if isinstance(each, str) else each
            await runtime.fs.apply_layer(layer)
        if current is None or current.runtime is not runtime or current.attachment.closed is not None:
            await _attach(runtime, mounts)
    except BaseException:
        if made:
            runtime.close()
        raise
    return runtime


async def _attach(runtime: Any, mounts: Mapping[str, str] | None) -> None:
    """This Pyodide becomes a process of `runtime`; what it was of another one ends."""
    global _patched
    from ..host.attached import open_attached
    from ..process.attachment import Attachment
    from ..runtime import DEFAULT_ENV
    from . import asyncio_subprocess, machine, subprocess, tree, users
    from . import os as os_shim
    from . import pty as pty_shim
    from . import select as select_shim

    kernel, files, instance = await open_attached(runtime.attachments.open)
    old = machine._machine
    if old is not None:
        old.end(machine.MOVED)
    files.replace()
    new = machine.Machine(runtime, Attachment(kernel, files, machine.suspend))

    def over(error: Exception) -> None:
        was_open = new.attachment.closed is None
        _detach(new, error)
        if was_open and not runtime.closed:
            runtime.attachments.close(instance)

    new.end = over
    runtime.attachments.joined(instance, kernel.pid, new.end)
    machine.use(new)
    if not _patched:
        os_shim.patch()
        subprocess.patch()
        asyncio_subprocess.patch()
        users.patch()
        pty_shim.patch()
        select_shim.patch()
        _patched = True
    os_shim.tell_handlers()
    tree.mount(new, tree.MOUNTS if mounts is None else mounts)
    if os_module.environ.get("PATH", "/") in ("", "/"):
        os_module.environ["PATH"] = DEFAULT_ENV["PATH"]


def _detach(old: Any, error: Exception) -> None:
    from ..errors import KernelPanic, WorkerCrashed
    from . import tree

    if old.attachment.closed is not None:
        return
    try:
        tree.unmount(old, not isinstance(error, (KernelPanic, WorkerCrashed)))
    except Exception as e:  # the kernel is gone, and with it what was there
        logging.getLogger("tidemark_py").warning("files of this Python could not be taken back: %s", e)
    with suppress(TidemarkError):  # there is no kernel to let go of
        old.attachment.close(error)
