"""One file tree: directories of this Pyodide that are the kernel's, by js_shim/kernel_fs.js.

MOUNTS: the guests' root below /mnt/guest, and this Python's own /home/pyodide and /tmp, which become the guests' of the
same names. What stands in such a directory is moved into the kernel once, when it is mounted (files that are open then
stay with who opened them), and moved back when the runtime is closed: meanwhile there is one copy, which both see. What
guests have under the same name is replaced. Emscripten calls everything that is no directory, link or device a file:
st_mode knows better.
"""

from __future__ import annotations

import builtins
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..state.calls import KernelCalls
from .machine import Machine

__all__ = ["MOUNTS", "mount", "unmount"]

MOUNTS: Mapping[str, str] = {"/mnt/guest": "/", "/home/pyodide": "/home/pyodide", "/tmp": "/tmp"}
REAL_OPEN = builtins.open


def mount(machine: Machine, mounts: Mapping[str, str]) -> None:
    """Each directory here becomes the guests' directory named. Raises OSError; what was mounted before it stays."""
    for given, target in mounts.items():
        point, guest = os.path.normpath(given), os.path.normpath(target)
        if not point.startswith("/") or not guest.startswith("/") or point == "/":
            raise ValueError(f"mounts: {given!r} and {target!r} must be absolute, and not this Python's own root")
        os.makedirs(point, exist_ok=True)
        calls = machine.attachment.calls
        if guest != "/":
            calls.make_parents(guest)
            _directory(calls, guest, 0o1777 if guest == "/tmp" else 0o755)
        files = machine.attachment.files
        others = {str(other) for other in files.mountedBelow(point)}
        _move_in(calls, point, guest, others)
        files.mount(point, guest)
        machine.mounts[point] = guest


def _directory(calls: KernelCalls, path: str, mode: int) -> None:
    try:
        calls.mkdir(path, mode)
        calls.chmod(path, mode)
    except FileExistsError:
        if not stat.S_ISDIR(calls.stat(path).st_mode):
            raise


def _move_in(calls: KernelCalls, folder: str, guest: str, others: set[str]) -> None:
    """Files of a directory of this Pyodide's own go into the kernel's; mounts of others stay where they are."""
    for entry in list(os.scandir(folder)):
        target = f"{guest.rstrip('/')}/{entry.name}"
        got = entry.stat(follow_symlinks=False)
        if entry.is_symlink():
            with suppress(FileNotFoundError):  # this Python's own goes before what is there
                calls.unlink(target)
            calls.symlink(os.readlink(entry.path), target)
        elif entry.is_dir():
            _directory(calls, target, stat.S_IMODE(got.st_mode) or 0o755)
            if entry.path in others:
                continue
            _move_in(calls, entry.path, target, others)
            if any(other.startswith(f"{entry.path}/") for other in others):
                continue
        elif stat.S_ISREG(got.st_mode):
            with REAL_OPEN(entry.path, "rb") as f:
                calls.write_file(target, f.read(), stat.S_IMODE(got.st_mode) & ~0o022)
        else:
            continue  # a device of Emscripten's
        if not entry.is_symlink():
            calls.utime(target, got.st_atime_ns, got.st_mtime_ns)
        if entry.is_dir(follow_symlinks=False):
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)


def unmount(machine: Machine, alive: bool) -> None:
    """The directories are this Pyodide's own again, with what was in them when the kernel is `alive` still."""
    files = machine.attachment.files
    for point, guest in reversed(machine.mounts.items()):
        kept: list[tuple[str, Any, Any]] = []
        if alive and guest != "/":
            others = {str(other) for other in files.mountedBelow(point)}
            _read(point, kept, others)
        files.unmount(point)
        for path, what, got in kept:
            _put(path, what, got)
        files.rehang()
    machine.mounts.clear()


def _read(folder: str, kept: list[tuple[str, Any, Any]], others: set[str]) -> None:
    for entry in os.scandir(folder):
        got = entry.stat(follow_symlinks=False)
        if entry.path in others:
            continue
        if entry.is_symlink():
            kept.append((entry.path, os.readlink(entry.path), got))
        elif entry.is_dir():
            kept.append((entry.path, None, got))
            _read(entry.path, kept, others)
        elif stat.S_ISREG(got.st_mode):
            with REAL_OPEN(entry.path, "rb") as f:
                kept.append((entry.path, f.read(), got))


def _put(path: str, what: Any, got: Any) -> None:
    if what is None:
        os.makedirs(path, exist_ok=True)
    elif isinstance(what, str):
        os.symlink(what, path)
    else:
        with REAL_OPEN(path, "wb") as f:
            f.write(what)
        os.chmod(path, stat.S_IMODE(got.st_mode))
        os.utime(path, ns=(got.st_atime_ns, got.st_mtime_ns))
