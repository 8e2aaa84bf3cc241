"""Indexes of lazy layers, and the fetcher: what it asks for, what it refuses, what it says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tidemark_py.abi.gen.messages import LayerProgress
from tidemark_py.dev import layer_build
from tidemark_py.dev.server import byte_range
from tidemark_py.errors import LayerError
from tidemark_py.host.fake import FakeHost, FakeKernel
from tidemark_py.layers import Layer, LayerWriter
from tidemark_py.layers.lazy import LazyLayer, index_file
from tidemark_py.roles import layer_fetcher
from tidemark_py.roles.layer_fetcher import LayerFetcher

URL = "http://x/layers/a.tdx?key=1"
SHIFT = 12
CHUNK = 1 << SHIFT


def layer(pages: int = 32) -> Layer:
    """One file."""
    writer = LayerWriter()
    writer.file("f", b"".join(bytes([n]) * CHUNK for n in range(pages)))
    return writer.build({"spec": "test"})


def parsed(offset: int = 0) -> LazyLayer:
    return LazyLayer.parse(index_file(layer(), "blobs/b", offset, SHIFT), URL)


def test_index_round_trip_and_where_the_blob_is() -> None:
    lazy = parsed(100)
    assert (lazy.url, lazy.offset) == ("http://x/layers/blobs/b?key=1", 100)
    assert (lazy.index, lazy.blob_bytes, len(lazy.hashes)) == (layer().index, 32 * CHUNK, 32)
    assert LazyLayer.parse(index_file(layer(), "/b?own=2"), URL).url == "http://x/b?own=2"


def test_damaged_indexes_are_refused_by_name() -> None:
    data = bytearray(index_file(layer(), "b", 0, SHIFT))
    data[-1] ^= 1
    with pytest.raises(LayerError, match="the index is corrupted"):
        LazyLayer.parse(bytes(data), URL)
    with pytest.raises(LayerError, match="not the index of a lazy layer"):
        LazyLayer.parse(b"".join(layer().dump()), URL)
    text = index_file(layer(), "b", 0, SHIFT).replace(b'"chunk_shift":12', b'"chunk_shift":13')
    with pytest.raises(LayerError, match="chunks are not those"):
        LazyLayer.parse(text, URL)
    with pytest.raises(LayerError, match="cut off"):
        LazyLayer.parse(bytes(data[:-8]), URL)


class Blobs(FakeKernel):
    """The kernel's side of fetching: chunks in a set of wanted ones, and what was published."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.state = ["absent"] * chunks
        self.here: dict[int, bytes] = {}
        self.placed = 0

    def want(self, *chunks: int) -> None:
        self.asked += chunks

    def tk_fetch_next(self) -> float:
        if not self.asked:
            return -1
        chunk = self.asked.pop(0)
        self.state[chunk] = "fetching"
        return float((1 << 32) + chunk)

    def tk_fetch_claim(self, blob: float, chunk: float) -> int:
        if self.state[int(chunk)] != "absent":
            return 0
        self.state[int(chunk)] = "fetching"
        return 1

    def tk_fetch_place(self, blob: float, chunk: float) -> int:
        self.placed = int(chunk)
        return 1 if self.state[int(chunk)] == "fetching" else 0

    def poke(self, address: int, data: object) -> None:
        assert isinstance(data, (bytes, memoryview))
        self.here[self.placed] = bytes(data)

    def tk_fetch_done(self, blob: float, chunk: float, ok: float) -> int:
        if self.state[int(chunk)] == "fetching":
            self.state[int(chunk)] = "here" if ok else "failed"
        return 0


