"""Kept file systems alone, natively under sanitizers: journal_test.c over the real file room."""

from __future__ import annotations

from pathlib import Path

from tests.kernel import units


def test_what_was_taken_makes_the_same_tree_again(tmp_path: Path) -> None:
    units.run("journal_test", units.rooms("file", "core"), tmp_path)
