"""Frame channels where there is JavaScript: js_shim/frames.js' consumer as contract.FrameConsumer, and the renderer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import js
from pyodide.ffi import JsException, create_proxy, to_js

from ..abi.gen.abi import FrameFormat, FrameKind
from ..errors import StaleHandleError, TidemarkError
from .contract import Frame
from .values import js_object, text_of

__all__ = ["JsFrameHost"]


class JsConsumer:
    """contract.FrameConsumer"""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    @property
    def published(self) -> int:
        """Frames so far."""
        return int(self._raw.published)

    @property
    def live(self) -> bool:
        """There is a producer."""
        return bool(self._raw.live)

    def take(self) -> Frame | None:
        """The newest, copied."""
        try:
            f = self._raw.take()
            if f is None:
                return None
            data = f.bytes.to_bytes()
            if not self._raw.holds(f):
                return None
        except JsException as e:
            if getattr(e, "name", "") == "StaleHandle":
                raise StaleHandleError(f"{text_of(e)}: open it again") from None
            raise
        return Frame(
            f.number,
            FrameKind(f.kind),
            f.width,
            f.height,
            f.stride,
            FrameFormat(f.format),
            int(f.timeNs),
            memoryview(data),
        )

    async def changed(self, seen: int) -> None:
        """Atomics.waitAsync"""
        await self._raw.changed(seen)


class JsQueue:
    """contract.QueueEnd"""

    def __init__(self, raw: Any, buffer: Any) -> None:
        self._raw = raw
        self.buffer = buffer

    @property
    def lost(self) -> int:
        """Given up."""
        return int(self._raw.lost)

    def push(self, record: bytes) -> bool:
        """False: full."""
        try:
            return bool(self._raw.push(to_js(record)))
        except JsException as e:
            raise ValueError(text_of(e)) from None

    def pop(self) -> bytes | None:
        """A copy of the oldest."""
        record = self._raw.pop()
        return None if record is None else record.to_bytes()

    async def room(self, size: int) -> None:
        """Atomics.waitAsync"""
        await self._raw.room(size)

    async def filled(self) -> None:
        """Atomics.waitAsync"""
        await self._raw.filled()


class Renderer:
    """contract.FrameRenderer: a worker of frame_renderer.js."""

    def __init__(self, maker: Any, url: str, heard: Callable[[dict[str, Any]], None] | None) -> None:
        self._heard = heard
        self._waiting: dict[str, list[asyncio.Future[dict[str, Any]]]] = {"stats": [], "pixels": []}
        self._proxies = [create_proxy(self._message), create_proxy(self._failed)]
        self._worker = maker.startWorker(url, "tidemark frame renderer", *self._proxies)

    def start(self, options: dict[str, Any]) -> None:
        """Send the canvas."""
        transfer = js.Array.new()
        transfer.push(options["canvas"])
        self._worker.post(js_object({"t": "start", **options}), transfer)

    def _message(self, data: Any) -> None:
        told: dict[str, Any] = data.to_py(depth=1)
        if told["t"] == "failed":
            self._failed(told["text"])
            return
        waiting = self._waiting.get(told["t"])
        if waiting:
            if not (future := waiting.pop(0)).done():
                future.set_result(told)
        elif waiting is None and self._heard is not None:
            self._heard(told)

    def _failed(self, text: str) -> None:
        self._give_up(f"the renderer failed: {text}")
        if self._heard is not None:
            self._heard({"t": "failed", "text": text})

    def _give_up(self, why: str) -> None:
        """Nobody answers any more."""
        for waiting in self._waiting.values():
            while waiting:
                if not (future := waiting.pop(0)).done():
                    future.set_exception(TidemarkError(why))

    def _ask(self, message: str, answer: str) -> asyncio.Future[dict[str, Any]]:
        if self._worker is None:
            raise TidemarkError("the renderer was closed: rt.frames.show() makes another, on another canvas")
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[answer].append(future)
        self._worker.post(js_object({"t": message}))
        return future

    def resize(self, width: int, height: int) -> None:
        """Pixels of the canvas."""
        self._worker.post(js_object({"t": "resize", "width": width, "height": height}))

    @property
    def closed(self) -> bool:
        """close() was called."""
        return self._worker is None

    def lose_context(self) -> None:
        """For tests: the graphics context goes and comes back."""
        self._worker.post(js_object({"t": "lose"}))

    async def stats(self) -> dict[str, Any]:
        """frames, latency_us, painter"""
        told = await self._ask("stats", "stats")
        return {"frames": told["frames"], "latency_us": told["latency_us"].to_py(), "painter": told["painter"]}

    async def read(self) -> bytes:
        """RGBA, rows from the top."""
        told = await self._ask("read", "pixels")
        pixels: bytes = told["pixels"].to_bytes()
        return pixels

    def close(self) -> None:
        """End the worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.terminate()
            self._give_up("the renderer was closed before it answered")


class JsFrameHost:
    """contract.FrameHost over one kernel memory."""

    def __init__(self, maker: Any, modules: tuple[Any, Any], renderer_url: str, memory: Any) -> None:
        self._maker = maker
        self._module, self._queues = modules
        self._renderer_url = renderer_url
        self._memory = memory

    def consumer(self, address: int) -> JsConsumer:
        """Takes over the channel."""
        return JsConsumer(self._module.FrameConsumer.new(self._memory, address))

    def queue(self, capacity: int, many: bool) -> JsQueue:
        """New shared memory with an empty one."""
        try:
            buffer = self._queues.makeQueue(capacity, many)
        except JsException as e:
            raise ValueError(text_of(e)) from None
        return JsQueue(self._queues.Queue.new(buffer), buffer)

    def show(
        self, canvas: Any, address: int, boot_ms: float, pixelated: bool, heard: Callable[[dict[str, Any]], None] | None
    ) -> Renderer:
        """A worker draws it."""
        renderer = Renderer(self._maker, self._renderer_url, heard)
        renderer.start(
            {"canvas": canvas, "memory": self._memory, "address": address, "boot_ms": boot_ms, "pixelated": pixelated}
        )
        return renderer
