"""NetGate: what of the network the kernel worker does for the page. It decides nothing.

Connections beyond loopback come to a socket of init's that the kernel knows as the bridge (kernel/net/bridge.c); name
queries come to UDP port 53 of 127.0.0.1. Both are told to the page, which answers. Accepted connections are streams of
init's like any other: their bytes are asked for and sent by stream.read and stream.write.
"""

from __future__ import annotations

import errno

from ..abi.gen import linux
from ..abi.gen import messages as m
from ..abi.gen.abi import Event
from ..channel.port import Port
from ..channel.wire import linux_error
from ..state.calls import KernelCalls
from ..state.events import EventReader, parse_events
from .sockets import SocketCalls

__all__ = ["NetGate"]

BACKLOG = 64
NAME_PORT = 53
READABLE = linux.POLLIN | linux.POLLHUP | linux.POLLERR
QUERIES_KEPT = 1024


class NetGate:
    """owner: the kernel worker. Watches have numbers from WATCH on: that number and the descriptor."""

    WATCH = 1 << 24

    def __init__(self, calls: KernelCalls, page: Port, events: EventReader) -> None:
        self._calls = calls
        self._sockets = SocketCalls(calls)
        self._page = page
        self._events = events
        self._bridge = -1
        self._names = -1
        self._askers: dict[int, tuple[str, int]] = {}
        self._next_query = 0

    def listen(self) -> None:
        """The kernel is up: hear of what finds no way out. Raises OSError(ENOMEM)."""
        self._events.listen("net", 1 << Event.NET_REFUSED)

    def open(self) -> None:
        """From now on what wants out is asked about. Raises OSError (EADDRINUSE: a guest serves names itself)."""
        if self._bridge >= 0:
            return
        names = self._sockets.socket(linux.AF_INET, linux.SOCK_DGRAM)
        bridge = self._sockets.socket(linux.AF_INET6, linux.SOCK_STREAM)
        try:
            self._sockets.bind(names, "127.0.0.1", NAME_PORT)
            self._sockets.bind(bridge, "::1", 0)
            self._sockets.listen(bridge, BACKLOG)
            result = int(self._calls.kernel.call("tk_net_bridge", bridge))
            if result < 0:
                raise linux_error(-result)
        except OSError:
            self._calls.close(names)
            self._calls.close(bridge)
            raise
        self._names, self._bridge = names, bridge
        self._take_names()
        self._take_connections()

    def close(self) -> None:
        """Nothing leaves any more."""
        for fd in (self._bridge, self._names):
            if fd >= 0:
                self._calls.close(fd)
        self._bridge = self._names = -1

    def watched(self, number: int) -> None:
        """NOTIFY_WATCH; one for a closed descriptor does no harm."""
        fd = number - self.WATCH
        if fd == self._bridge:
            self._take_connections()
        elif fd == self._names:
            self._take_names()

    def refused(self, low: int) -> None:
        """NOTIFY_NET_REFUSED: the page logs it."""
        last = self._events.last()
        record = self._events.take_one("net", last - (last - low) % (1 << 32))
        for event in parse_events(record):
            if event.b >> 33 & 1:
                self._page.send(
                    m.NetNoSocket(event.pid, event.b & 0xFFFF, event.b >> 16 & 0xFFFF, event.a & 0xFFFFFFFF)
                )
                continue
            v6 = event.b >> 32 & 1
            packed = (event.a & (1 << 64) - 1).to_bytes(8, "big")
            host = f"IPv6 ...{packed.hex()}" if v6 else ".".join(map(str, packed[4:]))
            self._page.send(m.NetRefused(event.pid, host, event.b & 0xFFFF, event.b >> 16 & 0xFFFF))

    def _wait(self, fd: int) -> bool:
        """True: try again now."""
        return self._calls.watch(fd, READABLE, self.WATCH + fd)

    def _take_connections(self) -> None:
        while True:
            fd = self._sockets.accept(self._bridge)
            if fd is not None:
                host, port = self._sockets.own_name(fd)
                self._page.send(m.NetAsked(fd, host, port, self._sockets.peer_pid(fd)))
            elif not self._wait(self._bridge):
                return

    def _take_names(self) -> None:
        while True:
            got = self._sockets.receive_from(self._names)
            if got is not None:
                number = self._next_query = (self._next_query + 1) % QUERIES_KEPT
                self._askers[number] = got[1]
                self._page.send(m.NetQueried(number, got[0]))
            elif not self._wait(self._names):
                return

    def answer(self, connection: int, error: int) -> None:
        """What connect(2) says: 0, or an errno; then the connection is closed. Raises OSError(ENOTCONN): it gave up."""
        result = int(self._calls.kernel.call("tk_net_answer", connection, error))
        if error or result < 0:
            self._calls.close(connection)
        if result < 0:
            raise linux_error(-result)

    def reply(self, query: int, data: bytes) -> None:
        """The answer to a name query; one to an asker who is gone is dropped."""
        to = self._askers.pop(query, None)
        if to is None or self._names < 0:
            return
        try:
            self._sockets.send_to(self._names, data, to)
        except OSError as e:
            if e.errno not in (errno.ECONNREFUSED, errno.EAGAIN):
                raise

    def connect(self, host: str, port: int) -> int:
        """A connection of init's to a guest's listener. Raises OSError(ECONNREFUSED)."""
        fd = self._sockets.socket(linux.AF_INET6 if ":" in host else linux.AF_INET, linux.SOCK_STREAM)
        try:
            self._sockets.connect(fd, host, port)
        except OSError:
            self._calls.close(fd)
            raise
        return fd

    def abort_on_close(self, fd: int) -> None:
        """close(2) of it will be a reset."""
        self._sockets.linger(fd, 0)

    def shutdown(self, fd: int) -> None:
        """No more is written; what was is still read."""
        self._sockets.shutdown(fd, linux.SHUT_WR)
