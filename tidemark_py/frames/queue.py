"""The Python end of a queue of records between workers: bounded, without locks (js_shim/queue.js, kernel/core/queue.h).

    queue = await rt.frames.queue()
    worker.postMessage(queue.buffer)        # there: new Queue(buffer).popWait()
    await queue.put(b"record")

One consumer; one producer, or with many=True any number. A full queue takes nothing: push says so, put waits.
"""

from __future__ import annotations

from typing import Any

from ..host.contract import QueueEnd

__all__ = ["Queue"]


class Queue:
    """An end. push, pop: at once; put, get: when there is room, or a record."""

    def __init__(self, end: QueueEnd) -> None:
        self._end = end

    @property
    def buffer(self) -> Any:
        """The SharedArrayBuffer, to post to a worker."""
        return self._end.buffer

    @property
    def lost(self) -> int:
        """Records that producers gave up."""
        return self._end.lost

    def push(self, record: bytes) -> bool:
        """False when the queue is full. Raises ValueError for a record that it never takes."""
        return self._end.push(record)

    def pop(self) -> bytes | None:
        """The oldest record, or None."""
        return self._end.pop()

    async def put(self, record: bytes) -> None:
        """Waits for room. Raises ValueError."""
        while not self._end.push(record):
            await self._end.room(len(record))

    async def get(self) -> bytes:
        """Waits for a record."""
        while (record := self._end.pop()) is None:
            await self._end.filled()
        return record
