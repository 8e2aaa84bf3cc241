"""`rt.frames`: opening channels, showing one on a canvas, the screen's size, keys and pointer for guests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..abi.gen import linux
from ..abi.gen import messages as m
from ..abi.gen.abi import FRAME_SCREEN_CHANNEL
from ..channel.port import Port
from ..host.contract import FrameHost, FrameRenderer
from ..state.metrics import Metric, of_samples
from .channel import FrameReader
from .queue import Queue

__all__ = ["RuntimeFrames"]

KEYBOARD = 0
POINTER = 1
SCREEN = "fb0"


def channel_number(name: str) -> int:
    """ "frame0" .. "frame7", "fb0". Raises ValueError."""
    if name == SCREEN:
        return FRAME_SCREEN_CHANNEL
    number = name.removeprefix("frame")
    if not number.isdecimal() or int(number) >= FRAME_SCREEN_CHANNEL:
        raise ValueError(f"no frame device {name!r}: there are frame0 to frame{FRAME_SCREEN_CHANNEL - 1} and {SCREEN}")
    return int(number)


class RuntimeFrames:
    """Made by Runtime: rt.frames."""

    def __init__(self, port: Callable[[], Port], host: Callable[[], Awaitable[FrameHost]]) -> None:
        self._port = port
        self._host = host
        self._shown: dict[str, FrameRenderer] = {}

    async def open(self, name: str = "frame0") -> FrameReader:
        """The consumer's end of /dev/frameN (or "fb0"). Whoever had it is stale from now on. Raises ValueError."""
        number = channel_number(name)
        host = await self._host()
        reply = await self._port().request(m.FrameChannel(number))
        return FrameReader(name, host.consumer(reply.address))

    async def show(
        self,
        canvas: Any,
        name: str = "frame0",
        *,
        pixelated: bool = False,
        heard: Callable[[dict[str, Any]], None] | None = None,
    ) -> FrameRenderer:
        """Draw a channel on an OffscreenCanvas, from a worker of its own. Takes over the channel.

        heard: told {"t": "shown", kind, width, height}, {"t": "ended"}, {"t": "stale"} and {"t": "failed", text}.
        """
        number = channel_number(name)
        host = await self._host()
        reply = await self._port().request(m.FrameChannel(number))
        shown = host.show(canvas, reply.address, reply.boot_ms, pixelated, heard)
        self._shown[name] = shown
        return shown

    async def queue(self, capacity: int = 65536, *, many: bool = False) -> Queue:
        """An empty queue for records between this Python and workers; many: with several producers.

        capacity: bytes, a power of two. Raises ValueError.
        """
        return Queue((await self._host()).queue(capacity, many))

    async def metrics(self) -> list[Metric]:
        """From publishing to taking, by device, of the newest frames that are shown."""
        found = []
        for name, shown in list(self._shown.items()):
            if shown.closed:
                del self._shown[name]
                continue
            stats = await shown.stats()
            if stats["frames"]:
                p50, p99, most = stats["latency_us"]
                found.append(of_samples(f"frame.{name}", stats["frames"], (p50, p99, most)))
        return found

    async def screen_size(self, width: int, height: int) -> None:
        """The framebuffer's size in pixels, for programs that open it from now on. Raises OSError (EBUSY, EINVAL)."""
        await self._port().request(m.ScreenSize(width, height))

    async def input(self, device: int, events: Sequence[tuple[int, int, int]]) -> None:
        """Events (type, code, value) of linux/input.h for /dev/input/event0 (keyboard) or event1 (pointer).

        A report of its own: SYN_REPORT is added. Raises OSError (ENODEV, EINVAL).
        """
        flat = [number for event in (*events, (linux.EV_SYN, linux.SYN_REPORT, 0)) for number in event]
        await self._port().request(m.InputEvents(device, flat))

    async def key(self, code: int, down: bool) -> None:
        """A key of input-event-codes.h goes down or up."""
        await self.input(KEYBOARD, [(linux.EV_KEY, code, int(down))])

    async def pointer(self, x: int, y: int, buttons: Sequence[tuple[int, bool]] = (), wheel: int = 0) -> None:
        """The pointer is at a pixel of the screen; buttons: (BTN_*, down) that changed; wheel: notches up."""
        events = [(linux.EV_ABS, linux.ABS_X, x), (linux.EV_ABS, linux.ABS_Y, y)]
        events += [(linux.EV_KEY, code, int(down)) for code, down in buttons]
        events += [(linux.EV_REL, linux.REL_WHEEL, wheel)] if wheel else []
        await self.input(POINTER, events)
