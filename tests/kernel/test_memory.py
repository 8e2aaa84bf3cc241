"""mm/ alone, natively under sanitizers: directed cases and a random walk against a model (mm_test.c)."""

from __future__ import annotations

from pathlib import Path

from tests.kernel import units


def test_address_space_follows_its_model(tmp_path: Path) -> None:
    units.run("mm_test", units.rooms("mm", "core"), tmp_path)
