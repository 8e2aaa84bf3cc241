"""Providers: what they resolve to, what is installed, what a lockfile makes again, and every kind of bad mirror."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tidemark_py.dev.oci_build import flat, write_image
from tidemark_py.errors import LayerError
from tidemark_py.layers import Layer, LayerWriter, archive
from tidemark_py.layers.lazy import LazyLayer
from tidemark_py.sdk.providers import (
    Archive,
    Installed,
    LocalSource,
    Lock,
    MemoryCache,
    Oci,
    Progress,
    Provider,
    Response,
    Static,
    install,
)

Files = dict[str, tuple[str, bytes]]


class Target:
    """What Runtime.fs is to install()."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.indexes: list[LazyLayer] = []

    async def apply_layer(self, layer: Any, *, root: int = 0) -> int:
        layer.verify()
        self.layers.append(layer)
        return int(layer.manifest["entries"])

    async def apply_index(self, index: bytes, url: str, *, root: int = 0) -> int:
        self.indexes.append(LazyLayer.parse(index, url))
        return 1

    def files(self) -> Files:
        """path -> (what kind, body or link) of all layers together."""
        found: Files = {}
        for layer in self.layers:
            for e in layer.entries():
                kind = "file" if e.is_file else "link" if e.is_hard_link else oct(e.mode)
                found[e.path] = (kind, layer.body(e) if e.is_file else e.link.encode())
        return found


def tar(members: list[tuple[str, bytes | str | None]], packed: str = "") -> bytes:
    """Bytes: a file; text: a symbolic link; None: a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packed}") as t:  # type: ignore[call-overload]
        for name, body in members:
            info = tarfile.TarInfo(name)
            info.mtime = 1_700_000_000
            if body is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(body, str):
                info.type, info.linkname = tarfile.SYMTYPE, body
            else:
                info.size = len(body)
            t.addfile(info, io.BytesIO(body) if isinstance(body, bytes) else None)
    return out.getvalue()


def image(directory: Path, layers: list[bytes], architecture: str = "riscv64") -> None:
    """An image layout of these tars, every second one gzipped."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media: str, **more: Any) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": media, "digest": f"sha256:{name}", "size": len(data), **more}

    rows, diffs = [], []
    for i, data in enumerate(layers):
        diffs.append(f"sha256:{hashlib.sha256(data).hexdigest()}")
        media = "application/vnd.oci.image.layer.v1.tar"
        rows.append(put(gzip.compress(data, mtime=0), f"{media}+gzip") if i % 2 else put(data, media))
    config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}}
    config_row = put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
    media = "application/vnd.oci.image.manifest.v1+json"
    manifest = put(json.dumps({"schemaVersion": 2, "config": config_row, "layers": rows}).encode(), media)
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


LOWER = tar([("d", None), ("d/old", b"old"), ("d/stays", b"stays"), ("e", None), ("e/x", b"x"), ("bin", "usr/bin")])
UPPER = tar([("d/.wh.old", b""), ("e/.wh..wh..opq", b""), ("e/new", b"new"), ("bin/tool", b"#!"), ("d/stays", b"2")])


async def run(provider: Provider | None, base: Path, **more: Any) -> tuple[Target, Installed]:
    target = Target()
    more.setdefault("cache", MemoryCache())
    more.setdefault("source", LocalSource(base))
    return target, await install(target, provider, **more)


async def test_an_oci_image_is_its_layers_one_on_the_other(tmp_path: Path) -> None:
    image(tmp_path / "image", [LOWER, UPPER])
    target, done = await run(Oci("image"), tmp_path)
    files = target.files()
    names = ["bin", "d", "d/stays", "e", "e/new", "usr", "usr/bin", "usr/bin/tool"]
    assert sorted(files) == names and files["d/stays"][1] == b"2"
    assert done.entries == len(names) and done.fetched == sum(i.bytes for i in done.lock.items)


async def test_a_lockfile_makes_the_same_tree_from_the_cache_alone(tmp_path: Path) -> None:
    image(tmp_path / "image", [LOWER, UPPER])
    cache = MemoryCache()
    first, done = await run(Oci("image"), tmp_path, cache=cache)
    for path in (tmp_path / "image" / "blobs" / "sha256").iterdir():
        path.unlink()
    again, second = await run(None, tmp_path, cache=cache, lock=Lock.loads(done.lock.dumps()))
    assert again.layers[0].sha256 == first.layers[0].sha256 and again.files() == first.files()
    assert (second.fetched, second.lock.tree) == (0, done.lock.tree)


