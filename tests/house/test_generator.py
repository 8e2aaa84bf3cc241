"""The ABI generator refuses tables that contradict themselves, and its Python records are what C lays out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE
from tidemark_py.abi.gen.abi import ABI_HASH, ABI_HASH32, Syscall, ThreadRecord
from tidemark_py.abi.gen.guest import RtSigframe, Stat, Utsname
from tidemark_py.dev import abigen


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A private copy of the tables to spoil."""
    for name in abigen.TABLES:
        shutil.copy(PACKAGE / "abi" / f"{name}.toml", tmp_path)
    return tmp_path


def spoil(folder: Path, table: str, old: str, new: str) -> None:
    path = folder / f"{table}.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_gap_in_a_layout_is_refused(tables: Path) -> None:
    spoil(tables, "structs", '{ name = "fd", type = "i32" }', '{ name = "fd", type = "u8" }')
    with pytest.raises(abigen.TableError, match="gap"):
        abigen.load(tables)


def test_a_wrong_size_is_refused(tables: Path) -> None:
    spoil(tables, "layouts", "bytes = 64", "bytes = 60")
    with pytest.raises(abigen.TableError, match="take 64 bytes"):
        abigen.load(tables)


def test_a_number_given_twice_is_refused(tables: Path) -> None:
    spoil(tables, "syscalls", "nr = 57\n", "nr = 56\n")
    with pytest.raises(abigen.TableError, match="number 56"):
        abigen.load(tables)


def test_a_partial_row_without_its_reason_is_refused(tables: Path) -> None:
    spoil(tables, "syscalls", 'level = "full"', 'level = "partial"')
    with pytest.raises(abigen.TableError, match="without a note"):
        abigen.load(tables)


def test_the_hash_follows_numbers_not_prose(tables: Path) -> None:
    first = abigen.load(tables).hash
    spoil(tables, "layouts", 'doc = "process"', 'doc = "the process"')
    assert abigen.load(tables).hash == first
    spoil(tables, "status", "value = 4096", "value = 2048")
    assert abigen.load(tables).hash != first


def test_the_first_32_bits_are_what_the_kernel_exports() -> None:
    assert int(ABI_HASH[:8], 16) == ABI_HASH32


def test_records_survive_packing() -> None:
    record = ThreadRecord(word=2, generation=7, pid=3, waiter=-1, instructions=1 << 40)
    assert len(record.pack()) == ThreadRecord.BYTES
    assert ThreadRecord.unpack(b"\0" * 8 + record.pack(), 8) == record
    assert Utsname.unpack(Utsname(sysname=b"Linux").pack()).sysname.rstrip(b"\0") == b"Linux"
    frame = RtSigframe()
    frame.uc.uc_mcontext.pc = 0x1234
    assert RtSigframe.unpack(frame.pack()).uc.uc_mcontext.pc == 0x1234
    assert Stat.OFFSET["st_size"] == 48


def test_linux_names_keep_their_spelling() -> None:
    assert [Syscall(56).name, Syscall(259).name] == ["openat", "riscv_flush_icache"]
