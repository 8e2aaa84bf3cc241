"""pty.spawn over the kernel's terminals: a child on a terminal of its own, copied to this Python's sys.stdout.

Follows Lib/pty.py, whose fork() cannot be here. This Python's input is copied only when it is a descriptor of the
kernel: a page's stdin is none. openpty is os.openpty.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from .launch import launch
from .machine import machine
from .subprocess import strings

__all__ = ["patch", "spawn"]

READ_BYTES = 1024
STDIN, STDOUT = 0, 1


def _read(fd: int) -> bytes:
    return os.read(fd, READ_BYTES)


def spawn(
    argv: str | Iterable[str], master_read: Callable[[int], bytes] = _read, stdin_read: Callable[[int], bytes] = _read
) -> int:
    """Run `argv` on a new terminal until it ends; its status as waitpid gives it. Raises OSError as exec does."""
    arguments = [argv] if isinstance(argv, str) else list(argv)
    this = machine()
    sys.audit("pty.spawn", arguments)
    master, slave = os.openpty()
    try:
        try:
            size = os.get_terminal_size(STDOUT)
            this.attachment.calls.resize(this.attachment.descriptor(master), size.lines, size.columns)
        except OSError:
            pass  # this Python has no terminal: the usual size
        try:
            child = launch(this, strings(arguments), streams=(slave, slave, slave), terminal=True)
        finally:
            os.close(slave)
        _copy(this, master, master_read, stdin_read)
    finally:
        os.close(master)
    return this.wait(child.pid)[1]


def _copy(this: Any, master: int, master_read: Callable[[int], bytes], stdin_read: Callable[[int], bytes]) -> None:
    attachment = this.attachment
    fds = {"master": attachment.descriptor(master), "stdin": attachment.waiting(STDIN)}
    while True:
        waits = {name: attachment.reactor.ready(fd, arm=False) for name, fd in fds.items() if fd >= 0}
        attachment.reactor.wait(lambda laters=waits: any(later.done for later in laters.values()))
        if waits["master"].done:
            try:
                data = master_read(master)
            except OSError:
                return  # EIO: nobody has it open any more
            if not data:
                return
            _show(data)
        if "stdin" in waits and waits["stdin"].done:
            data = stdin_read(STDIN)
            if data:
                os.write(master, data)
            else:
                fds["stdin"] = -1


def _show(data: bytes) -> None:
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(data.decode(errors="replace"))
    else:
        sys.stdout.flush()
        buffer.write(data)
    sys.stdout.flush()


def patch() -> None:
    """pty.spawn and pty.openpty, when Python has the module."""
    try:
        import pty
    except ImportError:
        return
    pty.spawn, pty.openpty = spawn, os.openpty
