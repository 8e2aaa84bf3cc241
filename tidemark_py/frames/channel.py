"""The consumer's end of a frame channel in Python: the newest whole frame as bytes that NumPy takes as they are.

    reader = await rt.frames.open("frame0")
    async for frame in reader:
        picture = np.frombuffer(frame.data, np.uint8).reshape(frame.height, frame.stride // 4, 4)

How slots change hands is js_shim/frames.js's; the records are frame_channel and frame_slot of the ABI tables.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Protocol

from ..abi.gen.abi import FrameFormat, FrameKind
from ..errors import TidemarkError

__all__ = ["Consumer", "Frame", "FrameReader", "StaleHandleError"]


class StaleHandleError(TidemarkError):
    """The channel has another consumer now: open it again."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame. data: height * stride bytes of a picture, width * stride of vertices; a copy, the reader's own."""

    number: int
    kind: FrameKind
    width: int
    height: int
    stride: int
    format: FrameFormat
    time_ns: int
    data: memoryview


class Consumer(Protocol):
    """What a host gives: js_shim/frames.js' FrameConsumer, or a test's."""

    @property
    def published(self) -> int:
        """Frames so far, modulo 2^32."""

    @property
    def live(self) -> bool:
        """There is a producer."""

    def take(self) -> Frame | None:
        """The newest frame that was not taken yet. Raises StaleHandleError."""

    def changed(self, seen: int) -> Awaitable[None]:
        """Until `published` is another."""


class FrameReader:
    """One consumer of one channel. A second one that is opened makes this one stale."""

    def __init__(self, name: str, consumer: Consumer) -> None:
        self.name = name
        self._consumer = consumer

    def __repr__(self) -> str:
        return f"<FrameReader /dev/{self.name} {'live' if self.live else 'without a producer'}>"

    @property
    def live(self) -> bool:
        """A guest has the device open."""
        return self._consumer.live

    def take(self) -> Frame | None:
        """The newest whole frame, or None when it was taken already. Never waits. Raises StaleHandleError."""
        return self._consumer.take()

    async def next(self) -> Frame:
        """The next frame there is. Raises EOFError when the producer has ended, StaleHandleError."""
        began = self._consumer.live
        while True:
            seen = self._consumer.published
            frame = self._consumer.take()
            if frame is not None:
                return frame
            if began and not self._consumer.live:
                raise EOFError(f"/dev/{self.name}: the program that published frames has ended")
            began = began or self._consumer.live
            await self._consumer.changed(seen)

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self._frames()

    async def _frames(self) -> AsyncIterator[Frame]:
        while True:
            try:
                frame = await self.next()
            except EOFError:
                return
            yield frame
