"""Streams: reads and writes of init's descriptors that wait without blocking the worker.

A read or write that cannot go on leaves one one-shot watch in the kernel; NOTIFY_WATCH brings it back here. Order per
descriptor and direction is kept. Nothing is read ahead: what nobody asks for stays in the pipe and blocks its writer.
"""

from __future__ import annotations

import errno
from collections import deque

from ..abi.gen import linux
from ..channel.later import Later
from ..state.calls import KernelCalls

__all__ = ["StreamTable"]

READ, WRITE = 0, 1
READ_EVENTS = linux.POLLIN | linux.POLLHUP | linux.POLLERR
WRITE_EVENTS = linux.POLLOUT | linux.POLLHUP | linux.POLLERR


class _Stream:
    __slots__ = ("readers", "terminal", "watching", "writers")

    def __init__(self, terminal: bool) -> None:
        self.readers: deque[tuple[Later[bytes], int]] = deque()
        self.writers: deque[tuple[Later[None], memoryview]] = deque()
        self.watching = [False, False]
        self.terminal = terminal


class StreamTable:
    """owner: the kernel worker. Descriptors must be non-blocking."""

    def __init__(self, calls: KernelCalls) -> None:
        self._calls = calls
        self._streams: dict[int, _Stream] = {}

    def open(self, fd: int, terminal: bool = False) -> int:
        """Take over descriptor `fd`; terminal: EIO means that the other side is closed (pty(7))."""
        self._calls.set_nonblocking(fd)
        self._streams[fd] = _Stream(terminal)
        return fd

    def read(self, fd: int, size: int) -> Later[bytes]:
        """1..size bytes, or b"" at the end."""
        later: Later[bytes] = Later()
        if size <= 0:
            later.fail(OSError(errno.EINVAL, "a read wants at least one byte"))
            return later
        stream = self._stream(fd)
        stream.readers.append((later, size))
        if len(stream.readers) == 1:
            self._read_on(fd, stream)
        return later

    def write(self, fd: int, data: bytes) -> Later[None]:
        """Done when every byte was accepted."""
        later: Later[None] = Later()
        stream = self._stream(fd)
        stream.writers.append((later, memoryview(data)))
        if len(stream.writers) == 1:
            self._write_on(fd, stream)
        return later

    def close(self, fd: int) -> None:
        """close(2); what waits on `fd` fails with EBADF."""
        stream = self._streams.pop(fd, None)
        self._calls.close(fd)
        if stream is not None:
            gone = OSError(errno.EBADF, "the stream was closed")
            for reader, _ in stream.readers:
                reader.fail(gone)
            for writer, _ in stream.writers:
                writer.fail(gone)

    def watched(self, number: int) -> None:
        """NOTIFY_WATCH came for fd number // 2; one for a closed or reused descriptor does no harm."""
        fd, direction = divmod(number, 2)
        stream = self._streams.get(fd)
        if stream is None:
            return
        stream.watching[direction] = False
        if direction == READ:
            self._read_on(fd, stream)
        else:
            self._write_on(fd, stream)

    def _stream(self, fd: int) -> _Stream:
        """The stream of `fd`; one that was made elsewhere becomes ours. Raises OSError(EBADF)."""
        if fd not in self._streams:
            self.open(fd)
        return self._streams[fd]

    def _wait(self, fd: int, stream: _Stream, direction: int) -> bool:
        """True: try again now."""
        if stream.watching[direction]:
            return False
        ready = self._calls.watch(fd, WRITE_EVENTS if direction else READ_EVENTS, fd * 2 + direction)
        stream.watching[direction] = not ready
        return ready

    def _read_on(self, fd: int, stream: _Stream) -> None:
        while stream.readers:
            later, size = stream.readers[0]
            try:
                data = self._calls.read(fd, size)
                if data is None:
                    if self._wait(fd, stream, READ):
                        continue
                    return
            except OSError as e:
                stream.readers.popleft()
                if stream.terminal and e.errno == errno.EIO:
                    later.resolve(b"")
                else:
                    later.fail(e)
            else:
                stream.readers.popleft()
                later.resolve(data)

    def _write_on(self, fd: int, stream: _Stream) -> None:
        while stream.writers:
            later, data = stream.writers[0]
            try:
                while data:
                    accepted = self._calls.write(fd, data)
                    if accepted == 0 and not self._wait(fd, stream, WRITE):
                        stream.writers[0] = (later, data)
                        return
                    data = data[accepted:]
            except OSError as e:
                stream.writers.popleft()
                later.fail(e)
            else:
                stream.writers.popleft()
                later.resolve(None)
