"""The log of a kept file system: a cut-short end is dropped, damage is refused, whatever the byte."""

from __future__ import annotations

import random

import pytest

from tidemark_py.errors import SnapshotError
from tidemark_py.host.fake import FakeKeptFile
from tidemark_py.state.kept import HEAD_BYTES, LogScan, head, scan, segment


def log(transactions: list[list[bytes]], generation: int = 1) -> tuple[bytes, list[int]]:
    """A whole file, and where each transaction ends."""
    data, ends = head(generation), []
    for number, parts in enumerate(transactions, 1):
        data += b"".join(segment(number, part) for part in parts) + segment(number, b"", last=True)
        ends.append(len(data))
    return data, ends


TRANSACTIONS = [[b"first records", b"and more"], [b"x" * 5000], [b"third"] * 3]


def records(found: LogScan, data: bytes) -> list[bytes]:
    return [data[at : at + count] for at, count in found.segments]


def test_all_of_it_comes_back() -> None:
    data, ends = log(TRANSACTIONS, 7)
    found = scan(FakeKeptFile(data), "mine")
    assert (found.generation, found.transaction, found.end, found.dropped) == (7, 3, ends[-1], 0)
    assert records(found, data) == [part for parts in TRANSACTIONS for part in parts]


def test_cut_anywhere_what_was_whole_before_counts() -> None:
    data, ends = log(TRANSACTIONS)
    for size in range(HEAD_BYTES, len(data) + 1):
        found = scan(FakeKeptFile(data[:size]), "mine")
        whole = sum(1 for end in ends if end <= size)
        assert found.transaction == whole, size
        assert found.end == ([HEAD_BYTES, *ends])[whole] and found.dropped == size - found.end


def test_nothing_is_nothing() -> None:
    for data in (b"", head(3)[:-1], bytes(HEAD_BYTES), bytes(HEAD_BYTES) + segment(1, b"whole", last=True)):
        assert scan(FakeKeptFile(data), "mine").generation == 0


def test_another_format_is_refused_by_name() -> None:
    for data in (b"other" * 20, head(1)[:8] + b"\x09" + head(1)[9:]):
        with pytest.raises(SnapshotError, match="mine"):
            scan(FakeKeptFile(data), "mine")


def test_a_changed_byte_is_refused_or_costs_the_last_transaction_only() -> None:
    data, ends = log(TRANSACTIONS)
    chance = random.Random(8)
    for _ in range(400):
        at = chance.randrange(HEAD_BYTES, len(data))
        changed = bytearray(data)
        changed[at] ^= 1 << chance.randrange(8)
        try:
            found = scan(FakeKeptFile(bytes(changed)), "mine")
        except SnapshotError as e:
            assert "damaged" in str(e) and at < ends[-2]
            continue
        expected = [part for parts in TRANSACTIONS for part in parts][: len(found.segments)]
        assert at >= ends[-2] or found.transaction == 3, at  # 3: it was a zero between two segments
        assert records(found, bytes(changed)) == expected
