"""Process, CompletedProcess: what Runtime.spawn and Runtime.run give to users. owner: Runtime."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..abi.gen import messages as m
from ..channel.later import Later
from ..channel.port import Port
from ..channel.streams import StreamReader, StreamWriter
from ..state.child_exit import ChildExitState

__all__ = ["CompletedProcess", "Process"]

COPY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class CompletedProcess:
    """subprocess.CompletedProcess' shape, and how many instructions it took."""

    args: list[str]
    returncode: int
    stdout: bytes | None
    stderr: bytes | None
    instructions: int

    def check_returncode(self) -> None:
        """Raises subprocess.CalledProcessError unless it is 0."""
        if self.returncode:
            from subprocess import CalledProcessError

            raise CalledProcessError(self.returncode, self.args, self.stdout, self.stderr)


class Process:
    """A child of init, in asyncio.subprocess.Process' shape. Made by Runtime.spawn."""

    def __init__(self, port: Port, args: list[str], reply: m.ProcessSpawnReply, tty: bool) -> None:
        self._port = port
        self._exit: Later[ChildExitState] = Later()
        self.args = args
        self.pid = reply.pid
        self.crash: str | None = None  # ended by SIGSEGV, SIGABRT or the like: registers, code, mapped files
        self._terminal = reply.stdout if tty else -1
        self.stdout = StreamReader(port, reply.stdout) if reply.stdout >= 0 else None
        self.stderr = StreamReader(port, reply.stderr) if reply.stderr >= 0 else None
        self.stdin = StreamWriter(port, reply.stdin, owns=not tty) if reply.stdin >= 0 else None
        self._copies: list[asyncio.Task[None]] = []
        self._copied: tuple[StreamReader | None, StreamReader | None] | None = None

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self.args} returncode={self.returncode}>"

    def _exited(self, state: ChildExitState) -> None:
        self._exit.resolve(state)
        if self.stdin is not None:
            self.stdin.close()

    @property
    def returncode(self) -> int | None:
        """Exit code, minus the signal that ended it, or None while it runs."""
        return self._exit.result().returncode if self._exit.done else None

    @property
    def exit(self) -> ChildExitState | None:
        """Everything wait4 said."""
        return self._exit.result() if self._exit.done else None

    @property
    def instructions(self) -> int:
        """Retired by it and by what it reaped; 0 while it runs."""
        return self._exit.result().instructions if self._exit.done else 0

    async def wait(self) -> int:
        """returncode, once it ended. Raises TidemarkError when the runtime is lost."""
        code = (await self._exit).returncode
        if self._copies:  # what it wrote is shown before we return; what its children still write is not waited for
            await asyncio.wait(self._copies, timeout=COPY_SECONDS)
        return code

    async def communicate(self, input: bytes | None = None) -> tuple[bytes | None, bytes | None]:
        """Feed `input`, read both streams to their ends, wait."""
        feed = asyncio.ensure_future(self._feed(input))
        out, err = await asyncio.gather(_read_all(self.stdout), _read_all(self.stderr))
        await feed
        await self.wait()
        return out, err

    async def _feed(self, data: bytes | None) -> None:
        if self.stdin is None:
            return
        with suppress(BrokenPipeError, ConnectionResetError, OSError):
            if data:
                self.stdin.write(data)
                await self.stdin.drain()
        self.stdin.close()

    def send_signal(self, signal: int) -> None:
        """kill(2). Raises ProcessLookupError once it has ended."""
        if self._exit.done:
            raise ProcessLookupError
        self._port.request(m.ProcessKill(self.pid, int(signal)))

    def terminate(self) -> None:
        """SIGTERM"""
        self.send_signal(15)

    def kill(self) -> None:
        """SIGKILL"""
        self.send_signal(9)

    def resize(self, rows: int, columns: int) -> None:
        """The terminal has another size now: its foreground group gets SIGWINCH."""
        if self._terminal < 0:
            raise OSError(25, "Inappropriate ioctl for device: this process has no terminal of its own")
        self._port.request(m.ProcessResize(self._terminal, rows, columns))

    def _copy_out(self) -> None:
        """Streams of a spawn with None go where Python's own go."""
        self._copied = (self.stdout, self.stderr)
        for reader, target in ((self.stdout, sys.stdout), (self.stderr, sys.stderr)):
            if reader is not None:
                self._copies.append(asyncio.ensure_future(_copy(reader, target)))
        self.stdout = self.stderr = None


async def _copy(reader: StreamReader, target: Any) -> None:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := await reader.read(65536):
        target.write(decoder.decode(data))
        target.flush()


async def _read_all(reader: StreamReader | None) -> bytes | None:
    return None if reader is None else await reader.read()
