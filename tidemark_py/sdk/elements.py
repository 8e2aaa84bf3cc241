"""The Python half of <tidemark-terminal> and <tidemark-run>: one server for all elements of a page, in their worker.

Owns: the Runtime they share, its file trees (one per set of layers, or per `machine` name), and a Session per program
an element runs. Called by js_shim/element/worker.js with `serve(host)`; messages in: open, input, eof, ack, resize,
signal, close, call; out: progress, started, output, exit, failed, reply, say, saved, event, trace. Every message names
its session `s` or its call `n`. Output an element has not drawn yet is bounded by WINDOW_BYTES: a flood waits in the
guest's pipe or pty.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from ..errors import TidemarkError
from ..runtime import PIPE, STDOUT
from . import canvas_calls, inspect_calls, preview_calls, python_block
from .terminal import COMMANDS, environment, zone_file

__all__ = ["Elements", "serve"]

WINDOW_BYTES = 1 << 18
CHUNK_BYTES = 1 << 14
LAST_OUTPUT_S = 2.0
SAVE_SECONDS = 5.0
SIGHUP, SIGKILL = 1, 9


class Tree:
    """A file tree of the runtime: root 0 or a root of its own, the layers in it, the name it is kept under."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.layers: set[str] = set()
        self.locales: list[str] = []
        self.prepared = False
        self.saved_as = ""
        self.touched = False
        self.lock = asyncio.Lock()


class Session:
    """One program of one element."""

    def __init__(self, elements: Elements, number: int, options: dict[str, Any]) -> None:
        self.elements = elements
        self.number = number
        self.options = options
        self.tree: Tree | None = None
        self.process: Any = None
        self.tty = bool(options.get("tty"))
        self.size = (int(options.get("rows", 24)), int(options.get("columns", 80)))
        self.window = WINDOW_BYTES
        self.opened = asyncio.Event()
        self.input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closing = False
        self.task: asyncio.Task[None] | None = None

    def post(self, kind: str, **message: Any) -> None:
        """Tell the element."""
        self.elements.post(t=kind, s=self.number, **message)

    def progress(self, text: str, fraction: float) -> None:
        """A line of it."""
        self.post("progress", text=text, fraction=fraction)

    async def main(self) -> None:
        """Until its end; what goes wrong is shown in the element."""
        try:
            await self.run()
        except asyncio.CancelledError:
            self.post("exit", code=-2, ms=0)
        except OSError as e:
            name = self.options.get("cmd") or "the program"
            where = f"{e.filename}: " if e.filename and e.filename != name else ""
            self.post("failed", text=f"{name}: {where}{e.strerror or e}", saved="")
        except Damaged as e:
            self.post("failed", text=str(e), saved=e.name)
        except (TidemarkError, ValueError) as e:
            self.post("failed", text=str(e), saved="")
        finally:
            self.process = None
            self.elements.sessions.pop(self.number, None)

    async def run(self) -> None:
        """Tree, files, program, pumps."""
        o, elements = self.options, self.elements
        tree = self.tree = await elements.tree(self)
        if "python" in o:
            await python_block.run(self, str(o["python"]))
            return
        env = environment(o["language"], o["zone"], tree.locales, dict(o.get("env") or {}))
        fs = elements.runtime.fs
        cwd = o.get("cwd") or env["HOME"]
        files = {p if p.startswith("/") else f"{cwd}/{p}": body for p, body in dict(o.get("files") or {}).items()}
        if files:
            await fs.write_files(files, root=tree.root)
        if "canvas" in o:
            await canvas_calls.show(elements, self.number, o["offscreen"], dict(o["canvas"]))
        if self.closing:
            return
        streams: dict[str, Any] = {"tty": self.size}
        if not self.tty:
            streams = {"stdin": PIPE, "stdout": PIPE, "stderr": STDOUT, "start_new_session": True}
        argv = shlex.split(o["cmd"])
        if not argv:
            raise ValueError("the element's cmd is empty")
        began = time.perf_counter()
        self.process = await elements.runtime.spawn(argv, env=env, cwd=cwd, root=tree.root, **streams)
        self.post("started", pid=self.process.pid)
        feeding = asyncio.ensure_future(self.feed())
        drawing = asyncio.ensure_future(self.drain())
        code = await self.process.wait()
        ms = (time.perf_counter() - began) * 1000
        # what it left behind loses its terminal, as when a window is closed; what was written is still drawn
        await elements.end_session(self.process.pid)
        await asyncio.wait([drawing], timeout=LAST_OUTPUT_S)
        drawing.cancel()
        feeding.cancel()
        if tree.saved_as:
            await elements.save(tree)
        self.post("exit", code=code, ms=ms)

    async def feed(self) -> None:
        """Keys to the pty, or bytes to the pipe."""
        with suppress(BrokenPipeError, ConnectionResetError):
            while (data := await self.input.get()) is not None:
                self.process.stdin.write(data)
                await self.process.stdin.drain()
        if not self.tty:
            self.process.stdin.close()

    async def drain(self) -> None:
        """Output to the screen, no faster than it draws."""
        while True:
            await self.room()
            try:
                data = bytes(await self.process.stdout.read(min(CHUNK_BYTES, self.window)))
            except OSError:  # EIO: the last one has closed the terminal
                return
            if not data:
                return
            self.output(data)

    async def room(self) -> None:
        """Wait until the element takes more."""
        while self.window <= 0:
            self.opened.clear()
            await self.opened.wait()

    def output(self, data: bytes) -> None:
        """To the element."""
        self.window -= len(data)
        self.post("output", data=data)

    def close(self) -> None:
        """The element is gone, or starts something else."""
        self.closing = True
        if self.process is not None and self.process.returncode is None:
            self.elements.background(self.elements.end_session(self.process.pid))


