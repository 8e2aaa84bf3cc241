"""A block of bytes as the host has it: Python's own, or a Uint8Array that stays JavaScript's. Its size, a part, a copy.

Callers: who handles files bigger than it wants to copy (roles/).
"""

from __future__ import annotations

from typing import Any

__all__ = ["copy_of", "part_of", "size_of"]


def size_of(data: Any) -> int:
    """In bytes."""
    return len(data) if isinstance(data, (bytes, memoryview)) else int(data.length)


def part_of(data: Any, start: int, end: int) -> Any:
    """A part, not copied."""
    return data.subarray(start, end) if hasattr(data, "subarray") else memoryview(data)[start:end]


def copy_of(data: Any, start: int, end: int) -> bytes:
    """A part as Python's own bytes."""
    part = part_of(data, start, end)
    return bytes(part.to_bytes() if hasattr(part, "to_bytes") else part)
