"""The consumer's end of a frame channel in Python: the newest whole frame as bytes that NumPy takes as they are.

    reader = await rt.frames.open("frame0")
    async for frame in reader:
        picture = np.frombuffer(frame.data, np.uint8).reshape(frame.height, frame.stride // 4, 4)

How slots change hands is js_shim/frames.js's; the records are frame_channel and frame_slot of the ABI tables.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..errors import StaleHandleError
from ..host.contract import Frame, FrameConsumer

__all__ = ["Frame", "FrameReader", "StaleHandleError"]


class FrameReader:
    """One consumer of one channel. A second one that is opened makes this one stale."""

    def __init__(self, name: str, consumer: FrameConsumer) -> None:
        self.name = name
        self._consumer = consumer
        self._begun = False  # there was a producer whose end was not told yet

    def __repr__(self) -> str:
        return f"<FrameReader /dev/{self.name} {'live' if self.live else 'without a producer'}>"

    @property
    def live(self) -> bool:
        """A guest has the device open."""
        return self._consumer.live

    def take(self) -> Frame | None:
        """The newest whole frame, or None when it was taken already. Never waits. Raises StaleHandleError."""
        frame = self._consumer.take()
        self._begun = self._begun or frame is not None or self._consumer.live
        return frame

    async def next(self) -> Frame:
        """The next frame there is. Raises EOFError once when a producer has ended, StaleHandleError."""
        while True:
            seen = self._consumer.published
            frame = self.take()
            if frame is not None:
                return frame
            if self._begun and not self._consumer.live:
                self._begun = False
                raise EOFError(f"/dev/{self.name}: the program that published frames has ended")
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
