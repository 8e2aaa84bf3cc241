"""System calls of init's sockets: each method is the man page of its name, section 2, and raises OSError as it says."""

from __future__ import annotations

import ipaddress
import struct

from ..abi.gen import linux
from ..abi.gen.abi import Errno, Syscall
from ..abi.gen.guest import SockaddrIn, SockaddrIn6
from ..channel.wire import linux_error
from ..state.calls import DATA, RECORD, KernelCalls

__all__ = ["SocketCalls"]

NAME = RECORD  # of the staging memory: an address, then its length
LENGTH = RECORD + 128
DATAGRAM_BYTES = 65536
UCRED_BYTES = 12
AGAIN, IN_PROGRESS, ALREADY = -int(Errno.EAGAIN), -int(Errno.EINPROGRESS), -int(Errno.EALREADY)
FLAGS = linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC


def _pack(host: str, port: int) -> bytes:
    address = ipaddress.ip_address(host)
    network_port = port.to_bytes(2, "big")
    if address.version == 4:
        return struct.pack("<H", linux.AF_INET) + network_port + address.packed + bytes(8)
    return struct.pack("<H", linux.AF_INET6) + network_port + bytes(4) + address.packed + bytes(4)


def _unpack(data: bytes) -> tuple[str, int]:
    family, port = struct.unpack("<H", data[:2])[0], int.from_bytes(data[2:4], "big")
    if family == linux.AF_INET:
        return str(ipaddress.ip_address(data[4:8])), port
    address = ipaddress.IPv6Address(data[8:24])
    return str(address.ipv4_mapped or address), port


class SocketCalls:
    """owner: the kernel worker."""

    def __init__(self, calls: KernelCalls) -> None:
        self._calls = calls
        self._kernel = calls.kernel

    def socket(self, family: int, kind: int) -> int:
        """Non-blocking, close-on-exec."""
        return self._calls.call(Syscall.socket, family, kind | FLAGS, 0)

    def _name(self, host: str, port: int) -> tuple[int, int]:
        name = _pack(host, port)
        self._kernel.write(NAME, name)
        return NAME, len(name)

    def bind(self, fd: int, host: str, port: int) -> None:
        """bind(2)"""
        self._calls.call(Syscall.bind, fd, *self._name(host, port))

    def listen(self, fd: int, backlog: int) -> None:
        """listen(2)"""
        self._calls.call(Syscall.listen, fd, backlog)

    def connect(self, fd: int, host: str, port: int) -> None:
        """connect(2), to a listener of a guest: complete at once. Raises OSError(EAGAIN) when its backlog is full."""
        result = IN_PROGRESS
        while result == IN_PROGRESS:  # the second call says what became of it, or that it is pending
            result = self._calls.raw(Syscall.connect, fd, *self._name(host, port))
        if result < 0:
            raise linux_error(-(AGAIN if result == ALREADY else result))

    def shutdown(self, fd: int, how: int) -> None:
        """shutdown(2)"""
        self._calls.call(Syscall.shutdown, fd, how)

    def linger(self, fd: int, seconds: int) -> None:
        """SO_LINGER; with 0 close(2) resets the connection"""
        self._kernel.write(NAME, struct.pack("<ii", 1, seconds))
        self._calls.call(Syscall.setsockopt, fd, linux.SOL_SOCKET, linux.SO_LINGER, NAME, 8)

    def accept(self, fd: int) -> int | None:
        """A connection, or None when none waits."""
        result = self._calls.raw(Syscall.accept4, fd, 0, 0, FLAGS)
        if result == AGAIN:
            return None
        if result < 0:
            raise linux_error(-result)
        return result

    def own_name(self, fd: int) -> tuple[str, int]:
        """getsockname(2): (address, port)"""
        self._kernel.write(LENGTH, struct.pack("<I", SockaddrIn6.BYTES))
        self._calls.call(Syscall.getsockname, fd, NAME, LENGTH)
        return _unpack(self._kernel.read(NAME, SockaddrIn6.BYTES))

    def peer_pid(self, fd: int) -> int:
        """SO_PEERCRED"""
        self._kernel.write(LENGTH, struct.pack("<I", UCRED_BYTES))
        self._calls.call(Syscall.getsockopt, fd, linux.SOL_SOCKET, linux.SO_PEERCRED, NAME, LENGTH)
        pid: int = struct.unpack("<i", self._kernel.read(NAME, 4))[0]
        return pid

    def receive_from(self, fd: int) -> tuple[bytes, tuple[str, int]] | None:
        """A datagram and its sender, or None when none waits."""
        self._kernel.write(LENGTH, struct.pack("<I", SockaddrIn.BYTES))
        six = (fd, DATA, DATAGRAM_BYTES, 0, NAME, LENGTH)
        result = int(self._kernel.syscall(Syscall.recvfrom, *six))
        if result == AGAIN:
            return None
        if result < 0:
            raise linux_error(-result)
        data = self._kernel.read(DATA, result) if result else b""
        return data, _unpack(self._kernel.read(NAME, SockaddrIn.BYTES))

    def send_to(self, fd: int, data: bytes, to: tuple[str, int]) -> None:
        """sendto(2)"""
        name, length = self._name(*to)
        self._kernel.write(DATA, data)
        result = int(self._kernel.syscall(Syscall.sendto, fd, DATA, len(data), 0, name, length))
        if result < 0:
            raise linux_error(-result)
