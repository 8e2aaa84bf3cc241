"""RuntimeNet: `rt.net`. Connections from the page to guests' servers, and from guests to what the policy allows.

    reader, writer = await rt.net.connect(8000)          # a guest listens there
    rt.net.policy.allow("example.org", ports=[80, 443])
    await rt.net.use(WispBackend("wss://relay.example.org/"))

Until use() nothing leaves: connect(2) beyond loopback says ENETUNREACH. Afterwards the policy is asked; what it denies
is EPERM, as behind a firewall. Either way the audit log (policy.log) names it.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from ..abi.gen import linux
from ..abi.gen import messages as m
from ..channel.port import Port
from . import names
from .policy import Policy

__all__ = ["Backend", "Connection", "GuestStream", "NetEvents", "RuntimeNet"]

CHUNK_BYTES = 262144
RESOLV_CONF = "# names are looked up by the page around this machine\nnameserver 127.0.0.1\n"
UDP = 17
SOCKETS_REMEMBERED = 1000


class Connection(Protocol):
    """What a backend connects to."""

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""

    async def write(self, data: bytes) -> None:
        """Returns when more may be written."""

    async def write_eof(self) -> None:
        """No more is written."""

    async def close(self) -> None:
        """The end, at once."""


class Backend(Protocol):
    """A way out. It takes names as they are: nothing here resolves."""

    async def connect(self, host: str, port: int) -> Connection:
        """Raises OSError with the errno that the guest's connect(2) shall give."""


class GuestStream:
    """The page's end of a socket of init's: a Connection, and the page's way to a guest's server."""

    def __init__(self, port: Port, fd: int) -> None:
        self._port = port
        self._fd = fd
        self._closed = False

    async def read(self, size: int = CHUNK_BYTES) -> bytes:
        """1..size bytes; b"" at the end."""
        if self._closed:
            return b""
        data: bytes = (await self._port.request(m.StreamRead(self._fd, size))).data
        return data

    async def write(self, data: bytes) -> None:
        """When all was accepted. Raises BrokenPipeError, ConnectionResetError."""
        await self._port.request(m.StreamWrite(self._fd, data))

    async def write_eof(self) -> None:
        """shutdown(2) of the writing side."""
        with suppress(OSError):
            await self._port.request(m.NetShutdown(self._fd))

    async def close(self) -> None:
        """close(2)"""
        if not self._closed:
            self._closed = True
            with suppress(OSError):
                await self._port.request(m.StreamClose(self._fd))

    async def reset(self) -> None:
        """The end of one that was cut: the guest reads ECONNRESET behind what came before."""
        if not self._closed:
            self._closed = True
            with suppress(OSError):
                await self._port.request(m.NetReset(self._fd))