class Bench:
    """A fetcher on a fake host with one layer."""

    def __init__(self, offset: int = 0) -> None:
        self.kernel = Blobs(32)
        self.host = FakeHost(self.kernel)
        self.said: list[LayerProgress] = []
        self.lines: list[str] = []
        self.lazy = parsed(offset)
        self.host.web[self.lazy.url] = bytes(offset) + bytes(layer().blob)
        self.fetcher = LayerFetcher(self.kernel, self.host, self.said.append, self.lines.append)
        self.fetcher.add(1, self.lazy)

    async def bring(self, *chunks: int) -> list[tuple[int, int]]:
        """The ranges, in chunks, that it took."""
        before = len(self.host.fetched)
        self.kernel.want(*chunks)
        self.fetcher.wanted()
        while self.fetcher._running:
            await self.fetcher.next_done()
        at = self.lazy.offset
        return [((a - at) // CHUNK, (b - at) // CHUNK) for _, a, b in self.host.fetched[before:]]


async def test_neighbours_come_in_one_request_and_land_where_they_belong() -> None:
    b = Bench(offset=500)
    assert await b.bring(3, 9, 4, 5) == [(3, 6), (9, 10)]
    assert {n: data[0] for n, data in b.kernel.here.items()} == {3: 3, 4: 4, 5: 5, 9: 9}
    assert b.said[-1].here == 4 * CHUNK and b.said[-1].total == 32 * CHUNK and b.said[-1].requests == 2


async def test_what_goes_on_is_read_ahead_further_each_time() -> None:
    b = Bench()
    assert await b.bring(0) == [(0, 1)]
    assert await b.bring(1) == [(1, 3)]
    assert await b.bring(3) == [(3, 6)]
    assert await b.bring(6) == [(6, 11)]
    assert await b.bring(31) == [(31, 32)]  # nothing behind the end


async def test_a_failed_request_is_made_again_and_then_refused_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_fetcher, "RETRY_SECONDS", 0.0)
    b = Bench()
    data = b.host.web.pop(b.lazy.url)
    waiter = b.fetcher.next_done()
    assert await b.bring(1, 2) == [(1, 3), (1, 3)]
    assert b.kernel.state[1:3] == ["failed"] * 2 and not b.kernel.here
    assert "404" in b.lines[0] and len(b.lines) == 1 and "404" in await waiter
    b.host.web[b.lazy.url] = data
    b.kernel.state[1] = "absent"
    assert await b.bring(1) == [(1, 2)] and b.kernel.state[1] == "here"


async def test_bytes_that_are_not_the_index_s_are_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_fetcher, "RETRY_SECONDS", 0.0)
    b = Bench()
    data = bytearray(b.host.web[b.lazy.url])
    data[4 * CHUNK + 5] ^= 1
    b.host.web[b.lazy.url] = bytes(data)
    await b.bring(3, 4)
    assert b.kernel.state[3:5] == ["here", "failed"] and list(b.kernel.here) == [3]
    assert "corrupted" in b.lines[0]


async def test_a_server_without_ranges_is_asked_once() -> None:
    b = Bench(offset=64)
    b.host.has_ranges = False
    await b.bring(7)
    assert b.kernel.state == ["here"] * 32 and b.kernel.here[31][0] == 31
    assert len(b.host.fetched) == 1


async def test_no_more_than_six_requests_at_a_time() -> None:
    b = Bench()
    gate = asyncio.Event()
    most, now = 0, 0
    fetch = b.host.fetch

    async def slow(url: str, start: int = 0, end: int = 0) -> tuple[object, int]:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        return await fetch(url, start, end)

    b.host.fetch = slow  # type: ignore[method-assign]
    b.kernel.want(*range(0, 32, 2))
    b.fetcher.wanted()
    await asyncio.sleep(0)
    gate.set()
    while b.fetcher._running:
        await b.fetcher.next_done()
    assert most == layer_fetcher.REQUESTS and all(s == "here" for s in b.kernel.state[::2])


async def test_a_blob_nobody_knows_is_refused() -> None:
    b = Bench()
    b.fetcher._blobs.clear()
    b.kernel.want(1)
    b.fetcher.wanted()
    assert b.kernel.state[1] == "failed"


def test_layer_command_writes_index_and_blob_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "f").write_bytes(b"x" * 5000)
    built = layer_build.build_layer(f"dir:{tmp_path / 'in'}", tmp_path / "out" / "a.tdx")
    lazy = LazyLayer.parse((tmp_path / "out" / "a.tdx").read_bytes(), "http://x/a.tdx")
    assert lazy.url == f"http://x/blobs/{built.manifest['blob_sha256']}"
    assert (tmp_path / "out" / "blobs" / built.manifest["blob_sha256"]).read_bytes() == bytes(built.blob)


def test_pruning_forgets_what_was_not_used_for_longest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(layer_build, "CACHE", tmp_path)
    for n in range(4):
        (tmp_path / f"{n}.tdl").write_bytes(bytes(1000))
        os.utime(tmp_path / f"{n}.tdl", (1000 + n, 1000 + n))
    (tmp_path / "new.tdl").write_bytes(bytes(1000))
    layer_build.prune(2500)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["3.tdl", "new.tdl"]
    layer_build.prune(10)
    assert [p.name for p in tmp_path.iterdir()] == ["new.tdl"]  # used a moment ago: may be in use


def test_byte_ranges() -> None:
    assert byte_range("bytes=0-9", 100) == (0, 10)
    assert byte_range("bytes=90-", 100) == (90, 100)
    assert byte_range("bytes=90-500", 100) == (90, 100)
    assert byte_range("bytes=-7", 100) == (93, 100)
    assert byte_range("bytes=100-101", 100) == (100, 100)  # not satisfiable
    for whole in (None, "", "bytes=0-1,5-6", "items=0-1", "bytes=x-1", "bytes=-"):
        assert byte_range(whole, 100) is None
