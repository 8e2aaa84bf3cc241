"""Debian packages from a mirror: what is chosen, what is installed, what a mirror may not do."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from pathlib import Path

import pytest

from tidemark_py.errors import LayerError
from tidemark_py.layers import debian
from tidemark_py.sdk.providers import Debian, LocalSource, Lock, MemoryCache, install

from .test_providers import Target


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, body in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(body)
            t.addfile(info, io.BytesIO(body))
    return lzma.compress(out.getvalue())


def ar(members: dict[str, bytes]) -> bytes:
    data = b"!<arch>\n"
    for name, body in members.items():
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode() + body + b"\n" * (len(body) % 2)
    return data


def deb(fields: str, files: dict[str, bytes]) -> bytes:
    return ar(
        {"debian-binary": b"2.0\n", "control.tar.xz": tar({"control": fields.encode()}), "data.tar.xz": tar(files)}
    )


PACKAGES = {
    "app": "Version: 1:2.0-1\nDepends: libapp (>= 1.5), shell | busybox, editor",
    "libapp": "Version: 1.10\nArchitecture: all",
    "libapp~old": "Version: 1.9",
    "busybox": "Version: 1.37",
    "vim-tiny": "Version: 9\nProvides: editor",
    "nano": "Version: 8\nProvides: editor, small-editor (= 3)\nConflicts: vim-tiny",
    "needy": "Version: 1\nDepends: nothing-has-it (>= 7)",
    "wants-new": "Version: 1\nDepends: libapp (>> 1.10)",
    "versioned": "Version: 1\nDepends: small-editor (>= 2)",
}


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A Debian mirror of PACKAGES."""
    pool = tmp_path / "pool"
    pool.mkdir()
    stanzas = []
    for key, text in PACKAGES.items():
        name = key.partition("~")[0]
        fields = f"Package: {name}\n{text}\n" + ("" if "Architecture" in text else "Architecture: riscv64\n")
        data = deb(fields, {f"usr/bin/{name}": f"{key}\n".encode(), f"usr/share/doc/{name}/copyright": b"none"})
        (pool / f"{key}.deb").write_bytes(data)
        sha = hashlib.sha256(data).hexdigest()
        stanzas.append(f"{fields}Filename: pool/{key}.deb\nSize: {len(data)}\nSHA256: {sha}\n")
    index = lzma.compress("\n".join(stanzas).encode())
    where = tmp_path / "dists/trixie/main/binary-riscv64"
    where.mkdir(parents=True)
    (where / "Packages.xz").write_bytes(index)
    row = f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-riscv64/Packages.xz\n"
    (tmp_path / "dists/trixie/Release").write_text(f"Suite: stable\nMD5Sum:\n 0 0 x\nSHA256:\n{row}")
    return tmp_path


async def chosen(mirror: Path, *packages: str) -> list[tuple[str, str]]:
    items = await Debian(str(mirror), packages).resolve(LocalSource(mirror), lambda _: None)
    return [(i.name, i.version) for i in items]


async def test_what_is_chosen_has_what_it_depends_on(mirror: Path) -> None:
    assert await chosen(mirror, "app") == [
        ("app", "1:2.0-1"),
        ("busybox", "1.37"),
        ("libapp", "1.10"),
        ("vim-tiny", "9"),
    ]
    assert ("nano", "8") in await chosen(mirror, "nano", "app")  # it provides an editor already
    assert await chosen(mirror, "versioned") == [("nano", "8"), ("versioned", "1")]


async def test_what_cannot_be_is_named(mirror: Path) -> None:
    for names, text in (
        (("needy",), r"nothing-has-it \(>= 7\), which needy depends on"),
        (("wants-new",), r"libapp \(>> 1.10\)"),
        (("no-such",), "no package for no-such"),
        (("vim-tiny", "nano"), "do not go together"),
    ):
        with pytest.raises(LayerError, match=text):
            await chosen(mirror, *names)


async def test_it_is_installed_and_dpkg_knows_it_and_a_lockfile_makes_it_again(mirror: Path) -> None:
    target = Target()
    cache = MemoryCache()
    done = await install(target, Debian(str(mirror), ["app"]), source=LocalSource(mirror), cache=cache)
    files = target.files()
    assert files["usr/bin/libapp"][1] == b"libapp\n" and files["bin"][1] == b"usr/bin"
    status = files["var/lib/dpkg/status"][1].decode()
    assert status.count("Status: install ok installed") == 4 and "Version: 1:2.0-1" in status
    assert [p["name"] for p in target.layers[0].packages()] == ["app", "busybox", "libapp", "vim-tiny"]
    for path in (mirror / "dists").rglob("*"):
        if path.is_file():
            path.unlink()  # nobody asks them
    again = Target()
    await install(again, lock=Lock.loads(done.lock.dumps()), source=LocalSource(mirror), cache=MemoryCache())
    assert again.layers[0].sha256 == target.layers[0].sha256


async def test_a_mirror_that_lies_is_found_out(mirror: Path) -> None:
    good = Debian(str(mirror), ["busybox"])
    package = mirror / "pool/busybox.deb"
    package.write_bytes(package.read_bytes()[:-1] + b"?")
    with pytest.raises(LayerError, match=r"busybox.*other bytes"):
        await install(Target(), good, source=LocalSource(mirror), cache=MemoryCache())
    with pytest.raises(LayerError, match="another than was asked for"):
        await Debian(str(mirror), ["app"], release_sha256="0" * 64).resolve(LocalSource(mirror), lambda _: None)
    (mirror / "dists/trixie/main/binary-riscv64/Packages.xz").write_bytes(lzma.compress(b"Package: other\n"))
    with pytest.raises(LayerError, match="not what Release says"):
        await good.resolve(LocalSource(mirror), lambda _: None)
    with pytest.raises(LayerError, match="no suite"):
        await Debian(str(mirror), ["app"], suite="sid").resolve(LocalSource(mirror), lambda _: None)


def test_a_damaged_package_is_refused() -> None:
    from tidemark_py.layers import LayerWriter

    good = deb("Package: a\nVersion: 1\nArchitecture: all\n", {"f": b"x"})
    assert debian.add_deb(LayerWriter(), good).name == "a"
    bad = [b"", good[:100], good[:-3], ar({"debian-binary": b"2.0\n"}), deb("Package: a\n", {}), good[:68] + b"x" * 60]
    for data in bad:
        with pytest.raises(LayerError):
            debian.add_deb(LayerWriter(), data)
