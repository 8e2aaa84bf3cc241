"""One host (Chromium or Node) that runs guest commands for run, demo, bench and the workload tests.

Owns: the server, the browser or Node process, the WebSocket to the agent in it (page/agent.py), and what happens when
any of them goes away. The agent drives tidemark_py's public API only; nothing here knows the kernel.

Wire: JSON text both ways, {"t": kind, ...}; data as binary messages: one byte stream (0 in, 1 out, 2 err, 3 trace),
u32 command number (little endian), bytes. Each side lets WINDOW_BYTES be on the way before it waits, so memory stays
bounded.
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..state.trace import CallUseState
from . import layer_build, pyodide_files
from .browser import Browser, BrowserError, Page
from .server import Server
from .toolchain import BuildError, node
from .websocket import WebSocket

PAGE_DIR = Path(__file__).resolve().parent / "page"
HEAD = struct.Struct("<BI")
WINDOW_BYTES = 1 << 20
TRACE_STREAM = 3  # of output(): trace records, raw
READY_TIMEOUT_S = 120.0
LAZY_BYTES = 48 << 20
HANG_GRACE_S = 10.0  # what the host grants the agent beyond a command's own time limit before it starts anew

DEFAULT_ENV = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "LANG": "C.UTF-8",
}


class SessionError(BuildError):
    """The host could not be started or was lost; the text says what it said last."""


@dataclass
class Command:
    """One guest command."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_ENV))
    cwd: str = "/"
    stdin: bytes | None = None  # None: fed by Session.feed
    timeout_s: float | None = None
    keep_fs: bool = True
    preopens: dict[str, str] | None = None  # what WebAssembly modules see, by the name they see; None: the default
    terminal: tuple[int, int] | None = None  # rows, columns
    timeline: bool = False  # with waits, messages and phases
    trace: bool = False  # trace records go to output() as TRACE_STREAM
    profile: bool = False  # so do samples of where threads compute


@dataclass
class Ended:
    """How a command ended. exit_code is the shell's: 128 + n after signal n, 127 and 126 when it did not start."""

    exit_code: int
    signal: int | None = None
    wall_ms: float = 0.0
    instructions: int | None = None
    timed_out: bool = False
    error: str = ""  # why it did not start, or what was lost
    crashes: list[str] = field(default_factory=list)  # reports of processes that a signal ended with a core dump
    calls: list[CallUseState] = field(default_factory=list)  # made by programs, and not there or only in part
    diagnostics: list[str] = field(default_factory=list)  # what the kernel said meanwhile: unknown calls, refused files


Output = Callable[[int, bytes], None]


class _Running:
    """Host side of a command on its way."""

    def __init__(self, number: int, command: Command, output: Output) -> None:
        self.number = number
        self.command = command
        self.output = output
        self.ended: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()  # None: the host went away
        self.credit = WINDOW_BYTES
        self.change = threading.Condition()
        self.over = False


