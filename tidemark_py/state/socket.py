"""SocketState: a socket (socket(7), unix(7)) with the packets that wait in its queue.

Writing one replaces the queue and the pending error and wakes who waits; ESTALE when the descriptor is another socket
by now, EOPNOTSUPP while descriptors are in flight (SCM_RIGHTS) here or there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from ..abi.gen.abi import SocketFlag, State, StatePacket, StateSocket
from ..abi.gen.abi import SocketState as Phase
from ..errors import SnapshotError
from .envelope import KernelRecord

__all__ = ["SocketPacket", "SocketState"]


@dataclass(frozen=True, slots=True)
class SocketPacket:
    """Bytes not read yet; rights: descriptors in flight; sender: its struct sockaddr."""

    data: bytes
    rights: int = 0
    pid: int = 0
    uid: int = 0
    gid: int = 0
    sender: bytes = b""

    def record(self) -> bytes:
        """state_packet, address, data."""
        head = StatePacket(
            bytes=len(self.data), rights=self.rights, pid=self.pid, uid=self.uid, gid=self.gid,
            from_bytes=len(self.sender),
        )  # fmt: skip
        return head.pack() + self.sender + self.data


@dataclass(frozen=True, slots=True)
class SocketState(KernelRecord):
    """Seen through descriptor `object` of process `pid`. socket, peer: identities; charged, limit in bytes."""

    KIND: ClassVar[State] = State.SOCKET
    pid: int
    object: int
    socket: int
    peer: int
    domain: int
    type: int
    protocol: int
    phase: Phase
    flags: SocketFlag | int
    error: int
    charged: int
    limit: int
    backlog: int
    backlog_max: int
    local: bytes
    remote: bytes
    packets: tuple[SocketPacket, ...]

    def record(self) -> bytes:
        """state_socket and the packets."""
        head = StateSocket(
            socket=self.socket,
            peer=self.peer,
            domain=self.domain,
            type=self.type,
            protocol=self.protocol,
            state=self.phase,
            flags=int(self.flags),
            error=self.error,
            charged=self.charged,
            limit=self.limit,
            backlog=self.backlog,
            backlog_max=self.backlog_max,
            packets=len(self.packets),
            local_bytes=len(self.local),
            remote_bytes=len(self.remote),
            local=tuple(self.local.ljust(128, b"\0")),
            remote=tuple(self.remote.ljust(128, b"\0")),
        )
        return head.pack() + b"".join(p.record() for p in self.packets)

    @classmethod
    def of_record(cls, pid: int, object: int, record: bytes) -> Self:
        """From state_socket."""
        r = StateSocket.unpack(record)
        at, packets = StateSocket.BYTES, []
        for _ in range(r.packets):
            p = StatePacket.unpack(record, at)
            at += StatePacket.BYTES
            sender, data = record[at : at + p.from_bytes], record[at + p.from_bytes : at + p.from_bytes + p.bytes]
            at += p.from_bytes + p.bytes
            packets.append(SocketPacket(data, p.rights, p.pid, p.uid, p.gid, sender))
        if at != len(record):
            raise SnapshotError(f"a socket's record has {len(record)} bytes, its packets end at {at}")
        return cls(
            pid=pid,
            object=object,
            socket=r.socket,
            peer=r.peer,
            domain=r.domain,
            type=r.type,
            protocol=r.protocol,
            phase=Phase(r.state),
            flags=r.flags,
            error=r.error,
            charged=r.charged,
            limit=r.limit,
            backlog=r.backlog,
            backlog_max=r.backlog_max,
            local=bytes(r.local[: r.local_bytes]),
            remote=bytes(r.remote[: r.remote_bytes]),
            packets=tuple(packets),
        )
