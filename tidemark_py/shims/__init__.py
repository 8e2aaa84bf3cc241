"""CPython's own process modules over the runtime: install() makes them work in this Pyodide.

What it changes, once: subprocess.Popen's methods, names of os and io (shims/os.py lists them), the event loop's
subprocess_exec and subprocess_shell, the modules grp and pwd, PATH in os.environ, sys.executable. A second
install() takes another runtime.
"""

from __future__ import annotations

import asyncio
import os as os_module
from collections.abc import Sequence
from typing import Any

__all__ = ["install"]

_patched = False
_lock: asyncio.Lock | None = None


async def install(runtime: Any = None, layers: str | Sequence[Any] = (), **options: Any) -> Any:
    """Processes for this Pyodide; returns the Runtime.

    runtime: one that runs; None is the one installed before, or a new Runtime.create(**options). layers: names or URLs
    for layers.fetch, or Layer objects, added in this order. Raises IsolationError, BootError, LayerError, and
    RuntimeClosed for a runtime that was closed.
    """
    global _lock
    _lock = _lock or asyncio.Lock()
    async with _lock:
        return await _install(runtime, [layers] if isinstance(layers, str) else list(layers), options)


async def _install(runtime: Any, layers: list[Any], options: dict[str, Any]) -> Any:
    global _patched
    from .. import layers as layers_module
    from ..runtime import DEFAULT_ENV, Runtime
    from . import asyncio_subprocess, machine, subprocess, users
    from . import os as os_shim

    current = machine._machine
    made = False
    if runtime is None and current is not None and not current.runtime.closed:
        runtime = current.runtime
    elif runtime is None:
        runtime, made = await Runtime.create(**options), True
    else:
        _ = runtime._kernel  # raises what ended it
    try:
        for each in layers:
            layer = await layers_module.fetch(each) if isinstance(each, str) else each
            await runtime.fs.apply_layer(layer)
        if current is None or current.runtime is not runtime:
            machine.use(machine.Machine(runtime))
    except BaseException:
        if made:
            runtime.close()
        raise
    await users.read(runtime)
    if not _patched:
        os_shim.patch()
        subprocess.patch()
        asyncio_subprocess.patch()
        users.patch()
        _patched = True
    if os_module.environ.get("PATH", "/") in ("", "/"):
        os_module.environ["PATH"] = DEFAULT_ENV["PATH"]
    return runtime
