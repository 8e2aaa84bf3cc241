"""select: select() and poll objects that wait for descriptors of the kernel, select(2) and poll(2).

CPython's own poll object says of every kind of descriptor what is ready now (for the kernel's by js_shim/kernel_fs.js);
what it never does here is wait, and its select() does not know that the end of a pipe can be read. What asks for no
descriptor of the kernel stays CPython's own. Called by install() alone. Missing: epoll, which Pyodide's Python lacks.
"""

from __future__ import annotations

import os
import select
import selectors
from collections.abc import Callable, Iterable
from typing import Any

from .machine import current

__all__ = ["Poll", "patch"]

READABLE = select.POLLIN | select.POLLRDNORM
WRITABLE = select.POLLOUT | select.POLLWRNORM
FAILED = select.POLLERR | select.POLLHUP
_real: dict[str, Any] = {}


def _number(file: Any) -> int:
    if isinstance(file, int):
        return file
    if not hasattr(file, "fileno"):
        raise TypeError("argument must be an int, or have a fileno() method.")
    return int(file.fileno())


def _wait(look: Callable[[], bool], masks: Iterable[tuple[int, int]], seconds: float | None) -> None:
    """Until look(), or for `seconds`; a kernel's descriptor behind a number of `masks` wakes it."""
    this = current()
    attachment = this.attachment
    wanted = [(attachment.descriptor(number), mask) for number, mask in masks]

    def done() -> bool:
        if look():
            return True
        for fd, mask in wanted:
            if fd >= 0:
                for write, events in ((False, READABLE), (True, WRITABLE)):
                    if mask & events:
                        attachment.reactor.ready(fd, write, arm=False)
        return False

    this.wait_until(done, seconds)


def _is_kernels(numbers: Iterable[int]) -> bool:
    attachment = current().attachment
    return attachment.closed is None and any(attachment.descriptor(number) >= 0 for number in numbers)


def _select(rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /) -> Any:
    lists = list(rlist), list(wlist), list(xlist)
    if not _is_kernels(_number(file) for files in lists for file in files):
        return _real["select"](*lists, timeout)
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    masks: dict[int, int] = {}
    for files, events in zip(lists, (READABLE, WRITABLE, select.POLLPRI), strict=True):
        for file in files:
            masks[_number(file)] = masks.get(_number(file), 0) | events
    poll = _real["poll"]()
    for number, mask in masks.items():
        os.fstat(number)  # Emscripten's poll says nothing of a number that is none
        poll.register(number, mask)
    found: tuple[list[Any], ...] = ([], [], [])

    def look() -> bool:
        nonlocal found
        ready = dict(poll.poll(0))
        told = (READABLE | FAILED, WRITABLE | FAILED, select.POLLPRI)
        found = tuple(
            [file for file in files if ready.get(_number(file), 0) & events]
            for files, events in zip(lists, told, strict=True)
        )
        return any(found)

    if not look() and timeout != 0:
        _wait(look, masks.items(), timeout)
    return found


class Poll:
    """select.poll()"""

    def __init__(self) -> None:
        self._poll = _real["poll"]()
        self._masks: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = select.POLLIN | select.POLLPRI | select.POLLOUT, /) -> None:
        """Also of one that is registered."""
        self._poll.register(fd, eventmask)
        self._masks[_number(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Raises OSError(ENOENT)."""
        self._poll.modify(fd, eventmask)
        self._masks[_number(fd)] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """Raises KeyError."""
        self._poll.unregister(fd)
        del self._masks[_number(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """[(number, events)] within `timeout` milliseconds; None and below 0: for ever."""
        if not _is_kernels(self._masks):
            found: list[tuple[int, int]] = self._poll.poll(timeout)
            return found
        found = []

        def look() -> bool:
            nonlocal found
            found = self._poll.poll(0)
            return bool(found)

        if not look() and timeout != 0:
            _wait(look, self._masks.items(), None if timeout is None or timeout < 0 else timeout / 1000)
        return found


def patch() -> None:
    """Once; _real keeps CPython's own. Selectors have taken them for themselves."""
    _real["select"], _real["poll"] = select.select, select.poll
    module: Any = select
    module.select, module.poll = _select, Poll
    classes: Any = selectors
    classes.SelectSelector._select = staticmethod(_select)
    classes.PollSelector._selector_cls = Poll