async def test_other_bytes_than_the_lockfile_has_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "files.tar.gz").write_bytes(tar([("a", b"one")], "gz"))
    _, done = await run(Archive("files.tar.gz", "/opt"), tmp_path)
    (tmp_path / "files.tar.gz").write_bytes(tar([("a", b"two")], "gz"))
    with pytest.raises(LayerError, match=r"files\.tar\.gz.*other bytes|has .* bytes"):
        await run(None, tmp_path, lock=done.lock)
    changed = Lock(done.lock.provider, done.lock.items, "0" * 64)
    (tmp_path / "files.tar.gz").write_bytes(tar([("a", b"one")], "gz"))
    with pytest.raises(LayerError, match="tree"):
        await run(None, tmp_path, lock=changed, cache=MemoryCache())


def test_a_malformed_lockfile_is_refused() -> None:
    good = Lock({"provider": "x"}, [], "").dumps()
    assert Lock.loads(good).items == []
    rows: list[Any] = [{"kind": "tar"}, {"kind": "rpm", "name": "", "url": "", "sha256": "0" * 64}, {"other": 1}, 7]
    texts = ["", "{}", good.replace('"version": 1', '"version": 9'), good.replace("tidemark-lock", "package-lock")]
    texts += [json.dumps({**json.loads(good), "items": [row]}) for row in rows]
    for text in texts:
        with pytest.raises(LayerError, match="lockfile"):
            Lock.loads(text)


async def test_archives_go_below_their_prefix(tmp_path: Path) -> None:
    for packed in ("", "gz", "bz2", "xz"):
        (tmp_path / "a.tar").write_bytes(tar([("./dir/file", b"body"), ("dir/link", "file")], packed))
        target, _ = await run(Archive("a.tar", "/opt/x"), tmp_path)
        assert target.files()["opt/x/dir/file"] == ("file", b"body")
        assert target.files()["opt/x/dir/link"][1] == b"file"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as z:
        z.writestr("top/file", "zipped")
    target, _ = await run(Archive("a.zip"), tmp_path)
    assert target.files()["top/file"] == ("file", b"zipped")


