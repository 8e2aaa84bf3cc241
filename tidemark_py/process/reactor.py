"""Reactor: what an attached process waits for: descriptors by one epoll(7), its children by SIGCHLD, in two ways.

From the event loop: a Later of ready() or children(), resolved when the process's wait cell rings (nothing polls). From
synchronous code: wait(), which parks in the kernel where this thread may, else suspends Python (JSPI) until the cell
rings; Laters are resolved meanwhile, too. owner: an Attachment; not shared.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable
from typing import Any

from ..abi.gen import linux
from ..abi.gen.abi import Errno, Syscall
from ..abi.gen.guest import EpollEvent
from ..channel.later import Later
from ..channel.wire import linux_error
from ..state.calls import RECORD, KernelCalls

__all__ = ["Reactor"]

READ, WRITE = 0, 1
EVENTS = (linux.EPOLLIN | linux.EPOLLPRI, linux.EPOLLOUT)
MOST = 64
PYTHONS, CHILDS, BUTTON = 1, 2, 4  # what signals() says
FAILED = linux.EPOLLERR | linux.EPOLLHUP
# How long the page's stop button may go unseen while synchronous code waits: the interpreter looks between two waits.
SLICE_SECONDS = 0.1
EVENTS_AT = RECORD + 64


class Reactor:
    """`suspend(awaitable)` waits for it in synchronous code, or raises where Python cannot wait."""

    def __init__(
        self, calls: KernelCalls, kernel: Any, suspend: Callable[[Any], Any], forward: Callable[[], None]
    ) -> None:
        self._calls, self._kernel, self._suspend = calls, kernel, suspend
        self._epoll = calls.call(Syscall.epoll_create1, linux.EPOLL_CLOEXEC)
        self._waiters: dict[int, list[Later[None] | None]] = {}
        self._children: Later[None] | None = None
        self._armed = False
        self._forward = forward
        self._signalled = False
        self._waiting = 0
        self._interrupted = False
        kernel.on_ring(self._rung)

    # ---- what may be waited for ----

    def ready(self, fd: int, write: bool = False, *, arm: bool = True) -> Later[None]:
        """`fd` can be read (written), or has failed. arm=False: somebody is about to wait()."""
        waiters = self._waiters.setdefault(fd, [None, None])
        later = waiters[write]
        if later is None:
            later = waiters[write] = Later()
            self._register(fd, waiters)
        if arm:
            self._arm()
        return later

    def children(self, *, arm: bool = True) -> Later[None]:
        """The next time that a child ends, stops or goes on."""
        if self._children is None:
            self._children = Later()
        if arm:
            self._arm()
        return self._children

    def forget(self, fd: int) -> None:
        """`fd` is about to be closed: who waits for it fails with EBADF."""
        waiters = self._waiters.pop(fd, None)
        if waiters is not None:
            self._calls.raw(Syscall.epoll_ctl, self._epoll, linux.EPOLL_CTL_DEL, fd, 0)
            for later in waiters:
                if later is not None:
                    later.fail(OSError(errno.EBADF, "the stream was closed"))

    def fail(self, error: Exception) -> None:
        """Nothing will ever be ready."""
        waiters, self._waiters = self._waiters, {}
        laters = [later for pair in waiters.values() for later in pair] + [self._children]
        self._children = None
        for later in laters:
            if later is not None:
                later.fail(error)

    # ---- synchronous code ----

    def wait(self, done: Callable[[], bool], seconds: float | None = None, most_seconds: float = SLICE_SECONDS) -> bool:
        """Until `done()`; False after `seconds`. It is asked after every event, and after `most_seconds` without one.

        Raises TidemarkError where Python cannot wait, KeyboardInterrupt for the page's stop button, of which the
        children hear too, as they would of ^C on a terminal.
        """
        self._signalled = False
        self._waiting += 1
        try:
            return self._wait(done, seconds, most_seconds)
        except KeyboardInterrupt:
            if not self._signalled:
                self._forward()
            raise
        finally:
            self._waiting -= 1

    def _wait(self, done: Callable[[], bool], seconds: float | None, most_seconds: float) -> bool:
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            seen = 0 if self._kernel.waits else self._kernel.seen()
            self.take_signals()
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt
            if not self._kernel.waits:
                self._collect(0)
            if done():
                return True
            left = most_seconds if end is None else min(end - time.monotonic(), most_seconds)
            if left <= 0:
                return False
            if self._kernel.waits:
                self._collect(max(int(left * 1000), 1))
            elif self._watch():
                continue
            else:
                self._suspend(self._kernel.rung(seen, max(int(left * 1000), 1)))

    def turn(self) -> None:
        """What has happened becomes known."""
        self.take_signals()
        self._collect(0)

    # ---- the event loop ----

    def _arm(self) -> None:
        if self._armed:
            return
        self._armed = True
        seen = self._kernel.seen()
        # what happened before the cell was read rings no more: look at once
        before = self._children
        if not self._waiting:
            self.take_signals(True)
        stale = before is not self._children
        self._kernel.ring(seen - 1 if self._watch() or stale else seen)

    def _rung(self) -> None:
        self._armed = False
        try:
            if not self._waiting:  # else it is for the one who waits
                self.take_signals(True)
            self._collect(0)
        except KeyboardInterrupt:  # the stop button, met here by chance
            self._interrupted = self._waiting > 0
        if self._children is not None or self._waiters:
            self._arm()

    # ---- the kernel's part ----

    def _watch(self) -> bool:
        """The cell is to ring when a descriptor is ready. True: one is already."""
        if not self._waiters:
            return False
        return int(self._kernel.call("tk_host_watch", self._epoll, linux.POLLIN)) != 0

    def take_signals(self, idle: bool = False) -> None:
        """Handlers of this Python, and who waits for children, hear of what has come."""
        came = self._kernel.signals(idle)
        self._signalled = self._signalled or bool(came & PYTHONS)
        self._interrupted = self._interrupted or bool(came & BUTTON)
        if came & CHILDS:
            self._child_changed()

    def _child_changed(self) -> None:
        later, self._children = self._children, None
        if later is not None:
            later.resolve(None)

    def _register(self, fd: int, waiters: list[Later[None] | None]) -> None:
        events = linux.EPOLLONESHOT
        for direction in (READ, WRITE):
            if waiters[direction] is not None:
                events |= EVENTS[direction]
        self._kernel.write(RECORD, EpollEvent(events=events, data=fd).pack())
        result = self._calls.raw(Syscall.epoll_ctl, self._epoll, linux.EPOLL_CTL_MOD, fd, RECORD)
        if result == -Errno.ENOENT:
            result = self._calls.raw(Syscall.epoll_ctl, self._epoll, linux.EPOLL_CTL_ADD, fd, RECORD)
        if result == -Errno.EPERM:  # a file: always ready
            self._resolve(fd, linux.EPOLLIN | linux.EPOLLOUT)
        elif result < 0:
            self._waiters.pop(fd, None)
            for later in waiters:
                if later is not None:
                    later.fail(linux_error(-result))

    def _collect(self, milliseconds: int) -> None:
        """epoll_pwait(2): resolve what is ready."""
        if not self._waiters and not milliseconds:
            return
        arguments = (self._epoll, EVENTS_AT, MOST, milliseconds, 0, 8)
        if milliseconds:
            count = int(self._kernel.park(Syscall.epoll_pwait, *arguments))
        else:
            count = int(self._kernel.syscall(Syscall.epoll_pwait, *arguments))
        if count <= 0:
            if count in (0, -Errno.EINTR, -Errno.EAGAIN):
                return
            raise linux_error(-count)
        data = self._kernel.read(EVENTS_AT, count * EpollEvent.BYTES)
        for at in range(0, len(data), EpollEvent.BYTES):
            events, _, fd = struct.unpack_from("<IIQ", data, at)
            self._resolve(fd, events)

    def _resolve(self, fd: int, events: int) -> None:
        waiters = self._waiters.get(fd)
        if waiters is None:
            return
        both = bool(events & FAILED)
        fired = []
        for direction in (READ, WRITE):
            later = waiters[direction]
            if later is not None and (both or events & EVENTS[direction]):
                waiters[direction] = None
                fired.append(later)
        if waiters == [None, None]:
            del self._waiters[fd]
        else:
            self._register(fd, waiters)
        for later in fired:
            later.resolve(None)
