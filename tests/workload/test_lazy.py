"""A root of 300 MB starts after its index: bodies come by range when a program touches them, on both hosts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workload.conftest import HOSTS, SPEC
from tidemark_py.dev import layer_build, pyodide_files
from tidemark_py.dev.session import Command, Session
from tidemark_py.layers import LayerWriter

FILES, FILE_BYTES = 38, 8 << 20
MOST_BYTES = 15_000_000


def body(number: int) -> bytes:
    """Of one file: no two pages alike."""
    return b"".join(hashlib.sha512(b"%d %d" % (number, i)).digest() * 64 for i in range(FILE_BYTES // 4096))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layer of 300 MB beside the shells'."""
    writer = LayerWriter()
    for n in range(FILES):
        writer.file(f"big/{n}", body(n))
    path: Path = tmp_path_factory.mktemp("big") / "big.tdl"
    with path.open("wb") as f:
        f.writelines(writer.build({"spec": "big"}).dump())
    return path


@pytest.fixture(scope="module", params=HOSTS)
def lazy(request: pytest.FixtureRequest, big: Path) -> Iterator[Session]:
    """Both layers, lazily."""
    pyodide_files.snapshot()
    with Session([layer_build.layer_file(SPEC), big], request.param, lazy="always") as s:
        yield s


def run(s: Session, script: str) -> tuple[int, str]:
    out: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    command = Command(["bash", "-c", script], stdin=b"", timeout_s=60)
    ended = s.run(command, lambda stream, data: out[stream].extend(data))
    assert not ended.error, ended.error
    return ended.exit_code, out[1].decode() + out[2].decode()


def test_a_shell_starts_with_a_twentieth_of_its_root(lazy: Session) -> None:
    assert run(lazy, ":") == (0, "")
    assert lazy.layer_bytes_sent < MOST_BYTES, lazy.layer_bytes_sent
    small, big_one = lazy.ask("fetches")["fetches"]
    assert big_one["total"] == FILES * FILE_BYTES and big_one["here"] == 0
    assert 0 < small["here"] <= small["fetched"] < small["total"] and not small["problem"]


def test_sizes_and_names_fetch_nothing(lazy: Session) -> None:
    run(lazy, "ls -l / >/dev/null")  # ls itself
    before = lazy.layer_bytes_sent
    code, out = run(lazy, "ls -l /big | tail -n 1")
    assert (code, out.split()[4]) == (0, str(FILE_BYTES))
    assert lazy.layer_bytes_sent - before < 2 << 20  # tail


def test_what_is_read_is_what_was_written(lazy: Session) -> None:
    expected = hashlib.sha256(body(5)).hexdigest()
    assert run(lazy, "sha256sum < /big/5") == (0, f"{expected}  -\n")
    part = hashlib.sha256(body(9)[5_000_000:5_100_000]).hexdigest()
    assert run(lazy, "tail -c +5000001 /big/9 | head -c 100000 | sha256sum") == (0, f"{part}  -\n")


def test_a_changed_file_keeps_what_was_not_touched(lazy: Session) -> None:
    whole = bytearray(body(11))
    whole[1_000_000:1_000_003] = b"new"
    expected = hashlib.sha256(whole).hexdigest()
    script = "printf new | dd of=/big/11 bs=1 seek=1000000 conv=notrunc 2>/dev/null; sha256sum < /big/11"
    assert run(lazy, script) == (0, f"{expected}  -\n")


def test_many_at_once(lazy: Session) -> None:
    names = range(20, 28)
    script = "for i in " + " ".join(map(str, names)) + "; do sha256sum < /big/$i > /tmp/$i & done; wait; cat /tmp/2?"
    expected = "".join(f"{hashlib.sha256(body(n)).hexdigest()}  -\n" for n in names)
    assert run(lazy, script) == (0, expected)


def test_a_blob_that_changed_is_an_error_not_other_bytes(lazy: Session, big: Path) -> None:
    with big.open("r+b") as f:
        f.seek(-(2 << 20), 2)  # inside the last file of the index, /big/9
        f.write(os.urandom(16))  # other bytes in each host's turn: a session takes the file as it is when it starts
    _, out = run(lazy, "tail -c 4000000 /big/9 | wc -c")
    assert "Input/output error" in out, out
    diagnostics = lazy.ask("state")["diagnostics"]
    assert any("corrupted" in line and "sha256" in line for line in diagnostics), diagnostics
