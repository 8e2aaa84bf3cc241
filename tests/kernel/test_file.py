"""The file room alone, natively under sanitizers: file_test.c over the real kernel core."""

from __future__ import annotations

from pathlib import Path

from tests.kernel import units


def test_file_room_under_sanitizers(tmp_path: Path) -> None:
    units.run("file_test", units.rooms("file", "core"), tmp_path)
