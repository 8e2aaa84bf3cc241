"""Names, the policy and the wisp backend, each on its own."""

from __future__ import annotations

import asyncio
import errno
import struct

import pytest

from tidemark_py.net import names
from tidemark_py.net.outside import join
from tidemark_py.net.policy import Policy, Rule
from tidemark_py.net.wisp import WispBackend

QUERY = bytes.fromhex("abcd01000001000000000000") + b"\3www\7example\3org\0" + bytes.fromhex("00010001")


def test_a_query_is_read_and_answered() -> None:
    """RFC 1035 sections 4.1.1 to 4.1.3."""
    assert names.question(QUERY) == ("www.example.org", names.A)
    reply = names.answer(QUERY, names.NO_ERROR, "198.18.0.1")
    assert reply[:12] == bytes.fromhex("abcd81800001000100000000")
    assert reply[12:33] == QUERY[12:]
    assert reply[-4:] == bytes([198, 18, 0, 1])
    assert names.answer(QUERY, names.REFUSED)[:12] == bytes.fromhex("abcd81850001000000000000")


@pytest.mark.parametrize("cut", range(len(QUERY)))
def test_a_query_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ValueError):
        names.question(QUERY[:cut])
    assert len(names.answer(QUERY[:cut], names.FORMAT_ERROR)) >= 12


def test_an_address_stands_for_one_name() -> None:
    table = names.NameTable()
    first = table.address("A.example.org.")
    assert table.address("a.example.org") == first
    assert table.name(first) == "a.example.org"
    assert table.address("b.example.org") != first
    assert table.name("10.0.0.1") == "10.0.0.1"


def test_rules() -> None:
    assert Rule("*.example.org").matches("www.example.org", 1, "")
    assert not Rule("*.example.org").matches("example.org", 1, "")
    assert not Rule("example.org").matches("example.org.evil.net", 1, "")
    assert Rule("10.0.0.0/8").matches("10.255.0.1", 1, "")
    assert not Rule("10.0.0.0/8").matches("www.example.org", 1, "")
    assert not Rule("*", program="/usr/bin/git").matches("example.org", 1, "")
    policy = Policy()
    assert not policy.decide("connect", "example.org", 80, 7, "/bin/sh")
    policy.allow("example.org", ports=[80])
    assert policy.decide("connect", "example.org", 80, 7, "/bin/sh")
    assert not policy.decide("connect", "example.org", 443, 7, "/bin/sh")
    assert [e.allowed for e in policy.log] == [False, True, False]
    with pytest.raises(ValueError):
        policy.allow("example.org", ports=[0])


class Relay:
    """The other side of a wisp WebSocket."""

    def __init__(self) -> None:
        self.out: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.packets: list[tuple[int, int, bytes]] = []
        self.tell(3, 0, struct.pack("<I", 2))

    def tell(self, kind: int, number: int, rest: bytes) -> None:
        self.out.put_nowait(struct.pack("<BI", kind, number) + rest)

    async def receive(self) -> bytes | None:
        return await self.out.get()

    def send(self, data: bytes) -> None:
        kind, number = struct.unpack_from("<BI", data)
        self.packets.append((kind, number, data[5:]))

    def close(self) -> None:
        self.out.put_nowait(None)


def test_wisp_carries_streams_with_back_pressure() -> None:
    async def main() -> None:
        relay = Relay()

        async def opener(url: str) -> Relay:
            assert url == "ws://relay/"
            return relay

        backend = WispBackend("ws://relay/", opener)
        stream = await backend.connect("example.org", 80)
        assert relay.packets == [(1, 1, b"\x01\x50\x00example.org")]
        await stream.write(b"one")
        await stream.write(b"two")
        third = asyncio.ensure_future(stream.write(b"three"))
        await asyncio.sleep(0.01)
        assert not third.done()  # the relay takes two packets
        relay.tell(3, 1, struct.pack("<I", 1))
        await third
        assert [p[2] for p in relay.packets[1:]] == [b"one", b"two", b"three"]
        relay.tell(2, 1, b"answer")
        relay.tell(4, 1, b"\x02")
        assert [await stream.read(), await stream.read()] == [b"answer", b""]
        refused = await backend.connect("closed.example.org", 80)
        relay.tell(4, 2, b"\x44")
        with pytest.raises(OSError) as e:
            await refused.read()
        assert e.value.errno == errno.ECONNREFUSED
        cut = await backend.connect("example.org", 81)
        relay.close()
        with pytest.raises(ConnectionResetError):
            await cut.read()

    asyncio.run(main())


def test_a_relay_that_says_nothing_is_given_up() -> None:
    async def main() -> None:
        relay = Relay()
        relay.out = asyncio.Queue()

        async def opener(_: str) -> Relay:
            return relay

        with pytest.raises(TimeoutError) as e:
            await WispBackend("ws://silent/", opener, open_seconds=0.01).connect("example.org", 80)
        assert e.value.errno == errno.ETIMEDOUT and "ws://silent/ says nothing" in str(e.value)

    asyncio.run(main())


class Guest:
    """A guest's end: sends `sends`, keeps how it ended."""

    def __init__(self, *sends: bytes) -> None:
        self.sends = [*sends]
        self.got = b""
        self.ended: list[str] = []

    async def read(self) -> bytes:
        if not self.sends:
            await asyncio.Event().wait()
        return self.sends.pop(0)

    async def write(self, data: bytes) -> None:
        self.got += data

    async def write_eof(self) -> None:
        self.ended.append("eof")

    async def close(self) -> None:
        self.ended.append("close")

    async def reset(self) -> None:
        self.ended.append("reset")


def test_what_was_cut_outside_is_a_reset_inside() -> None:
    """So that a download without a length is not taken for whole."""

    class Cut(Guest):
        async def read(self) -> bytes:
            if self.sends:
                return self.sends.pop(0)
            raise ConnectionResetError(errno.ECONNRESET, "the relay's connection was lost")

    async def main() -> None:
        guest, outside = Guest(), Cut(b"half")
        await asyncio.wait_for(join(guest, outside), 60)  # type: ignore[arg-type]
        assert (guest.got, guest.ended, outside.ended) == (b"half", ["reset", "close"], ["close"])
        guest, whole = Guest(b""), Guest(b"all", b"")
        await asyncio.wait_for(join(guest, whole), 60)  # type: ignore[arg-type]
        assert (guest.got, guest.ended) == (b"all", ["eof", "close"])

    asyncio.run(main())
