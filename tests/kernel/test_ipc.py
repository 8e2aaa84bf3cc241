"""Pipes, fifos, poll and terminals alone, natively: their unit tests under the sanitizers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel import units

BELOW = [
    units.KERNEL / path
    for path in (
        *(f"core/{name}.c" for name in ("heap", "lock", "string", "log")),
        *(f"file/{name}.c" for name in ("ofd", "fd", "inode", "watch", "xattr")),
        *(f"ipc/{name}.c" for name in ("pipe", "poll")),
    )
]
SCREEN = ("framebuffer", "input")  # tests/page/test_frames.py has them
TERMINALS = [path for path in units.rooms("tty") if path.stem not in SCREEN]
ROOMS: dict[str, list[Path]] = {"pipe": [], "tty": TERMINALS}


@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
@pytest.mark.parametrize("name", sorted(ROOMS))
def test_units_under_sanitizers(name: str, sanitizer: str, tmp_path: Path) -> None:
    units.run(f"{name}_test", [*BELOW, *ROOMS[name]], tmp_path, sanitizer)
