"""The file of a saved machine: it round-trips, stores a page once, and is refused whole when it is not ours."""

from __future__ import annotations

import hashlib

import pytest

from tidemark_py.errors import SnapshotError
from tidemark_py.state.saved_machine import (
    LayerReference,
    PageStore,
    PageTable,
    SavedMachine,
    open_manifest,
    references,
)
from tidemark_py.state.saving import without

PAGE = 4096
BUILD = hashlib.sha256(b"kernel").hexdigest()[:32]


def machine() -> SavedMachine:
    """Two memories with pages in common."""
    store, kernel, guest = PageStore(), PageTable(), PageTable()
    ones, twos = b"\1" * PAGE, b"\2" * PAGE
    store.add(kernel, 10, ones + bytes(PAGE) + twos + ones)
    store.add(guest, 7, twos + bytes(PAGE), keep_zero=True)
    return SavedMachine(
        build=BUILD,
        monotonic_ns=123456789012,
        kernel_bytes=1 << 20,
        guest_max_pages=65536,
        layers=[LayerReference("base", "ab" * 32, 1 << 20, 5000)],
        processes=[{"pid": 2, "args": ["sh"]}],
        kernel=kernel,
        guests={2: guest},
        registers=[(2, 2, b"r" * 560)],
        pages=store.pages,
    )


def test_round_trip_and_pages_once() -> None:
    m = machine()
    assert len(m.pages) == 3 * PAGE  # ones, twos, the guest's zeros
    again = SavedMachine.unpack(m.pack(), BUILD)
    assert list(again.kernel.numbers) == [10, 12, 13] and list(again.kernel.contents) == [0, 1, 0]
    assert list(again.guests[2].numbers) == [7, 8] and again.registers == m.registers
    assert again.content(0, 2) == b"\1" * PAGE + b"\2" * PAGE and again.layers == m.layers
    assert (again.monotonic_ns, again.kernel_bytes, again.processes) == (m.monotonic_ns, 1 << 20, m.processes)
    assert list(again.kernel.runs()) == [(10, 0, 1), (12, 1, 1), (13, 0, 1)]
    assert list(again.guests[2].runs()) == [(7, 1, 2)]
    manifest, _ = open_manifest(m.pack(), BUILD)
    assert references(manifest) == m.layers


def test_runs_are_bounded() -> None:
    table = PageTable()
    for n in range(600):
        table.numbers.append(n)
        table.contents.append(n + 5)
    assert [r[2] for r in table.runs()] == [256, 256, 88]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d[:-1], "cut short"),
        (lambda d: d[:20], "no saved machine"),
        (lambda d: b"x" + d[1:], "no saved machine"),
        (lambda d: d[:4] + b"\x09" + d[5:], "format 9"),
        (lambda d: d[:8] + b"\xaa\xbb\xcc\xdd" + d[12:], "ABI aabbccdd"),
        (lambda d: d[:24] + b"\xaa\xbb\xcc\xdd" + d[28:], "kernel build aabbccdd"),
        (lambda d: d[:-1] + bytes([d[-1] ^ 1]), "corrupted"),
        (lambda d: d[:200] + bytes([d[200] ^ 1]) + d[201:], "corrupted"),
    ],
)
def test_what_is_not_ours_or_not_whole_is_refused_by_name(change: object, text: str) -> None:
    data = machine().pack()
    with pytest.raises(SnapshotError, match=text):
        SavedMachine.unpack(change(data), BUILD)  # type: ignore[operator]


def test_holes_are_left_out() -> None:
    assert without([(0, 100), (200, 100)], []) == [(0, 100), (200, 100)]
    assert without([(0, 100)], [(20, 30)]) == [(0, 20), (50, 50)]
    assert without([(0, 100), (200, 100)], [(90, 120), (250, 50)]) == [(0, 90), (210, 40)]
    assert without([(0, 100)], [(0, 100)]) == []
