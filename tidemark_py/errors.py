"""What the package raises. System calls raise plain `OSError` with the errno, so that `FileNotFoundError` works.

TidemarkError
├── IsolationError      the page may not share memory: says how to serve it
├── BootError           a worker, Pyodide or kernel.wasm did not start
├── KernelPanic         the kernel cannot go on; make a new Runtime
├── WorkerCrashed       the kernel worker or the process owner is gone; make a new Runtime
├── RuntimeClosed       used after close()
├── CannotWait          synchronous Python on a page's main thread that JSPI cannot suspend: says what to do
├── LayerError          a layer is corrupted or of another format
├── StaleHandleError    somebody else holds what the handle named
├── AppError            an app's package, manifest or module is refused, or it ended before it was ready
├── SnapshotError       a snapshot is cut short, corrupted, or of another format or build
└── InternalError       a bug of this package
BlockingIOError
└── NotHere             the body of a lazy layer's file is being fetched: await rt.fs.prefetch(path) first
"""

from __future__ import annotations

import errno

__all__ = [
    "AppError",
    "BootError",
    "CannotWait",
    "InternalError",
    "IsolationError",
    "KernelPanic",
    "LayerError",
    "NotHere",
    "RuntimeClosed",
    "SnapshotError",
    "StaleHandleError",
    "TidemarkError",
    "WorkerCrashed",
]


class TidemarkError(Exception):
    """Base of everything but OSError; the text says what to do."""


class IsolationError(TidemarkError):
    """SharedArrayBuffer is not there."""


class BootError(TidemarkError):
    """A part of the runtime did not start."""


class KernelPanic(TidemarkError):
    """The kernel stopped: a trap under its lock or a failed check."""


class WorkerCrashed(TidemarkError):
    """A worker that the runtime cannot do without is gone."""


class RuntimeClosed(TidemarkError):
    """The runtime was closed."""


class CannotWait(TidemarkError):
    """Synchronous code would have to wait where it cannot."""


class LayerError(TidemarkError):
    """A file layer was refused whole."""


class StaleHandleError(TidemarkError):
    """What the handle named has another holder or is gone: open it again."""


class NotHere(BlockingIOError):
    """A file of a lazy layer that is not here yet, met where nobody can wait."""

    def __init__(self, path: str | None = None) -> None:
        text = f"not fetched yet: await rt.fs.prefetch({path or 'path'!r}) first"
        super().__init__(errno.EAGAIN, text, *([] if path is None else [path]))


class SnapshotError(TidemarkError):
    """A snapshot was refused whole."""


class AppError(TidemarkError):
    """An app cannot be started as it is."""


class InternalError(TidemarkError):
    """Our own bug; please report it with the text."""
