"""Port: requests, replies and one-way messages over one raw port, with one handler for what comes in.

Any number of requests may be under way; they may be answered out of order. An unknown message gets an error reply.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..abi.gen.messages import MESSAGES, Message, Request
from ..errors import InternalError
from ..host.contract import RawPort, Wire
from .later import Later
from .wire import decode, encode, error_from_wire, error_to_wire

__all__ = ["Port"]

R = TypeVar("R", bound=Message)


class Port:
    """owner: the role or page that made it. `handler` has a method per message: fs.stat -> fs_stat(message)."""

    def __init__(self, raw: RawPort, handler: object, failed: Callable[[BaseException], None] | None = None) -> None:
        self._raw = raw
        self._handler = handler
        self._failed = failed
        self._next = 1
        self._pending: dict[int, tuple[Later[Any], type[Message]]] = {}
        self._methods: dict[str, tuple[type[Message], Callable[[Any], Any], bool]] = {}
        self._over: BaseException | None = None
        raw.listen(self.receive)

    def request(self, message: Request[R]) -> Later[R]:
        """Send and get the reply later. After fail_all() it fails at once."""
        later: Later[R] = Later()
        if self._over is not None:
            later.fail(self._over)
            return later
        number, self._next = self._next, self._next + 1
        wire = encode(message)
        wire["id"] = number
        self._pending[number] = (later, message.REPLY)
        self._raw.post(wire)
        return later

    def send(self, message: Message) -> None:
        """Send a one-way message."""
        if self._over is None:
            self._raw.post(encode(message))

    def fail_all(self, error: BaseException) -> None:
        """Everything pending, and everything asked from now on, fails with `error`."""
        if self._over is None:
            self._over = error
        pending, self._pending = self._pending, {}
        for later, _ in pending.values():
            later.fail(error)

    @property
    def pending(self) -> int:
        """Requests without a reply."""
        return len(self._pending)

    def receive(self, wire: Wire) -> None:
        """A message came in."""
        if "r" in wire:
            self._reply_received(wire)
            return
        number = wire.get("id")
        try:
            result = self._dispatch(wire)
        except Exception as e:  # every failure is an answer
            self._answer(number, e)
            return
        if number is None:
            return
        if isinstance(result, Later):
            result.then(lambda later: self._answer_later(number, later))
        elif isinstance(result, Message):
            self._answer(number, result)
        else:
            self._await(number, result)

    def _dispatch(self, wire: Wire) -> Any:
        name = wire.get("m")
        entry = self._methods.get(name) if isinstance(name, str) else None
        if entry is None:
            cls = MESSAGES.get(name) if isinstance(name, str) else None
            method = getattr(self._handler, name.replace(".", "_"), None) if cls and isinstance(name, str) else None
            if cls is None or method is None or not isinstance(name, str):
                raise InternalError(f"{type(self._handler).__name__} was sent an unknown message {name!r}")
            entry = self._methods[name] = (cls, method, issubclass(cls, Request))
        return entry[1](decode(entry[0], wire))

    def _reply_received(self, wire: Wire) -> None:
        entry = self._pending.pop(int(wire["r"]), None)
        if entry is None:
            return
        later, cls = entry
        if wire.get("error") is not None:
            later.fail(error_from_wire(wire["error"]))
            return
        try:
            later.resolve(decode(cls, wire))
        except InternalError as e:
            later.fail(e)

    def _answer_later(self, number: int, later: Later[Any]) -> None:
        try:
            result = later.result()
        except Exception as e:
            self._answer(number, e)
        else:
            self._answer(number, result)

    def _await(self, number: int, result: Awaitable[Message]) -> None:
        import asyncio

        async def wait() -> Message:
            return await result

        task = asyncio.ensure_future(wait())

        def done(task: asyncio.Task[Message]) -> None:
            error = task.exception()
            self._answer(number, error if error is not None else task.result())

        task.add_done_callback(done)

    def _answer(self, number: Any, result: Message | BaseException) -> None:
        if isinstance(result, BaseException):
            if self._failed is not None and not isinstance(result, OSError):
                self._failed(result)
            if number is not None and self._over is None:
                self._raw.post({"r": number, "error": error_to_wire(result)})
        elif self._over is None:
            wire = encode(result)
            wire["r"] = number
            self._raw.post(wire)
