"""Later: an answer that is not there yet. Its callbacks run at once when it comes: no trip through the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

__all__ = ["Later"]

T = TypeVar("T")
U = TypeVar("U")


class Later(Generic[T]):
    """Resolved or failed exactly once; later attempts are ignored (the reader may have gone away)."""

    __slots__ = ("_callbacks", "_error", "_value", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Later[T]], None]] = []

    def resolve(self, value: T) -> None:
        """Give the answer."""
        if not self.done:
            self._value = value
            self._finish()

    def fail(self, error: BaseException) -> None:
        """Give an error instead."""
        if not self.done:
            self._error = error
            self._finish()

    def _finish(self) -> None:
        self.done = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def result(self) -> T:
        """The answer; raises the error."""
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def then(self, callback: Callable[[Later[T]], None]) -> None:
        """Call back once done (at once if it is)."""
        if self.done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def map(self, function: Callable[[T], U]) -> Later[U]:
        """What `function` makes of the answer; an error, its own too, goes through."""
        other: Later[U] = Later()

        def done(later: Later[T]) -> None:
            try:
                other.resolve(function(later.result()))
            except Exception as e:
                other.fail(e)

        self.then(done)
        return other

    def __await__(self) -> Generator[Any, None, T]:
        if not self.done:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.then(lambda _: None if future.done() else future.set_result(None))
            yield from future
        return self.result()
