"""Runs in the page (or Node): takes commands from the command line tool and drives tidemark_py's public API.

Owns: one Runtime, the roots of the commands, the pumps between guest streams and the WebSocket. A command is one
process on its own root; when it has ended, everything that descends from it is killed before the next one starts.
The wire is described in dev/session.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import signal
import struct
import time
import traceback
from typing import Any

import js
from pyodide.ffi import create_proxy, to_js

import tidemark_py as tm

HEAD = struct.Struct("<BI")
CHUNK_BYTES = 1 << 16
TRACE_STREAM = 3  # beside 1 and 2
DRAIN_S = 2.0  # for output of a command whose processes are all gone
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as shells say it

host = js.tidemarkAgent


def send(message: dict[str, Any]) -> None:
    """Tell the command line tool."""
    host.send(json.dumps(message))


class Command:
    """One command from its start to its end."""

    def __init__(self, agent: Agent, m: dict[str, Any]) -> None:
        self.agent = agent
        self.m = m
        self.number: int = m["id"]
        self.process: Any = None
        self.input: asyncio.Queue[bytes] = asyncio.Queue()
        self.window = {1: agent.window, 2: agent.window}
        self.opened = asyncio.Event()
        self.lost = ""

    # ---- streams ----

    async def pump_in(self) -> None:
        """Input to the guest; what it accepted is acknowledged. A guest that closed its stdin swallows the rest."""
        writer = self.process.stdin
        while data := await self.input.get():
            try:
                writer.write(data)
                await writer.drain()
            except (OSError, ValueError):  # nobody reads it, or it has ended
                pass
            send({"t": "ack", "id": self.number, "n": len(data)})
        with contextlib.suppress(OSError):
            writer.close()

    async def pump_out(self, stream: int, reader: Any) -> None:
        """Output of the guest, no more on the way than the window."""
        while True:
            while self.window[stream] <= 0:
                self.opened.clear()
                await self.opened.wait()
            data = bytes(await reader.read(min(CHUNK_BYTES, self.window[stream])))
            if not data:
                return
            self.window[stream] -= len(data)
            host.send(to_js(HEAD.pack(stream, self.number) + data))

    def acknowledged(self, stream: int, n: int) -> None:
        """The tool has written n bytes."""
        if stream in self.window:
            self.window[stream] += n
        self.opened.set()

    # ---- life ----

    async def run(self) -> None:
        """Start, pump, wait, clean up, report."""
        began = time.perf_counter()
        report: dict[str, Any] = {"t": "ended", "id": self.number}
        said = self.agent.runtime.diagnostics
        before = len(said)
        try:
            root = await self.agent.root(self.m["keep_fs"])
            report |= await self.life(root)
        except Exception as e:
            text = str(e) if isinstance(e, tm.TidemarkError) else traceback.format_exc()
            report |= {"exit_code": 255, "error": f"lost: {text}"}
        report["wall_ms"] = round((time.perf_counter() - began) * 1000, 3)
        report["diagnostics"] = list(said)[before:]
        report |= await self.found()
        self.agent.command = None
        send(report)

    async def found(self) -> dict[str, Any]:
        """Crash reports and calls that are not there; all trace records have been sent when this returns."""
        runtime = self.agent.runtime
        if runtime.closed:
            return {}
        crashes = [text for _, text in runtime.crashes]
        runtime.crashes.clear()
        if self.m.get("trace") or self.m.get("profile"):
            await runtime.tracing.switch(0, calls=False, events=False)
            runtime.tracing.raw = None
        uses = [dataclasses.asdict(u) for u in await runtime.unsupported_calls()]
        return {"crashes": crashes, "calls": uses}

    def traced(self, records: bytes) -> None:
        """Trace records to the tool."""
        host.send(to_js(HEAD.pack(TRACE_STREAM, self.number) + records))

    async def life(self, root: int) -> dict[str, Any]:
        """The process itself."""
        m = self.m
        terminal = m.get("terminal")
        trace, timeline, profile = (bool(m.get(what)) for what in ("trace", "timeline", "profile"))
        if trace or profile:
            self.agent.runtime.tracing.raw = self.traced
            await self.agent.runtime.tracing.switch(0, trace, trace, timeline, profile)
        streams = {"tty": tuple(terminal)} if terminal else dict.fromkeys(("stdin", "stdout", "stderr"), tm.PIPE)
        try:
            self.process = await self.agent.runtime.spawn(
                m["argv"],
                env=m["env"],
                cwd=m["cwd"],
                root=root,
                start_new_session=True,
                preopens=m.get("preopens"),
                **streams,
            )
        except OSError as e:
            code = NOT_FOUND if isinstance(e, FileNotFoundError) else NOT_EXECUTABLE
            return {"exit_code": code, "error": f"{e.filename or m['argv'][0]}: {e.strerror}"}
        feeding = asyncio.ensure_future(self.pump_in())
        readers = {1: self.process.stdout} | ({} if terminal else {2: self.process.stderr})
        pumps = [asyncio.ensure_future(self.pump_out(n, reader)) for n, reader in readers.items()]
        timed_out = False
        try:
            await asyncio.wait_for(self.process.wait(), m.get("timeout_s"))
        except TimeoutError:
            timed_out = True
            self.process.kill()
            await self.process.wait()
        await self.agent.kill_all()
        await self.finish(pumps)
        feeding.cancel()
        code = self.process.returncode
        result = {"instructions": getattr(self.process, "instructions", None), "timed_out": timed_out}
        return result | ({"signal": -code} if code < 0 else {"exit_code": code})

    async def finish(self, pumps: list[asyncio.Task[None]]) -> None:
        """Everything written before the end still goes out, however slowly the tool reads."""
        done, pending = await asyncio.wait(pumps, timeout=DRAIN_S)
        while pending and any(n <= 0 for n in self.window.values()):
            done, pending = await asyncio.wait(pending, timeout=DRAIN_S)
        for p in pending:
            p.cancel()
        for p in done:
            p.result()


class Agent:
    """What the tool talks to."""

    def __init__(self) -> None:
        self.runtime: Any = None
        self.command: Command | None = None
        self.window = 0
        self.scratch_root = 0
        self.mounts: list[list[Any]] = []
        self.tasks: set[asyncio.Future[Any]] = set()

    def spawn(self, coroutine: Any) -> None:
        """Run in the background, keep a reference."""
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- messages ----

    def take(self, data: Any) -> None:
        """One message from the tool."""
        if not isinstance(data, str):
            raw = data.to_bytes()
            _, number = HEAD.unpack_from(raw)
            if self.command and self.command.number == number:
                self.command.input.put_nowait(raw[HEAD.size :])
            return
        m = json.loads(data)
        kind = m["t"]
        if kind == "setup":
            self.spawn(self.setup(m))
        elif kind == "ask":
            self.spawn(self.answer(m))
        elif kind == "start":
            self.command = Command(self, m)
            self.spawn(self.command.run())
        elif self.command and self.command.number == m["id"]:
            self.take_for(self.command, m)

    def take_for(self, command: Command, m: dict[str, Any]) -> None:
        """A message about the running command."""
        kind = m["t"]
        if kind == "ack":
            command.acknowledged(m["stream"], m["n"])
        elif kind == "eof":
            command.input.put_nowait(b"")
        elif kind == "signal" and command.process:
            with contextlib.suppress(ProcessLookupError):
                command.process.send_signal(m["signal"])
        elif kind == "resize" and command.process:
            command.process.resize(m["rows"], m["columns"])

    async def setup(self, m: dict[str, Any]) -> None:
        """Runtime and layers."""
        try:
            began = time.perf_counter()
            self.window = m["window"]
            self.mounts = m.get("mounts", [])
            options = dict(m["options"])
            self.runtime = await tm.Runtime.create(index_url=host.indexURL, snapshot=host.snapshot, **options)
            created = time.perf_counter()
            for url in m["layers"]:
                await self.runtime.fs.apply_layer(f"{host.origin}{url}?token={host.token}")
            ready = time.perf_counter()
        except Exception as e:
            text = f"{type(e).__name__}: {e}" if isinstance(e, tm.TidemarkError) else traceback.format_exc()
            send({"t": "failed", "text": text})
            return
        times = {"python_ms": js.performance.now() - (ready - began) * 1000}
        times |= {"create_ms": (created - began) * 1000, "layers_ms": (ready - created) * 1000}
        send({"t": "ready", **times})

    async def root(self, keep: bool) -> int:
        """The root a command gets: a fresh view of the layers, or the one before."""
        if not keep or not self.scratch_root:
            old, self.scratch_root = self.scratch_root, 0
            if old:
                await self.runtime.root_drop(old)
            self.scratch_root = await self.runtime.root_new(0)
            for path, read_only in self.mounts:
                await self.runtime.fs.mount(path, read_only=read_only, root=self.scratch_root)
        return self.scratch_root

    async def kill_all(self) -> None:
        """No process of the command is left when this returns."""
        await self.runtime.kill_all(signal.SIGKILL)

    async def answer(self, m: dict[str, Any]) -> None:
        """Questions outside commands."""
        try:
            reply = await getattr(self, "ask_" + m["what"])(m)
        except Exception:
            send({"t": "reply", "error": traceback.format_exc()})
            return
        send({"t": "reply", **(reply or {})})

    async def ask_state(self, _: dict[str, Any]) -> dict[str, Any]:
        """Counters, processes, workers and what the kernel said."""
        state = await self.runtime.snapshot()
        pool = dataclasses.asdict(await self.runtime.pool_stats())
        return {"state": state.to_json(), "pool": pool, "diagnostics": list(self.runtime.diagnostics)}

    async def ask_measure(self, m: dict[str, Any]) -> dict[str, Any]:
        """Histograms on or off; what they have."""
        metrics = [dataclasses.asdict(metric) for metric in await self.runtime.metrics()]
        await self.runtime.measure(bool(m["on"]))
        return {"metrics": metrics}

    async def ask_fetches(self, _: dict[str, Any]) -> dict[str, Any]:
        """How far the lazy layers have come."""
        return {"fetches": [dataclasses.asdict(p) for p in self.runtime.fs.fetches.values()]}

    async def ask_tree(self, m: dict[str, Any]) -> None:
        """Upload a tar archive of a directory of the current root."""
        tar = await self.runtime.fs.snapshot(m["path"], root=self.scratch_root)
        await js.fetch(f"{host.origin}/upload/tree?token={host.token}", method="POST", body=to_js(tar))


agent = Agent()
host.listen(create_proxy(agent.take))
