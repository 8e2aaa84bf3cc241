"""File layers: written, read back, checked; and what replaces Debian's maintainer scripts."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from tidemark_py.abi.gen.abi import LayerEntry, LayerFile, LayerHeader
from tidemark_py.dev import layer_build, pycache
from tidemark_py.errors import LayerError
from tidemark_py.layers import Entry, Layer, LayerWriter, debian, unpack
from tidemark_py.layers.format import PAGE_BYTES


def small() -> Layer:
    """A directory, two files with one body, an empty one, both kinds of link."""
    w = LayerWriter()
    w.symlink("bin", "usr/bin")
    w.file("usr/bin/tool", b"#!/bin/sh\n", 0o755)
    w.file("etc/same", b"#!/bin/sh\n", uid=5, gid=6)
    w.file("etc/empty", b"")
    w.add(Entry("bin/hard", 0, link="usr/bin/tool"))
    w.symlink("etc/link", "/etc/same")
    w.directory("tmp", 0o1777)
    return w.build({"spec": "test"})


def dumped(layer: Layer) -> bytes:
    """The file's bytes."""
    return b"".join(layer.dump())


def test_round_trip_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "x.tdl"
    path.write_bytes(dumped(small()))
    for source in (path, dumped(small()), gzip.compress(dumped(small()))):
        layer = Layer.load(source)
        layer.verify()
        e = {e.path: e for e in layer.entries()}
        assert layer.body(e["usr/bin/tool"]) == b"#!/bin/sh\n" == layer.body(e["etc/same"])
        assert (e["etc/same"].uid, e["etc/same"].gid) == (5, 6)
        assert stat.S_ISLNK(e["bin"].mode) and e["bin"].link == "usr/bin"
        assert e["usr/bin/hard"].is_hard_link and e["usr/bin/hard"].link == "usr/bin/tool"
        assert stat.S_IMODE(e["tmp"].mode) == 0o1777


def test_bodies_start_on_pages_and_equal_ones_are_shared() -> None:
    layer = small()
    offsets = {e.path: e.offset for e in layer.entries() if e.is_file and e.size}
    assert all(o % PAGE_BYTES == 0 for o in offsets.values())
    assert offsets["usr/bin/tool"] == offsets["etc/same"]
    head = LayerFile.unpack(dumped(layer))
    assert head.blob_offset % PAGE_BYTES == 0


def test_parents_come_first_and_hard_links_last() -> None:
    seen: set[str] = {""}
    for e in small().entries():
        assert e.path.rpartition("/")[0] in seen
        assert not e.is_hard_link or e.link in seen
        seen.add(e.path)


def test_same_input_gives_same_bytes_whatever_the_order() -> None:
    one, two = LayerWriter(), LayerWriter()
    files = [("b/x", b"1"), ("a/y", b"2" * 5000), ("c", b"1")]
    for w, order in ((one, files), (two, files[::-1])):
        for name, body in order:
            w.file(name, body)
    assert dumped(one.build({})) == dumped(two.build({}))


def test_a_corrupted_body_is_named() -> None:
    data = bytearray(dumped(small()))
    at = data.index(b"#!/bin/sh\n")
    data[at] ^= 1
    with pytest.raises(LayerError, match="/etc/same is corrupted"):
        Layer.load(bytes(data)).verify()


def test_padding_and_index_are_checked_too() -> None:
    data = bytearray(dumped(small()))
    data[-1] ^= 1
    with pytest.raises(LayerError, match="between its files"):
        Layer.load(bytes(data)).verify()
    data = bytearray(dumped(small()))
    head = LayerFile.unpack(data)
    data[head.index_offset + LayerHeader.BYTES + LayerEntry.BYTES] ^= 1
    with pytest.raises(LayerError, match="index is corrupted"):
        Layer.load(bytes(data)).verify()


@pytest.mark.parametrize("n", [0, 1, 63, 64, 200, -1])
def test_a_cut_off_file_is_refused(n: int, tmp_path: Path) -> None:
    data = dumped(small())
    path = tmp_path / "cut.tdl"
    path.write_bytes(data[:n] if n >= 0 else data[:-1])
    with pytest.raises(LayerError, match=r"cut\.tdl"):
        Layer.load(path)


def test_an_index_that_leads_outside_is_refused() -> None:
    import hashlib

    for path in ("../x", "a/../b", "/abs", "a//b"):
        w = LayerWriter()
        w.file("a/b", b"x")
        layer = w.build({})
        evil = layer.index.replace(b"a/b", path.encode()[:3].ljust(3, b"."))
        layer.index = evil
        layer.manifest["index_sha256"] = hashlib.sha256(evil).hexdigest()
        with pytest.raises(LayerError):
            layer.verify()


def test_names_go_through_links() -> None:
    w = LayerWriter()
    w.symlink("lib", "usr/lib")
    w.file("lib/a/b", b"x")
    w.directory("lib/a", 0o700)
    assert sorted(w.files) == ["lib", "usr", "usr/lib", "usr/lib/a", "usr/lib/a/b"]
    assert w.find("/lib/a/../a/b") == w.files["usr/lib/a/b"]
    w.symlink("round", "round")
    assert w.find("round") is None
    with pytest.raises(LayerError, match="too many links"):
        w.file("round/x", b"")


