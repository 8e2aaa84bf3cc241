"""A Linux terminal for a page: the Python half of <tidemark-terminal>, in the element's own worker.

Owns: the Runtime of the element, the layers it asked for, one process at a time on a pty, and what that process learns
of the browser. Called by js_shim/element_worker.js with `serve(host)`; messages in: start, input, resize, ack.
Output the screen has not drawn yet is bounded by WINDOW_BYTES: a flood waits in the guest's pty.
"""

from __future__ import annotations

import asyncio
import shlex
import struct
from typing import Any

from .. import layers as file_layers
from ..errors import TidemarkError

__all__ = ["environment", "serve", "zone_file"]

WINDOW_BYTES = 1 << 18
CHUNK_BYTES = 1 << 14
LAST_OUTPUT_S = 2.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(language: str, zone: str, locales: list[str], extra: dict[str, str]) -> dict[str, str]:
    """What a program in a browser's terminal finds in its environment.

    LANG is the browser's language when the layer has that locale; else C.UTF-8, which every Debian layer has, and
    LANGUAGE alone names the browser's. `locales`: names below /usr/lib/locale.
    """
    tag = language.replace("-", "_")
    wanted = {f"{tag}.utf8", f"{tag}.UTF-8"}
    env = {
        "PATH": PATH,
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": zone,
        "LANG": f"{tag}.UTF-8" if wanted & set(locales) else "C.UTF-8",
        "LANGUAGE": ":".join(dict.fromkeys([tag, tag.partition("_")[0]])),
        "PS1": r"\w \$ ",
    }
    return env | extra


def zone_file(offsets: list[tuple[int, int]]) -> bytes:
    """A TZif file (RFC 9636, version 2) for [since, seconds east] pairs; names are numeric ("+02")."""
    names: dict[int, str] = {}
    for _, offset in offsets:
        sign, (hours, rest) = "-" if offset < 0 else "+", divmod(abs(offset), 3600)
        names[offset] = f"{sign}{hours:02}" + (f"{rest // 60:02}" if rest else "")
    kinds = list(names)
    abbreviations = "".join(names[k] + "\0" for k in kinds).encode()
    where = {k: sum(len(names[x]) + 1 for x in kinds[: kinds.index(k)]) for k in kinds}
    changes = offsets[1:]

    def block(version: bytes, code: str) -> bytes:
        counts = struct.pack(">6I", 0, 0, 0, len(changes), len(kinds), len(abbreviations))
        times = struct.pack(f">{len(changes)}{code}", *(t for t, _ in changes))
        types = bytes(kinds.index(o) for _, o in changes)
        rows = b"".join(struct.pack(">iBB", k, 0, where[k]) for k in kinds)
        return b"TZif" + version + bytes(15) + counts + times + types + rows + abbreviations

    last = offsets[-1][1]
    hours, rest = divmod(abs(last), 3600)
    footer = f"\n<{names[last]}>{'' if last <= 0 else '-'}{hours}:{rest // 60:02}\n".encode()
    return block(b"2", "i") + block(b"2", "q") + footer


class Terminal:
    """One element's runtime and the process in it."""

    def __init__(self, host: Any, runtime: Any) -> None:
        self.host = host
        self.runtime = runtime
        self.process: Any = None
        self.size = (24, 80)
        self.applied: set[str] = set()
        self.window = WINDOW_BYTES
        self.opened = asyncio.Event()
        self.input: asyncio.Queue[bytes] = asyncio.Queue()
        self.tasks: set[asyncio.Future[Any]] = set()

    def post(self, **message: Any) -> None:
        """Tell the element."""
        from ..host.values import js_object

        self.host.post(js_object(message))

    def take(self, m: Any) -> None:
        """A message of the element."""
        kind = m.t
        if kind == "input":
            if self.process:
                self.input.put_nowait(m.data.to_bytes())
        elif kind == "ack":
            self.window += m.n
            self.opened.set()
        elif kind == "resize":
            self.size = (m.rows, m.columns)
            if self.process:
                self.process.resize(*self.size)
        elif kind == "start":
            task = asyncio.ensure_future(self.start(m.to_py()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def start(self, m: dict[str, Any]) -> None:
        """Run the element's command until it ends; what goes wrong is shown in the element."""
        try:
            await self.run(m)
        except OSError as e:
            self.post(t="failed", text=f"{m['cmd']}: {e.strerror or e}")
        except TidemarkError as e:
            self.post(t="failed", text=str(e))

    async def run(self, m: dict[str, Any]) -> None:
        """Layers, environment, process, pumps."""
        if self.process:
            self.process.kill()
            await self.process.wait()
        for n, url in enumerate(m["layers"]):
            if url not in self.applied:
                name = url.rpartition("/")[2]
                self.host.progress(f"Loading {name} …", 0.6 + 0.3 * n / len(m["layers"]))
                await self.runtime.fs.apply_layer(await file_layers.fetch(url))
                self.applied.add(url)
        self.host.progress("Starting …", 0.95)
        fs = self.runtime.fs
        await self.give_zone(m["zone"], [(int(a), int(b)) for a, b in m["offsets"]])
        try:
            locales = await fs.readdir("/usr/lib/locale")
        except OSError:
            locales = []
        env = environment(m["language"], m["zone"], locales, m["env"])
        self.size = (m["rows"], m["columns"])
        self.input = asyncio.Queue()
        self.process = await self.runtime.spawn(
            shlex.split(m["cmd"]), env=env, cwd=m["cwd"] or env["HOME"], tty=self.size
        )
        self.post(t="started")
        feeding = asyncio.ensure_future(self.feed())
        drawing = asyncio.ensure_future(self.drain())
        code = await self.process.wait()
        # what it left behind loses its terminal, as when a window is closed; what was written is still drawn
        await self.runtime.kill_all()
        await asyncio.wait([drawing], timeout=LAST_OUTPUT_S)
        drawing.cancel()
        feeding.cancel()
        self.process = None
        self.post(t="exit", code=code)

    async def give_zone(self, zone: str, offsets: list[tuple[int, int]]) -> None:
        """A layer without tzdata gets the one zone file it needs."""
        path = f"/usr/share/zoneinfo/{zone}"
        fs = self.runtime.fs
        try:
            await fs.stat(path)
        except OSError:
            await fs.mkdir(path.rpartition("/")[0], parents=True, exist_ok=True)
            await fs.write_file(path, zone_file(offsets))

    async def feed(self) -> None:
        """Keys to the pty."""
        while True:
            self.process.stdin.write(await self.input.get())
            await self.process.stdin.drain()

    async def drain(self) -> None:
        """The pty's output to the screen, no faster than it draws."""
        while True:
            while self.window <= 0:
                self.opened.clear()
                await self.opened.wait()
            try:
                data = bytes(await self.process.stdout.read(min(CHUNK_BYTES, self.window)))
            except OSError:  # EIO: the last one has closed the terminal
                return
            if not data:
                return
            self.window -= len(data)
            self.post(t="output", data=data)


async def serve(host: Any) -> Terminal:
    """Start a runtime for the element; its messages go to the result's take()."""
    from ..runtime import Runtime

    return Terminal(host, await Runtime.create(topology="together", index_url=host.indexURL, snapshot=host.snapshot))