def test_a_tar_that_is_streamed_makes_the_same_layer_and_is_refused_when_cut_or_damaged() -> None:
    members: list[tuple[str, bytes | str | None]] = [("dir", None), ("dir/big", bytes(range(256)) * 50), ("l", "dir")]
    plain, last = tar(members), 512 + 512 + 12800  # where the last header is
    whole = LayerWriter()
    archive.add_tar(whole, plain)
    for packed in ("", "gz", "bz2", "xz"):
        data = tar(members, packed)
        w = LayerWriter()
        archive.add_tar_stream(w, archive.stream(io.BytesIO(data)))
        assert w.build({}).sha256 == whole.build({}).sha256
        for end in (0, 3, len(data) // 2, len(data) - 3) if packed else (0, 700, 3000, last + 100):
            with pytest.raises(LayerError, match=r"tar archive|cut off"):
                archive.add_tar_stream(LayerWriter(), archive.stream(io.BytesIO(data[:end])))
    damaged = bytearray(plain)
    damaged[last + 100] ^= 1  # the last member's header
    adders = (archive.add_tar, lambda w, d: archive.add_tar_stream(w, io.BytesIO(d)))
    for add in adders:
        with pytest.raises(LayerError, match="damaged"):
            add(LayerWriter(), bytes(damaged))


async def test_a_cache_in_memory_forgets_what_came_first() -> None:
    cache = MemoryCache(limit=10)
    for name, size, left in (
        ("a", 4, "a"),
        ("b", 4, "ab"),
        ("b", 6, "ab"),
        ("c", 5, "c"),
        ("d", 5, "cd"),
        ("e", 1, "de"),
    ):
        assert await cache.put(name, bytes(size)) and "".join(sorted(cache.bodies)) == left
    assert not await cache.put("f", bytes(11)) and await cache.get("d") == bytes(5)
    await cache.remove("d")
    await cache.remove("none")
    assert await cache.put("g", bytes(9)) and sorted(cache.bodies) == ["e", "g"]


async def test_static_layers_and_indexes(tmp_path: Path) -> None:
    w = LayerWriter()
    w.file("hello", "hi")
    (tmp_path / "one.tdl").write_bytes(b"".join(w.build({"spec": "one"}).dump()))
    target, done = await run(Static(["one.tdl"]), tmp_path)
    assert target.files()["hello"][1] == b"hi"
    again, _ = await run(None, tmp_path, lock=done.lock)
    assert again.layers[0].sha256 == target.layers[0].sha256


def big_layer() -> Layer:
    w = LayerWriter(1_700_000_000_123_456_789)
    w.file("a/large", bytes(range(256)) * 2000, 0o755)
    w.file("a/small", b"small")
    w.file("empty", b"")
    w.symlink("a/" + "long" * 40, "small")
    w.file("same", b"small")
    return w.build({"spec": "big"})


async def test_an_image_made_here_is_read_whole_and_lazily(tmp_path: Path) -> None:
    layer = big_layer()
    write_image(layer, tmp_path / "image")
    whole = await asyncio.to_thread(flat, str(tmp_path / "image"))
    assert [(e.path, e.mode, e.mtime_ns, e.link) for e in whole.entries()] == [
        (e.path, e.mode, e.mtime_ns, e.link) for e in layer.entries()
    ]
    target, done = await run(Oci("image"), tmp_path)
    (lazy,) = target.indexes
    assert [i.kind for i in done.lock.items] == ["index"] and lazy.members is not None
    blob = (await LocalSource().get(lazy.url)).data
    tar_bytes = b"".join(gzip.decompress(blob[slice(*lazy.place(i, i + 1))]) for i in range(len(lazy.hashes)))
    assert gzip.decompress(blob) == tar_bytes and len(tar_bytes) == lazy.blob_bytes
    for e in Layer({}, lazy.index, tar_bytes).entries():
        if e.is_file:
            original = next(o for o in layer.entries() if o.path == e.path)
            assert e.offset % 4096 == 0 and tar_bytes[e.offset : e.offset + e.size] == layer.body(original)


class Mirror(LocalSource):
    """Does not always do what it is asked."""

    def __init__(self, base: Path, ranges: bool = True, break_after: int = 1 << 60, lie: bool = False) -> None:
        super().__init__(base)
        self.ranges, self.left, self.lie = ranges, break_after, lie
        self.requests: list[tuple[int, int]] = []

    async def get(self, url: str, start: int = 0, end: int = 0, headers: Mapping[str, str] | None = None) -> Response:
        self.requests.append((start, end))
        if not self.left:
            raise OSError("the connection was reset")
        self.left -= 1
        answer = await super().get(url, start if self.ranges else 0, end if self.ranges else 0)
        return Response(answer.data[:-1] + b"!", answer.start, answer.status) if self.lie and end else answer


async def test_an_installation_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    w = LayerWriter()
    w.file("big", b"0123456789abcdef" * (9 << 16))
    (tmp_path / "big.tdl").write_bytes(b"".join(w.build({"spec": "big"}).dump()))
    _, done = await run(Static(["big.tdl"]), tmp_path)
    cache, broken = MemoryCache(), Mirror(tmp_path, break_after=2)
    with pytest.raises(LayerError, match=r"big\.tdl.*reset"):
        await run(None, tmp_path, lock=done.lock, cache=cache, source=broken)
    good = Mirror(tmp_path)
    seen: list[Progress] = []
    _, rest = await run(None, tmp_path, lock=done.lock, cache=cache, source=good, progress=seen.append)
    assert good.requests[0][0] == 8 << 20 and rest.fetched + rest.cached == done.lock.items[0].bytes
    assert [p.step for p in seen][-1] == "apply" and {p.step for p in seen} >= {"plan", "fetch", "verify", "apply"}
    assert list(cache.bodies) == [done.lock.items[0].sha256]  # the pieces are gone
    whole, without = MemoryCache(), Mirror(tmp_path, ranges=False)
    await run(None, tmp_path, lock=done.lock, cache=whole, source=without)
    assert len(without.requests) == 1
    with pytest.raises(LayerError, match="other bytes"):
        await run(None, tmp_path, lock=done.lock, source=Mirror(tmp_path, lie=True))
    liar = MemoryCache()
    await liar.put(done.lock.items[0].sha256, b"not this")
    assert (await run(None, tmp_path, lock=done.lock, cache=liar))[1].fetched == done.lock.items[0].bytes


async def test_bad_images_are_refused_by_what_is_wrong(tmp_path: Path) -> None:
    cases: dict[str, str] = {}
    image(tmp_path / "other", [LOWER], "amd64")
    cases["other"] = "amd64"
    image(tmp_path / "changed", [LOWER])
    next(p for p in (tmp_path / "changed/blobs/sha256").iterdir() if p.stat().st_size > 5000).write_bytes(b"changed")
    cases["changed"] = "bytes"
    image(tmp_path / "outside", [tar([("../up", b"")])])
    cases["outside"] = "leads outside"
    image(tmp_path / "cut", [LOWER[:700]])
    cases["cut"] = "tar"
    (tmp_path / "nothing").mkdir()
    cases["nothing"] = "404"
    image(tmp_path / "unnamed", [LOWER])
    (tmp_path / "unnamed/index.json").write_text('{"manifests": [{"digest": "md5:1"}]}')
    cases["unnamed"] = "sha256"
    for name, text in cases.items():
        target = Target()
        with pytest.raises(LayerError, match=text):
            await install(target, Oci(name), source=LocalSource(tmp_path), cache=MemoryCache())
        assert not target.layers
