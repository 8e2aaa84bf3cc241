"""LayerFetcher: brings the file bodies of lazy layers into kernel memory when the kernel asks (kernel/file/lazy.c).

Owned by the kernel worker. Chunks that are wanted at the same time and stand together become one range request; what
is read in sequence is read ahead, twice as far each time. Every chunk is hashed before any guest may see it. A request
that fails is made again once; then the chunk is refused (EIO, or SIGBUS in a mapping), one line says why, and the next
touch a second later tries anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..abi.gen.messages import LayerProgress
from ..channel.later import Later
from ..host.buffers import part_of, size_of
from ..host.contract import Host, Kernel
from ..layers.lazy import LazyLayer

__all__ = ["LayerFetcher"]

BLOB = 1 << 32  # tk_fetch_next: blob id * BLOB + chunk
REQUESTS = 6  # at a time: what a browser lets one origin have
RUN_BYTES = 4 << 20  # most of one request
AHEAD_BYTES = 1 << 20  # most of what nobody asked for
RETRY_SECONDS = 0.2


@dataclass(slots=True)
class _Blob:
    layer: LazyLayer
    here: int = 0  # chunks
    requests: int = 0
    fetched: int = 0  # bytes
    ahead: dict[int, int] = field(default_factory=dict)  # a run's end -> chunks to read ahead when it goes on there
    waiting: set[int] = field(default_factory=set)


class LayerFetcher:
    """say: tells the page; log: one line of diagnostics."""

    def __init__(
        self, kernel: Kernel, host: Host, say: Callable[[LayerProgress], None], log: Callable[[str], None]
    ) -> None:
        self._kernel = kernel
        self._host = host
        self._say = say
        self._log = log
        self._blobs: dict[int, _Blob] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: list[Later[str]] = []

    def add(self, blob: int, layer: LazyLayer) -> None:
        """The kernel has `layer` as `blob`."""
        self._blobs[blob] = _Blob(replace(layer, manifest={}, index=b""))  # what the kernel has now
        self._tell(blob)

    def next_done(self) -> Later[str]:
        """Resolved when a request has ended, with what went wrong or "". Who was told NotHere tries again then."""
        later: Later[str] = Later()
        self._waiters.append(later)
        return later

    # ---- what is wanted ----

    def wanted(self) -> None:
        """NOTIFY_FETCH."""
        while (code := int(self._kernel.call("tk_fetch_next"))) >= 0:
            blob, chunk = divmod(code, BLOB)
            if blob in self._blobs:
                self._blobs[blob].waiting.add(chunk)
            else:  # its root was dropped, or it is another runtime's: nobody brings it
                self._kernel.call("tk_fetch_done", blob, chunk, 0)
        self._start()

    def _start(self) -> None:
        while self._running < REQUESTS:
            blob = next((b for b, state in self._blobs.items() if state.waiting), None)
            if blob is None:
                return
            first, end = self._run_of(blob)
            self._running += 1
            task = asyncio.ensure_future(self._bring(blob, first, end))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _run_of(self, blob: int) -> tuple[int, int]:
        """Chunks that stand together and are wanted, and some more when this goes on where a run ended."""
        state = self._blobs[blob]
        shift, last = state.layer.chunk_shift, len(state.layer.hashes)
        first = end = min(state.waiting)
        while end in state.waiting and end - first < RUN_BYTES >> shift:
            state.waiting.discard(end)
            end += 1
        ahead = state.ahead.pop(first, 0)
        stop = min(end + ahead, last)
        while end < stop and self._kernel.call("tk_fetch_claim", blob, end):
            state.waiting.discard(end)
            end += 1
        state.ahead[end] = min(max(1, ahead * 2), AHEAD_BYTES >> shift)
        return first, end

    # ---- getting it ----

    async def _bring(self, blob: int, first: int, end: int) -> None:
        problem = ""
        try:
            for attempt in range(2):
                if attempt:
                    await asyncio.sleep(RETRY_SECONDS)
                problem = await self._request(blob, first, end)
                if not problem:
                    break
        except Exception as e:  # whatever it is, who waits must not wait for ever
            problem = f"{type(e).__name__}: {e}"
        finally:
            self._running -= 1
        if problem:
            self._log(f"{self._blobs[blob].layer.name}: {problem}")
            for chunk in range(first, end):
                self._kernel.call("tk_fetch_done", blob, chunk, 0)  # those that are here stay
        self._tell(blob, problem)
        waiters, self._waiters = self._waiters, []
        for later in waiters:
            later.resolve(problem)
        self._start()

    async def _request(self, blob: int, first: int, end: int) -> str:
        """What went wrong, or ""."""
        state = self._blobs[blob]
        layer = state.layer
        low, high = layer.place(first, end)
        state.requests += 1
        try:
            data, start = await self._host.fetch(layer.url, low, high)
        except OSError as e:
            return f"{layer.url}: {e}"
        got = size_of(data)
        state.fetched += got
        if start > low or start + got < high:
            return f"{layer.url}: bytes {start}-{start + got} came, {low}-{high} were asked for"
        if start == 0 and got >= layer.place(0, len(layer.hashes))[1] and got > high - low:
            first, end = 0, len(layer.hashes)  # a server without ranges sent all of it: take what it sent
        for chunk in range(first, end):
            at, to = layer.place(chunk, chunk + 1)
            piece = part_of(data, at - start, to - start)
            if layer.members is not None:
                piece = await self._unpacked(piece)
            size = min(1 << layer.chunk_shift, layer.blob_bytes - (chunk << layer.chunk_shift))
            if size_of(piece) != size or await self._host.sha256(piece) != layer.hashes[chunk]:
                where = f"bytes {at} and on"
                return f"{layer.url}: {where} are corrupted (their sha256 differs from the index's): build both again"
            self._kernel.call("tk_fetch_claim", blob, chunk)
            address = self._kernel.call("tk_fetch_place", blob, chunk)
            if not address:
                continue  # the layer is gone, or it is here already
            self._kernel.poke(int(address), piece)
            self._kernel.call("tk_fetch_done", blob, chunk, 1)
            state.here += 1
        return ""

    async def _unpacked(self, piece: Any) -> Any:
        try:
            return await self._host.gunzip(piece)
        except (OSError, EOFError, ValueError):
            return b""  # its hash will say so

    def _tell(self, blob: int, problem: str = "") -> None:
        state = self._blobs[blob]
        here = min(state.here << state.layer.chunk_shift, state.layer.blob_bytes)
        total = state.layer.blob_bytes
        self._say(LayerProgress(state.layer.name, here, total, state.fetched, state.requests, problem))
