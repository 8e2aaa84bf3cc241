"""A folder on two sides: what one side changed goes to the other, what both changed is named and stays."""

from __future__ import annotations

import errno
import itertools
import os
import random
from pathlib import Path

import pytest

from tidemark_py.sdk.folder import Folder, HostFolder, open_folder

ticks = itertools.count(1_700_000_000)


class Guest:
    """What of RuntimeFS a folder wants, on a directory of this machine."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def at(self, path: str) -> Path:
        return self.top / path.lstrip("/")

    async def readdir(self, path: str) -> list[str]:
        return sorted(os.listdir(self.at(path)))

    async def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result:
        return os.stat(self.at(path), follow_symlinks=follow_symlinks)

    async def read_file(self, path: str) -> bytes:
        return self.at(path).read_bytes()

    async def write_file(self, path: str, data: bytes) -> None:
        put(self.at(path), data)

    async def mkdir(self, path: str, *, parents: bool = False, exist_ok: bool = False) -> None:
        self.at(path).mkdir(parents=parents, exist_ok=exist_ok)

    async def remove(self, path: str) -> None:
        remove(self.at(path))


class Outside:
    """sdk.folder.Folder on a directory of this machine; full: writes are EDQUOT."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.full = False

    async def scan(self) -> dict[str, tuple[int, float]]:
        found = {}
        for path in self.top.rglob("*"):
            stamp = await self.stamp(str(path.relative_to(self.top)))
            assert stamp is not None
            found[str(path.relative_to(self.top))] = stamp
        return found

    async def stamp(self, path: str) -> tuple[int, float] | None:
        try:
            s = os.stat(self.top / path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return (-1, 0.0) if (self.top / path).is_dir() else (s.st_size, s.st_mtime)

    async def read(self, path: str) -> bytes:
        return (self.top / path).read_bytes()

    async def write(self, path: str, data: bytes) -> None:
        if self.full:
            raise OSError(errno.EDQUOT, "no room", path)
        put(self.top / path, data)

    async def mkdir(self, path: str) -> None:
        (self.top / path).mkdir(exist_ok=True)

    async def remove(self, path: str) -> None:
        remove(self.top / path)


def put(path: Path, data: bytes) -> None:
    """Written at a time of its own."""
    path.write_bytes(data)
    now = next(ticks)
    os.utime(path, (now, now))


def remove(path: Path) -> None:
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def tree(top: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(top)): None if p.is_dir() else p.read_bytes() for p in top.rglob("*")}


async def opened(tmp_path: Path, **files: bytes) -> tuple[HostFolder, Path, Path, Outside]:
    """(the folder, the guest's directory, the user's, the user's side)"""
    (tmp_path / "user").mkdir()
    for name, data in files.items():
        put(tmp_path / "user" / name, data)
    outside = Outside(tmp_path / "user")

    def wrap(_: object) -> Folder:
        return outside

    folder = await open_folder(Guest(tmp_path), "/guest/work", None, wrap=wrap)
    return folder, tmp_path / "guest/work", tmp_path / "user", outside


async def test_what_either_side_changes_is_on_both_after_a_sync(tmp_path: Path) -> None:
    folder, guest, user, _ = await opened(tmp_path, start=b"s")
    assert tree(guest) == {"start": b"s"}
    chance = random.Random(88)
    names = ["a", "b", "d/x", "d/y", "d/e/z", "f/g"]
    for _ in range(150):
        for name in chance.sample(names, 3):
            side = chance.choice([guest, user])
            path = side / name
            if path.exists():
                if chance.random() < 0.5:
                    put(path, chance.randbytes(3))
                else:
                    path.unlink()
                    if path.parent != side and not any(path.parent.iterdir()) and chance.random() < 0.7:
                        path.parent.rmdir()
            elif not any((other / name).exists() for other in (guest, user)):
                path.parent.mkdir(parents=True, exist_ok=True)
                put(path, chance.randbytes(3))
        wanted: dict[str, bytes | None] = {}
        done = await folder.sync(prefer=chance.choice(["outside", "guest"]))
        for _ in range(2):  # a directory removed on one side into which the other put something comes back
            if done.conflicts:
                done = await folder.sync(prefer="guest")
        wanted = tree(guest)
        assert not done.conflicts and wanted == tree(user)
        assert (await folder.sync()) == type(done)()


async def test_what_both_changed_stays_on_both_until_somebody_is_preferred(tmp_path: Path) -> None:
    folder, guest, user, _ = await opened(tmp_path, both=b"0", gone=b"0", same=b"0")
    put(guest / "both", b"guest")
    put(user / "both", b"user")
    put(guest / "gone", b"changed")
    (user / "gone").unlink()
    put(guest / "same", b"new")
    put(user / "same", b"new")
    for _ in range(2):
        done = await folder.sync()
        assert done.conflicts == ["both", "gone"] and not done.removed
        assert tree(guest) == {"both": b"guest", "gone": b"changed", "same": b"new"}
        assert tree(user) == {"both": b"user", "same": b"new"}
    done = await folder.sync(prefer="guest")
    assert not done.conflicts and tree(user) == tree(guest) == {"both": b"guest", "gone": b"changed", "same": b"new"}


async def test_a_file_in_place_of_a_directory_and_back(tmp_path: Path) -> None:
    folder, guest, user, _ = await opened(tmp_path)
    (guest / "d").mkdir()
    put(guest / "d" / "x", b"1")
    await folder.sync()
    (user / "d" / "x").unlink()
    (user / "d").rmdir()
    put(user / "d", b"a file")
    await folder.sync()
    await folder.sync()
    assert tree(guest) == {"d": b"a file"} == tree(user)
    (guest / "d").unlink()
    (guest / "d").mkdir()
    await folder.sync()
    assert tree(user) == {"d": None}


async def test_links_stay_inside_and_no_room_outside_loses_nothing(tmp_path: Path) -> None:
    folder, guest, user, outside = await opened(tmp_path)
    (guest / "link").symlink_to("file")
    put(guest / "file", b"body")
    outside.full = True
    with pytest.raises(OSError, match="no room") as refused:
        await folder.sync()
    assert refused.value.errno == errno.EDQUOT and tree(user) == {}
    outside.full = False
    done = await folder.close()
    assert (done.written, done.skipped, tree(user)) == (["file"], ["link"], {"file": b"body"})