def test_unpack_writes_what_was_packed(tmp_path: Path) -> None:
    unpack(small(), tmp_path / "root")
    root = tmp_path / "root"
    assert (root / "bin/tool").read_bytes() == b"#!/bin/sh\n"
    assert os.access(root / "bin/tool", os.X_OK)
    assert (root / "bin/hard").stat().st_ino == (root / "bin/tool").stat().st_ino
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_directory_and_tar_give_the_same_files(tmp_path: Path) -> None:
    source = tmp_path / "d"
    (source / "sub").mkdir(parents=True)
    (source / "sub/f").write_text("body")
    (source / "sub/f").chmod(0o640)
    os.link(source / "sub/f", source / "g")
    (source / "l").symlink_to("sub/f")
    archive = tmp_path / "d.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("sub", "sub/f", "g", "l"):
            tar.add(source / name, name, recursive=False)
    for spec in (f"dir:{source}", f"tar:{archive}"):
        layer = Layer.load(layer_build.layer_file(spec, layer_build.Options(progress=lambda _: None)))
        layer.verify()
        e = {e.path: e for e in layer.entries()}
        assert set(e) == {"sub", "sub/f", "g", "l"}
        first = e["g"] if e["sub/f"].is_hard_link else e["sub/f"]
        assert layer.body(first) == b"body" and stat.S_IMODE(first.mode) == 0o640
        assert e["sub/f"].is_hard_link != e["g"].is_hard_link


def test_a_tar_that_leads_outside_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        m = tarfile.TarInfo("a/../../etc/x")
        m.size = 1
        tar.addfile(m, io.BytesIO(b"x"))
    with pytest.raises(layer_build.SpecError, match="leads outside"):
        layer_build.layer_file(f"tar:{archive}")


@pytest.mark.parametrize("spec", ["nonsense", "dir:/nonexistent", "tar:/nonexistent", "deb:"])
def test_a_bad_spec_says_why(spec: str) -> None:
    with pytest.raises(layer_build.SpecError):
        layer_build.layer_file(spec)


def test_alternatives_are_read_from_postinst_texts() -> None:
    text = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
  update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/gawk 10 \\
    --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/gawk.1.gz \\
    --slave /usr/bin/nawk nawk /usr/bin/gawk || true
  update-alternatives --install /usr/bin/$x $x /usr/bin/y 5
fi
# update-alternatives --install /no no /no 1
"""
    (a,) = debian.parse_alternatives(text)
    assert (a.link, a.name, a.path, a.priority) == ("/usr/bin/awk", "awk", "/usr/bin/gawk", 10)
    assert [s[1] for s in a.slaves] == ["awk.1.gz", "nawk"]


def test_the_best_alternative_wins_and_sh_is_there() -> None:
    w = LayerWriter()
    debian.skeleton(w)
    for name in ("gawk", "mawk", "bash"):
        w.file(f"usr/bin/{name}", b"\x7fELF", 0o755)
    packages = [
        debian.Unpacked(n, "1", "riscv64", f"Package: {n}\nVersion: 1", f"update-alternatives --install {line}")
        for n, line in (("gawk", "/usr/bin/awk awk /usr/bin/gawk 10"), ("mawk", "/usr/bin/awk awk /usr/bin/mawk 5"))
    ]
    debian.finish(w, packages)
    assert w.files["usr/bin/awk"].link == "/etc/alternatives/awk"
    assert w.files["etc/alternatives/awk"].link == "/usr/bin/gawk"
    found = w.find("bin/sh")
    assert found and found.path == "usr/bin/bash"
    status = w.read(w.files["var/lib/dpkg/status"]).decode()
    assert "Package: gawk\nStatus: install ok installed\nVersion: 1\n" in status
    assert stat.S_IMODE(w.files["tmp"].mode) == 0o1777


def test_busybox_applets_come_from_its_own_table() -> None:
    table = b"junk\0[\0[[\0acpid\0ar\0ash\0zcat\0\0after\0"
    assert debian.busybox_applets(table) == ["[", "[[", "acpid", "ar", "ash", "zcat"]
    assert debian.busybox_applets(b"nothing") == []


def test_python_sources_are_compiled_once_with_their_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter stands in for itself: a script that says what it was asked to do."""
    monkeypatch.setattr(pycache, "CACHE", tmp_path)
    calls: list[list[str]] = []

    def compile_all(w: LayerWriter, python: Entry, missing: list[Entry], kept: dict[str, Path]) -> None:
        calls.append(sorted(e.path for e in missing))
        for e in missing:
            kept[e.path].write_bytes(b"" if "bad" in e.path else b"compiled " + w.read(e))

    monkeypatch.setattr(pycache, "_compile", compile_all)

    def build() -> LayerWriter:
        w = LayerWriter()
        w.file("usr/bin/python3.13", b"elf", 0o755)
        w.file("etc/python3.13/sitecustomize.py", b"site")
        w.symlink("usr/lib/python3.13/sitecustomize.py", "/etc/python3.13/sitecustomize.py")
        for path in ("json/__init__.py", "bad.py", "test/test_x.py", "lib-dynload/x.so"):
            w.add(Entry(f"usr/lib/python3.13/{path}", stat.S_IFREG | 0o644, mtime_ns=5_000_000_000), path.encode())
        return w

    w = build()
    assert pycache.add(w, lambda _: None) == 2
    entry = w.files["usr/lib/python3.13/json/__pycache__/__init__.cpython-313.pyc"]
    assert w.read(entry) == b"compiled json/__init__.py" and entry.mtime_ns == 5_000_000_000
    assert "usr/lib/python3.13/__pycache__/sitecustomize.cpython-313.pyc" in w.files
    again = build()
    assert pycache.add(again, lambda _: None) == 2
    assert len(calls) == 1 and "usr/lib/python3.13/test/test_x.py" not in calls[0]  # the second came from the cache
    assert pycache.add(LayerWriter(), lambda _: None) == 0
