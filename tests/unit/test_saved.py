"""SavedFiles: what was written is read back; anything else is refused by name."""

from __future__ import annotations

import pytest

from tidemark_py.errors import TidemarkError
from tidemark_py.state.saved import HEADER, SavedFiles


def test_round_trip() -> None:
    saved = SavedFiles({"/root": b"tar one", "/home": b""})
    assert SavedFiles.unpack(saved.pack(), "x") == saved
    assert SavedFiles.unpack(SavedFiles().pack(), "x") == SavedFiles()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: b"", "less than their header"),
        (lambda d: d[:-1], "cut short"),
        (lambda d: d + b"x", "cut short"),
        (lambda d: b"X" + d[1:], "do not begin"),
        (lambda d: d[:8] + b"\x63" + d[9:], "format 99"),
        (lambda d: d[: HEADER.size + 12] + bytes([d[HEADER.size + 12] ^ 1]) + d[HEADER.size + 13 :], "sha256"),
    ],
)
def test_damage_is_named(damage, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TidemarkError, match=said) as caught:
        SavedFiles.unpack(damage(SavedFiles({"/root": b"abc" * 100}).pack()), "mine")
    assert "'mine'" in str(caught.value)
