"""Linux userland in a browser tab, driven from Python. Names are imported when they are first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors, layers
    from .app import App, AppExit, AppLimits
    from .errors import (
        AppError,
        BootError,
        CannotWait,
        InternalError,
        IsolationError,
        KernelPanic,
        LayerError,
        RuntimeClosed,
        SnapshotError,
        StaleHandleError,
        TidemarkError,
        WorkerCrashed,
    )
    from .runtime import DEVNULL, PIPE, STDOUT, CompletedProcess, FetchProgress, FileStat, Process, Runtime, RuntimeFS
    from .shims import install
    from .shims.remote import attach

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "App",
    "AppError",
    "AppExit",
    "AppLimits",
    "BootError",
    "CannotWait",
    "CompletedProcess",
    "FetchProgress",
    "FileStat",
    "InternalError",
    "IsolationError",
    "KernelPanic",
    "LayerError",
    "Process",
    "Runtime",
    "RuntimeClosed",
    "RuntimeFS",
    "SnapshotError",
    "StaleHandleError",
    "TidemarkError",
    "WorkerCrashed",
    "attach",
    "errors",
    "install",
    "layers",
]

_MODULES = ("errors", "layers")
_HOMES = {"App": ".app", "AppExit": ".app", "AppLimits": ".app", "install": ".shims", "attach": ".shims.remote"}
_ERRORS = tuple(name for name in __all__ if name.endswith(("Error", "Panic", "Crashed", "Closed", "CannotWait")))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in __all__:
        home = ".errors" if name in _ERRORS else _HOMES.get(name, ".runtime")
        value = getattr(importlib.import_module(home, __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