class Session:
    """Start it once, run many commands one after the other."""

    def __init__(
        self,
        layers: list[Path],
        host: str = "chromium",
        log: Callable[[str], None] = lambda _: None,
        options: dict[str, Any] | None = None,
        mounts: list[tuple[str, bool]] | None = None,
        lazy: str = "auto",
    ) -> None:
        """mounts: guest directories and whether they are read-only, parents first.

        layers: `.tdl` files. lazy: whose bodies come when touched: "auto" (above LAZY_BYTES), "always", "never".
        """
        self.layers = layers
        self.mounts = mounts or []
        self.host = host
        self.log = log
        self.options = options or {}
        self.start_ms = 0.0
        self.info: dict[str, Any] = {}
        self._number = 0
        self._running: _Running | None = None
        self._socket: WebSocket | None = None
        self._ready: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._uploads: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._browser: Browser | None = None
        self._page: Page | None = None
        self._node: subprocess.Popen[bytes] | None = None
        self._last_lines: list[str] = []
        public = {**pyodide_files.served(), "/run": PAGE_DIR}
        private: dict[str, Path] = {}
        self._layer_urls: list[str] = []
        for i, path in enumerate(layers):
            private[f"/layer/{i}/{path.name}"] = path
            self._layer_urls.append(f"/layer/{i}/{path.name}")
            if lazy == "always" or (lazy == "auto" and path.stat().st_size > LAZY_BYTES):
                private[f"/layer/{i}/index.tdx"] = layer_build.lazy_index(path)
                self._layer_urls[i] = f"/layer/{i}/index.tdx"
        self._server = Server(public, private, self._serve, lambda name, body: self._uploads.put((name, body)))

    @property
    def pid(self) -> int:
        """The browser's or Node's process, 0 when none runs."""
        if self._browser:
            return self._browser.pid
        return self._node.pid if self._node else 0

    # ---- life ----

    def start(self) -> None:
        """Start the host and wait until its runtime is ready. Raises SessionError."""
        began = time.monotonic()
        self._ready = queue.SimpleQueue()
        try:
            if self.host == "chromium":
                self._start_chromium()
            else:
                self._start_node()
        except BrowserError as e:
            raise SessionError(str(e)) from None
        problem = self._await_ready(began + READY_TIMEOUT_S)
        if problem:
            said = "".join(f"\n  {line}" for line in self._last_lines[-12:])
            self._stop_host()
            raise SessionError(f"the runtime did not start in {self.host}: {problem}{said}")
        self.start_ms = (time.monotonic() - began) * 1000
        times = ", ".join(f"{k} {v:.0f} ms" for k, v in self.info.items() if k.endswith("_ms"))
        self.log(f"{self.host}: ready after {self.start_ms:.0f} ms ({times})")

    def _await_ready(self, deadline: float) -> str:
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                return self._ready.get(timeout=0.1)
            if self._gone():
                return "it went away"
        return f"nothing heard in {READY_TIMEOUT_S:.0f} s"

    def _start_chromium(self) -> None:
        if self._browser is None or self._browser.gone.is_set():
            self._browser = Browser()
        self._page = self._browser.page(self._heard)
        # after the '#': never sent, not in the process list
        self._page.goto(self._server.url("/run/runner.html") + f"#{self._server.token}")

    def _start_node(self) -> None:
        self._node = subprocess.Popen(
            [str(node()), "--no-warnings", str(PAGE_DIR / "runner_node.mjs"), self._server.origin],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        assert self._node.stdin and self._node.stdout
        setup = {"token": self._server.token, "pyodide": str(pyodide_files.pyodide_dir())}
        self._node.stdin.write(json.dumps(setup).encode() + b"\n")
        self._node.stdin.flush()
        threading.Thread(target=self._read_node, args=(self._node,), name="node", daemon=True).start()

    def _read_node(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        for line in process.stdout:
            self._heard("log", line.decode("utf-8", "replace").rstrip())

    def _heard(self, level: str, text: str) -> None:
        self._last_lines.append(f"{level}: {text}")
        del self._last_lines[:-100]
        self.log(f"{self.host} {level}: {text}")

    def _gone(self) -> bool:
        if self.host == "chromium":
            return self._page is None or self._page.crashed.is_set()
        return self._node is None or self._node.poll() is not None

    def _stop_host(self) -> None:
        socket, self._socket = self._socket, None
        if socket:
            socket.close()
        if self._page:
            self._page.close()
            self._page = None
        if self._node:
            with contextlib.suppress(ProcessLookupError):
                self._node.kill()
            self._node.wait()
            self._node = None

    def close(self) -> None:
        """End everything."""
        self._stop_host()
        if self._browser:
            self._browser.close()
            self._browser = None
        self._server.close()

    def __enter__(self) -> Session:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def layer_bytes_sent(self) -> int:
        """What the server has sent of the layers so far: indexes and bodies."""
        return sum(n for path, n in self._server.sent.items() if path.startswith("/layer/"))

    # ---- wire ----

    def _serve(self, socket: WebSocket) -> None:
        self._socket = socket
        setup = {
            "t": "setup",
            "layers": self._layer_urls,
            "options": self.options,
            "mounts": self.mounts,
            "window": WINDOW_BYTES,
        }
        socket.send(json.dumps(setup))
        while (message := socket.receive()) is not None:
            if isinstance(message, bytes):
                self._take_output(socket, message)
            else:
                self._take(json.loads(message))
        if self._socket is socket:
            self._socket = None
            self._ready.put("the page closed its connection")
            if self._running:
                self._running.ended.put(None)

    def _take_output(self, socket: WebSocket, message: bytes) -> None:
        stream, number = HEAD.unpack_from(message)
        running = self._running
        if running and running.number == number:
            running.output(stream, message[HEAD.size :])
        with contextlib.suppress(OSError):
            socket.send(json.dumps({"t": "ack", "id": number, "stream": stream, "n": len(message) - HEAD.size}))

    def _take(self, m: dict[str, Any]) -> None:
        kind = m["t"]
        running = self._running
        if kind == "ready":
            self.info = m
            self._ready.put("")
        elif kind == "failed":
            self._ready.put(m["text"])
        elif kind == "log":
            self._heard("log", m["text"])
        elif kind == "reply":
            self._replies.put(m)
        elif running is None or running.number != m.get("id"):
            return
        elif kind == "ack":
            with running.change:
                running.credit += m["n"]
                running.change.notify_all()
        elif kind == "ended":
            running.ended.put(_ended(m))

    def _send(self, message: dict[str, Any] | bytes) -> None:
        socket = self._socket
        if socket is None:
            raise SessionError(f"{self.host} went away")
        try:
            socket.send(message if isinstance(message, bytes) else json.dumps(message))
        except OSError as e:
            raise SessionError(f"{self.host} went away ({e})") from None

    # ---- commands ----

    def run(self, command: Command, output: Output, feeder: Callable[[], None] | None = None) -> Ended:
        """Run one command to its end; output(1 or 2, bytes) comes from another thread. A guest's fault never raises.

        feeder: runs in a thread of its own once the command may be fed, when command.stdin is None.
        """
        if self._socket is None:
            self._restart()
        self._number += 1
        running = _Running(self._number, command, output)
        self._running = running
        began = time.monotonic()
        try:
            self._send(_start_message(running))
            if command.stdin is not None:
                threading.Thread(target=self._feed_all, args=(running, command.stdin), daemon=True).start()
            elif feeder is not None:
                threading.Thread(target=feeder, name="stdin", daemon=True).start()
            ended = self._await_end(running, began)
        except SessionError as e:
            ended = Ended(255, error=str(e))
        finally:
            running.over = True
            with running.change:
                running.change.notify_all()
            self._running = None
        ended.wall_ms = ended.wall_ms or (time.monotonic() - began) * 1000
        if ended.error.startswith("lost"):
            self._stop_host()
        return ended

    def _await_end(self, running: _Running, began: float) -> Ended:
        limit = running.command.timeout_s
        while True:
            try:
                ended = running.ended.get(timeout=0.2)
            except queue.Empty:
                if limit is not None and time.monotonic() - began > limit + HANG_GRACE_S:
                    return Ended(128 + signal.SIGKILL, signal.SIGKILL, timed_out=True, error="lost: the host hung")
                if self._gone():
                    return Ended(255, error=f"lost: {self.host} went away while the command ran")
                continue
            return ended or Ended(255, error=f"lost: {self.host} went away while the command ran")

    def _restart(self) -> None:
        self.log(f"{self.host}: starting anew")
        self._stop_host()
        self.start()

    def _feed_all(self, running: _Running, data: bytes) -> None:
        with contextlib.suppress(SessionError):
            self._feed(running, data)
            self._send({"t": "eof", "id": running.number})

    def _feed(self, running: _Running, data: bytes) -> None:
        view = memoryview(data)
        while view and not running.over:
            with running.change:
                while running.credit <= 0 and not running.over:
                    running.change.wait(1.0)
                n = min(len(view), running.credit, 1 << 16)
                running.credit -= n
            self._send(HEAD.pack(0, running.number) + bytes(view[:n]))
            view = view[n:]

    def feed(self, data: bytes) -> None:
        """Give the running command input; b"" ends it. Blocks while the command does not read."""
        running = self._running
        if running:
            if data:
                self._feed(running, data)
            else:
                self._send({"t": "eof", "id": running.number})

    def send_signal(self, number: int) -> None:
        """Send the running command a signal."""
        if self._running:
            self._send({"t": "signal", "id": self._running.number, "signal": number})

    def resize(self, rows: int, columns: int) -> None:
        """The terminal has another size now."""
        if self._running:
            self._send({"t": "resize", "id": self._running.number, "rows": rows, "columns": columns})

    def ask(self, what: str, timeout: float = 120.0, **fields: Any) -> dict[str, Any]:
        """A question to the agent outside commands (bench, mounts). Raises SessionError."""
        self._send({"t": "ask", "what": what, **fields})
        try:
            reply = self._replies.get(timeout=timeout)
        except queue.Empty:
            raise SessionError(f"{self.host}: no answer to {what} in {timeout:.0f} s") from None
        if "error" in reply:
            raise SessionError(f"{self.host}: {what}: {reply['error']}")
        return reply

    def fetch_tree(self, guest: str) -> bytes:
        """A tar archive of a guest directory."""
        self.ask("tree", path=guest)
        return self._uploads.get(timeout=60)[1]


def _start_message(running: _Running) -> dict[str, Any]:
    c = running.command
    return {
        "t": "start",
        "id": running.number,
        "argv": c.argv,
        "env": c.env,
        "cwd": c.cwd,
        "timeout_s": c.timeout_s,
        "keep_fs": c.keep_fs,
        "terminal": c.terminal,
        "trace": c.trace,
        "timeline": c.timeline,
        "profile": c.profile,
        "preopens": c.preopens,
    }


def _ended(m: dict[str, Any]) -> Ended:
    number = m.get("signal")
    code = 128 + number if number else m["exit_code"]
    return Ended(
        code, number, m.get("wall_ms", 0.0), m.get("instructions"), bool(m.get("timed_out")), m.get("error") or "",
        m.get("crashes") or [], [CallUseState(**row) for row in m.get("calls") or []], m.get("diagnostics") or [],
    )  # fmt: skip
