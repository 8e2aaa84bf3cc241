"""What <tidemark-canvas> asks of the elements' server: a renderer on its canvas, the screen's size, keys, pointer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ..errors import TidemarkError

__all__ = ["calls", "show"]


async def show(elements: Any, number: int, canvas: Any, wanted: dict[str, Any]) -> None:
    """Before its program starts: the session's canvas shows the device. wanted: device, screen, pixelated."""
    device = str(wanted.get("device") or "fb0")

    def heard(told: dict[str, Any]) -> None:
        what = told.pop("t")
        elements.post(t="frame", s=number, what=what, **told)

    if device == "fb0":
        width, height = (int(n) for n in wanted["screen"])
        await elements.runtime.frames.screen_size(width, height)
    pixelated = bool(wanted.get("pixelated"))
    elements.canvases[number] = await elements.runtime.frames.show(canvas, device, pixelated=pixelated, heard=heard)


def calls(elements: Any) -> dict[str, Callable[..., Coroutine[Any, Any, Any]]]:
    """name -> call, for elements.Elements."""
    frames = elements.runtime.frames

    def of(number: int) -> Any:
        if number not in elements.canvases:
            raise TidemarkError("nothing is shown in this element: start it first")
        return elements.canvases[number]

    async def canvas_size(number: int, width: int, height: int) -> None:
        of(number).resize(width, height)

    async def canvas_stats(number: int) -> dict[str, Any]:
        stats: dict[str, Any] = await of(number).stats()
        return stats

    async def canvas_read(number: int) -> bytes:
        pixels: bytes = await of(number).read()
        return pixels

    async def canvas_input(number: int, device: int, events: list[int]) -> None:
        of(number)
        await frames.input(device, [(events[n], events[n + 1], events[n + 2]) for n in range(0, len(events) - 2, 3)])

    async def canvas_close(number: int) -> None:
        shown = elements.canvases.pop(number, None)
        if shown is not None:
            shown.close()

    found = (canvas_size, canvas_stats, canvas_read, canvas_input, canvas_close)
    return {call.__name__: call for call in found}