class RuntimeNet:
    """Made by Runtime. program_of: pid -> path of its executable, or ""."""

    def __init__(self, port: Callable[[], Port], program_of: Callable[[int], Awaitable[str]]) -> None:
        self.policy = Policy()
        self.backend: Backend | None = None
        self.hosts: dict[str, str] = {}  # name: where it is, as the backend shall be told (like /etc/hosts)
        self._port = port
        self._program_of = program_of
        self._names = names.NameTable()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[int], Any]] = []
        self._no_sockets: dict[tuple[int, str], None] = {}

    # ---- to guests ----

    async def connect(self, port: int, host: str = "127.0.0.1") -> GuestStream:
        """A connection to a guest's listening socket. Raises ConnectionRefusedError."""
        if not 0 < port < 65536:
            raise ValueError(f"no port: {port}")
        fd = (await self._port().request(m.NetConnect(host, port))).connection
        return GuestStream(self._port(), fd)

    def on_listen(self, heard: Callable[[int], Any]) -> None:
        """Call `heard(port)` whenever a guest begins to listen on a port."""
        self._listeners.append(heard)

    # ---- to the outside ----

    async def use(self, backend: Backend | None, *, root: int = 0) -> None:
        """The way out from now on; None: none any more. The tree's /etc/resolv.conf names the page's resolver."""
        if backend is not None:
            await self._port().request(m.NetOpen(True))
            await self._port().request(m.FsWriteFiles(root, ["/etc/resolv.conf"], [RESOLV_CONF.encode()], 0o644))
        else:
            await self._port().request(m.NetOpen(False))
        self.backend = backend

    # ---- told by the kernel worker ----

    def listening(self, port: int) -> None:
        """A guest listens."""
        for heard in self._listeners:
            heard(port)

    def asked(self, connection: int, address: str, port: int, pid: int) -> None:
        """A guest wants to connect."""
        self._start(self._connect(connection, address, port, pid))

    def queried(self, query: int, data: bytes) -> None:
        """A guest looks a name up."""
        self._start(self._resolve(query, data))

    def refused(self, pid: int, host: str, port: int, protocol: int) -> None:
        """The kernel had no way out for it."""
        what = "datagram" if protocol == UDP else "connect"
        self.policy.note(what, host, port, pid, "", False, "there is no way out for it: rt.net.use(backend)")

    def no_socket(self, pid: int, family: int, kind: int, protocol: int) -> None:
        """A socket of a kind that is not there; told once a process."""
        host = f"{_called('AF_', family)} {_called('SOCK_', kind)} {protocol}"
        if (pid, host) not in self._no_sockets:
            self._no_sockets[pid, host] = None
            if len(self._no_sockets) > SOCKETS_REMEMBERED:
                del self._no_sockets[next(iter(self._no_sockets))]
            self.policy.note("socket", host, 0, pid, "", False, "guests have TCP, UDP and UNIX sockets only")

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, query: int, data: bytes) -> None:
        try:
            name, kind = names.question(data)
        except (ValueError, UnicodeDecodeError):
            reply = names.answer(data, names.FORMAT_ERROR)
        else:
            if not self.policy.decide("resolve", name, 0, 0, ""):
                reply = names.answer(data, names.REFUSED)
            elif kind in (names.A, names.ANY):
                reply = names.answer(data, names.NO_ERROR, self._names.address(name))
            else:
                reply = names.answer(data, names.NO_ERROR)
        await self._port().request(m.NetReply(query, reply))

    async def _connect(self, connection: int, address: str, port: int, pid: int) -> None:
        host = self._names.name(address)
        kernel = self._port()
        guest = GuestStream(kernel, connection)
        try:
            program = await self._program_of(pid)
            if not self.policy.decide("connect", host, port, pid, program):
                await kernel.request(m.NetAnswer(connection, errno_on_linux(errno.EPERM)))
                return
            try:
                if self.backend is None:
                    raise OSError(errno.ENETUNREACH, "there is no backend")
                outside = await self.backend.connect(self.hosts.get(host, host), port)
            except OSError as e:
                self.policy.note("connect", host, port, pid, program, False, f"the backend says: {e.strerror or e}")
                await kernel.request(m.NetAnswer(connection, errno_on_linux(e.errno or errno.EHOSTUNREACH)))
                return
        except Exception:
            await guest.close()
            raise
        try:
            await kernel.request(m.NetAnswer(connection, 0))
        except OSError:  # it gave up
            await outside.close()
            return
        await join(guest, outside)


class NetEvents:
    """What the kernel worker tells of the network: the part of the page's handler that is about it."""

    net: RuntimeNet

    def net_asked(self, message: m.NetAsked) -> None:
        """A guest wants out."""
        self.net.asked(message.connection, message.address, message.port, message.pid)

    def net_queried(self, message: m.NetQueried) -> None:
        """A guest looks a name up."""
        self.net.queried(message.query, message.data)

    def net_refused(self, message: m.NetRefused) -> None:
        """A guest found no way out."""
        self.net.refused(message.pid, message.address, message.port, message.protocol)

    def net_no_socket(self, message: m.NetNoSocket) -> None:
        """A guest asked for a socket that is not there."""
        self.net.no_socket(message.pid, message.family, message.kind, message.protocol)

    def net_listening(self, message: m.NetListening) -> None:
        """A guest listens."""
        self.net.listening(message.port)


def _called(prefix: str, number: int) -> str:
    """AF_PACKET, SOCK_RAW: Linux' name of a number, or the number."""
    names_of = (
        k for k, v in vars(linux).items() if k.startswith(prefix) and v == number and "_" not in k[len(prefix) :]
    )
    return next(names_of, f"{prefix}{number}")


def errno_on_linux(number: int) -> int:
    """This Python's errno as Linux numbers it (Emscripten has its own)."""
    from ..abi.gen.abi import Errno

    name = errno.errorcode.get(number, "EHOSTUNREACH")
    return int(Errno[name]) if name in Errno.__members__ else int(Errno.EHOSTUNREACH)


async def join(guest: GuestStream, outside: Connection) -> None:
    """Bytes both ways until both sides have ended, or one has failed: then the guest's is reset, not ended."""

    async def pump(source: Connection, target: Connection) -> None:
        while data := await source.read():
            await target.write(data)
        await target.write_eof()

    both = [asyncio.ensure_future(pump(guest, outside)), asyncio.ensure_future(pump(outside, guest))]
    try:
        await asyncio.gather(*both)
    except OSError:
        await guest.reset()
    finally:
        for task in both:
            task.cancel()
        await guest.close()
        await outside.close()
