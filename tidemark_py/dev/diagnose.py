"""What `build.py run` says besides a command's output: --strace, --trace, --profile, crash reports, missing calls.

Owns the options' meaning and where the text goes: our stderr, or the named files. The guest's own streams stay as they
are.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..abi.gen.abi import Trace
from ..state.perfetto import perfetto_trace
from ..state.timeline import chrome_trace
from ..state.trace import CallUseState, TraceEvent, format_trace, parse_trace
from .profile import Symbols, speedscope
from .session import TRACE_STREAM, Ended
from .toolchain import BuildError

NOT_IMPLEMENTED = "is not implemented: ENOSYS"  # the kernel's own line: ours says it with the count


@dataclass(frozen=True)
class Wanted:
    """What the command line said. strace: None, "-" for stderr, or a file. calls: "missing", "all" or "none"."""

    strace: str | None = None
    trace: Path | None = None
    crash_report: bool | None = None  # None: when stderr is a terminal
    calls: str = "missing"
    profile: Path | None = None

    @property
    def records(self) -> bool:
        """System calls have to be recorded."""
        return self.strace is not None or self.trace is not None


class Watcher:
    """One command's. Use as a context; output() stands before what takes the guest's own streams."""

    def __init__(self, wanted: Wanted, layers: Sequence[Path] = ()) -> None:
        self.wanted = wanted
        self._layers = layers  # where a profile's symbols come from
        self._samples: list[TraceEvent] = []
        self._events: list[TraceEvent] = []
        self._epoch = 0
        self._to: IO[str] | None = None
        self._close = contextlib.ExitStack()

    def __enter__(self) -> Watcher:
        strace = self.wanted.strace
        try:
            if strace == "-":
                self._to = sys.stderr
            elif strace is not None:
                self._to = self._close.enter_context(open(strace, "w", encoding="utf-8"))
            for file in (self.wanted.trace, self.wanted.profile):
                if file:
                    file.touch()
        except OSError as e:
            raise BuildError(f"{e.filename}: {e.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._close.close()

    def output(self, next_one: Callable[[int, bytes], None]) -> Callable[[int, bytes], None]:
        """For Session.run: trace records are ours, the rest is passed on."""

        def take(stream: int, data: bytes) -> None:
            if stream == TRACE_STREAM:
                self._records(data)
            else:
                next_one(stream, data)

        return take

    def _records(self, data: bytes) -> None:
        lines = []
        for event in parse_trace(data):
            self._epoch = self._epoch or event.start_ns
            if self._to and event.kind in (Trace.CALL, Trace.EVENT, Trace.LOST):
                lines.append(format_trace(event, self._epoch) + "\n")
            if event.kind == Trace.SAMPLE:
                self._samples.append(event)
            elif self.wanted.trace:
                self._events.append(event)
        if self._to and lines:
            self._to.write("".join(lines))
            self._to.flush()

    def report(self, ended: Ended, say: Callable[[str], None]) -> None:
        """When it is over."""
        for line in ended.diagnostics:
            if not line.endswith(NOT_IMPLEMENTED):
                say(line)
        for line in missing(ended.calls, self.wanted.calls):
            say(line)
        if self.wanted.crash_report if self.wanted.crash_report is not None else sys.stderr.isatty():
            for text in ended.crashes:
                say(text.rstrip("\n"))
        if self.wanted.profile:
            text = json.dumps(speedscope(self._samples, Symbols(self._layers)))
            try:
                self.wanted.profile.write_text(text, encoding="utf-8")
            except OSError as e:
                raise BuildError(f"{self.wanted.profile}: {e.strerror}") from None
        if self.wanted.trace:
            try:
                if self.wanted.trace.suffix == ".json":
                    self.wanted.trace.write_text(json.dumps(chrome_trace(self._events)), encoding="utf-8")
                else:
                    self.wanted.trace.write_bytes(perfetto_trace(self._events))
            except OSError as e:
                raise BuildError(f"{self.wanted.trace}: {e.strerror}") from None


def missing(calls: list[CallUseState], what: str) -> list[str]:
    """Lines about calls that this kernel lacks: those that mattered, all that were used, or none."""
    shown = [c for c in calls if what == "all" or (what == "missing" and c.matters)]
    shown.sort(key=lambda c: (c.level != "none", c.program, c.nr))
    return [f"system call: {c}" for c in shown]
