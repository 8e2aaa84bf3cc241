"""The frame channel's rule, checked over every interleaving of producer, consumer and a consumer that takes over.

The model does what kernel/ipc/frame.c and js_shim/frames.js do, one shared access a step; slot contents are written
in two halves, so that a torn read would show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tidemark_py.abi.gen.abi import (
    FRAME_STATE_FRESH,
    FRAME_STATE_FRONT_SHIFT,
    FRAME_STATE_MIDDLE_SHIFT,
    FRAME_STATE_READER_SHIFT,
    FRAME_STATE_START,
)

FRAMES = 4
MASK = 3


@dataclass(frozen=True)
class Shared:
    """Everything two workers see, and where each of them is."""

    state: int = FRAME_STATE_START
    slots: tuple[tuple[int, int], ...] = ((0, 0), (0, 0), (0, 0))
    # producer: step, frame it makes, state it loaded
    p: tuple[int, int, int] = (0, 1, 0)
    # consumers: step, state loaded, first half read, last frame seen, handle
    a: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    b: tuple[int, int, int, int, int] = (-1, 0, 0, 0, 0)


def parts(state: int) -> tuple[int, int, int]:
    return state & MASK, state >> FRAME_STATE_MIDDLE_SHIFT & MASK, state >> FRAME_STATE_FRONT_SHIFT & MASK


def with_slot(s: Shared, n: int, value: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple(value if i == n else old for i, old in enumerate(s.slots))


def producer(s: Shared) -> Iterator[Shared]:
    step, frame, loaded = s.p
    back, middle, _ = parts(s.state)
    if frame > FRAMES:
        return
    if step == 0:  # the two halves of the frame
        yield replace(s, slots=with_slot(s, back, (frame, s.slots[back][1])), p=(1, frame, 0))
    elif step == 1:
        yield replace(s, slots=with_slot(s, back, (frame, frame)), p=(2, frame, 0))
    elif step == 2 or loaded != s.state:
        yield replace(s, p=(3, frame, s.state))
    else:
        swapped = s.state & ~15 | middle | back << FRAME_STATE_MIDDLE_SHIFT | FRAME_STATE_FRESH
        yield replace(s, state=swapped, p=(0, frame + 1, 0))


def consumer(s: Shared, name: str) -> Iterator[Shared]:
    step, loaded, half, last, reader = getattr(s, name)
    _, middle, front = parts(s.state)

    def now(**changed: object) -> Shared:
        return replace(s, **changed)  # type: ignore[arg-type]

    if step == -1:  # takes over
        yield now(state=s.state + (1 << FRAME_STATE_READER_SHIFT), **{name: (0, 0, 0, 0, reader + 1)})
    elif step == 0:
        if s.state >> FRAME_STATE_READER_SHIFT != reader:
            yield now(**{name: (9, 0, 0, last, reader)})  # stale: refused, for good
        elif s.state & FRAME_STATE_FRESH:
            yield now(**{name: (1, s.state, 0, last, reader)})
    elif step == 1:
        if s.state != loaded:
            yield now(**{name: (0, 0, 0, last, reader)})
            return
        keep = s.state & ~(60 | FRAME_STATE_FRESH)
        swapped = keep | front << FRAME_STATE_MIDDLE_SHIFT | middle << FRAME_STATE_FRONT_SHIFT
        yield now(state=swapped, **{name: (2, middle, 0, last, reader)})
    elif step == 2:
        yield now(**{name: (3, loaded, s.slots[loaded][0], last, reader)})
    elif step == 3:
        held = s.state >> FRAME_STATE_READER_SHIFT == reader  # what holds() asks when the bytes are copied
        if held:
            assert half == s.slots[loaded][1], f"torn: {half} and {s.slots[loaded][1]}"
            assert half > last, f"frame {half} after {last}"
        yield now(**{name: (0, 0, 0, half if held else last, reader)})


def test_every_interleaving_keeps_frames_whole_and_in_order() -> None:
    """No torn frame, none older than its predecessor, three different slots, and the newest frame is reached."""
    todo, seen, ends = [Shared()], {Shared()}, 0
    while todo:
        s = todo.pop()
        assert len(set(parts(s.state))) == 3
        nexts = [*producer(s), *consumer(s, "a"), *consumer(s, "b")]
        if not nexts:
            ends += 1
            assert s.b[3] == FRAMES or s.a[3] == FRAMES or s.slots[parts(s.state)[2]] == (FRAMES, FRAMES), s
        for n in nexts:
            if n not in seen:
                seen.add(n)
                todo.append(n)
    assert ends > 0
    assert len(seen) > 1000