class Damaged(TidemarkError):
    """What was kept under `name` cannot be used: the element asks what to do."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Elements:
    """One per page."""

    def __init__(self, host: Any, runtime: Any) -> None:
        self.host = host
        self.runtime = runtime
        self.trees: dict[str, Tree] = {}
        self.sessions: dict[int, Session] = {}
        self.tasks: set[asyncio.Future[Any]] = set()
        self.canvases: dict[int, Any] = {}  # renderers by session
        self.calls: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
            "read_file": self.read_file,
            "write_files": self.write_files,
            "cwd": self.cwd,
            "save": self.save_now,
            "forget": self.forget,
            **inspect_calls.calls(self),
            **canvas_calls.calls(self),
            **preview_calls.calls(self),
        }

    def post(self, **message: Any) -> None:
        """To the page."""
        from ..host.values import js_object

        self.host.post(js_object(message))

    def background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task that is not forgotten."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def take(self, m: Any) -> None:
        """A message of the page."""
        kind = m.t
        if kind == "call":
            self.background(self.answer(m.n, m.name, m.args.to_py()))
            return
        if kind == "open":
            session = self.sessions[m.s] = Session(self, m.s, m.to_py())
            session.task = self.background(session.main())
            return
        found = self.sessions.get(m.s)
        if found is None:
            return
        if kind == "input":
            found.input.put_nowait(m.data.to_bytes())
            if found.tree:
                found.tree.touched = True
        elif kind == "eof":
            found.input.put_nowait(None)
        elif kind == "ack":
            found.window += m.n
            found.opened.set()
        elif kind == "resize":
            found.size = (m.rows, m.columns)
            if found.process and found.tty:
                found.process.resize(*found.size)
        elif kind == "signal":
            self.background(self.signal(found, m.signal))
        elif kind == "close":
            found.close()

    async def answer(self, number: int, name: str, args: list[Any]) -> None:
        """One call of the page; errors travel as text and errno."""
        try:
            value = await self.calls[name](*args)
        except KeyError:
            self.post(t="reply", n=number, error=f"there is no call {name!r}")
        except OSError as e:
            what = f"{e.filename}: {e.strerror}" if e.filename else str(e.strerror or e)
            self.post(t="reply", n=number, error=what)
        except Exception as e:  # the page shows it: nothing may be lost in a worker
            self.post(t="reply", n=number, error=str(e) or type(e).__name__)
        else:
            self.post(t="reply", n=number, value=value)

    # ---- trees ----

    async def tree(self, session: Session) -> Tree:
        """The session's tree, with its layers in it."""
        o = session.options
        urls = list(o.get("layers") or [])
        key = o.get("machine") or " ".join(urls)
        tree = self.trees.get(key)
        if tree is None:
            # python blocks live in root 0, which is what subprocess sees
            taken = any(t.root == 0 for t in self.trees.values())
            tree = self.trees[key] = Tree(-1 if taken and "python" not in o else 0)
        async with tree.lock:
            if tree.root < 0:
                tree.root = await self.runtime.root_new(-1)
            for n, url in enumerate(urls):
                if url not in tree.layers:
                    name = url.rpartition("/")[2]
                    session.progress(f"Loading {name} …", 0.6 + 0.3 * n / len(urls))
                    await self.runtime.fs.apply_layer(url, root=tree.root)
                    tree.layers.add(url)
                    tree.prepared = False
            session.progress("Starting …", 0.95)
            if not tree.prepared:
                await self.prepare(tree, o)
            if (name := o.get("persist")) and not tree.saved_as:
                await self.restore(tree, str(name), bool(o.get("fresh")))
        return tree

    async def prepare(self, tree: Tree, o: dict[str, Any]) -> None:
        """A layer without tzdata gets the one zone file it needs; and the commands."""
        fs, root = self.runtime.fs, tree.root
        offsets = [(int(a), int(b)) for a, b in o["offsets"]]
        given = {f"/usr/share/zoneinfo/{o['zone']}": zone_file(offsets)}
        wanted: dict[str, bytes | str] = {p: b for p, b in given.items() if not await fs.exists(p, root=root)}
        if wanted:
            await fs.write_files(wanted, root=root)
        commands = {p: b for p, b in COMMANDS.items() if not await fs.exists(p, root=root)}
        if commands:
            await fs.write_files(commands, mode=0o755, root=root)
        try:
            tree.locales = await fs.readdir("/usr/lib/locale", root=root)
        except OSError:
            tree.locales = []
        tree.prepared = True

    async def restore(self, tree: Tree, name: str, fresh: bool) -> None:
        """What an earlier visit kept. Raises Damaged, unless `fresh`: then it begins anew."""
        from ..host import opfs

        if not await opfs.hold(name):
            text = f"Another tab has {name!r} open: what you change here is not kept."
            self.post(t="say", text=text, machine=name)
            with suppress(TidemarkError):
                await self.runtime.fs.load(name, root=tree.root)
            tree.saved_as = "-"
            return
        try:
            if not fresh:
                await self.runtime.fs.load(name, root=tree.root)
        except TidemarkError as e:
            raise Damaged(name, str(e)) from None
        tree.saved_as = name
        self.background(self.keep(tree))

    async def keep(self, tree: Tree) -> None:
        """Save now and then while somebody types."""
        while not self.runtime.closed:
            await asyncio.sleep(SAVE_SECONDS)
            if tree.touched:
                await self.save(tree)

    async def save(self, tree: Tree) -> int:
        """To the browser's storage; a failure is said on the page, and tried again after the next change."""
        if not tree.saved_as or tree.saved_as == "-":
            return 0
        tree.touched = False
        try:
            size: int = await self.runtime.fs.save(tree.saved_as, root=tree.root)
        except (OSError, TidemarkError) as e:
            text = getattr(e, "strerror", None) or str(e)
            self.post(t="say", text=f"Your files could not be kept: {text}.", machine=tree.saved_as)
            return 0
        self.post(t="saved", name=tree.saved_as, bytes=size)
        return size

    # ---- processes ----

    async def end_session(self, sid: int) -> None:
        """Hang up on, then kill what is left of a session (credentials(7))."""
        for attempt in range(50):
            state = await self.runtime.snapshot()
            left = [p.pid for p in state.processes if p.sid == sid and p.state != "Z"]
            if not left:
                return
            for pid in left:
                with suppress(ProcessLookupError):
                    await self.runtime.kill(pid, SIGHUP if attempt == 0 else SIGKILL)
            await asyncio.sleep(0.01)

    async def signal(self, session: Session, signal: int) -> None:
        """To the program's process group; a Python block is told to stop."""
        if session.process is not None:
            with suppress(ProcessLookupError):
                await self.runtime.kill(-session.process.pid, signal)
        elif session.task is not None:
            await python_block.stop(self, session, signal)

    # ---- calls of the page ----

    def _of(self, number: int) -> Session:
        session = self.sessions.get(number)
        if session is None or session.tree is None:
            raise TidemarkError("nothing runs in this element: start it first")
        return session

    async def cwd(self, number: int) -> str:
        """Where the session's program stands; for a shell, the newest process of the foreground is close enough."""
        session = self._of(number)
        if session.process is None:
            return "/root"
        path: str = await self.runtime.fs.readlink(f"/proc/{session.process.pid}/cwd")
        return path

    async def read_file(self, number: int, path: str) -> bytes:
        """A file of the session's tree."""
        tree = self._of(number).tree
        assert tree
        data: bytes = await self.runtime.fs.read_file(path, root=tree.root)
        return data

    async def write_files(self, number: int, directory: str, names: list[str], bodies: list[Any]) -> int:
        """Files into a directory of the session's tree; parents are made."""
        tree = self._of(number).tree
        assert tree
        where = directory.rstrip("/")
        for name in names:
            if name.startswith("/") or ".." in name.split("/"):
                raise TidemarkError(f"{name}: a name that leads outside is not taken")
        files = {f"{where}/{name}": bytes(body) for name, body in zip(names, bodies, strict=True)}
        await self.runtime.fs.write_files(files, root=tree.root)
        tree.touched = True
        return sum(map(len, files.values()))

    async def save_now(self, number: int, only_touched: bool = False) -> int:
        """Keep the tree's files now; bytes stored, 0 when the element keeps none (or nobody touched them)."""
        tree = self._of(number).tree
        assert tree
        return await self.save(tree) if tree.touched or not only_touched else 0

    async def forget(self, name: str) -> None:
        """Remove what was kept."""
        await self.runtime.fs.forget(name)


async def serve(host: Any) -> Elements:
    """Start the page's runtime; messages go to the result's take()."""
    from ..runtime import Runtime

    options = {"index_url": host.indexURL, "snapshot": host.snapshot, "workers": host.workers}
    return Elements(host, await Runtime.create(topology="together", **options))
