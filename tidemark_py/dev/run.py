"""`build.py run`: one guest command with our own streams, or a batch of them in one session.

Owns: how --layer and --mount become layers, what our stdin, stdout, terminal and signals mean to the guest, the batch's
lines, and the copy back of writable mounts. The guest never sees this machine's files: a mount is copied in before the
command starts, and what changed is copied back when it has ended.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import json
import os
import select
import signal
import struct
import sys
import tarfile
import tempfile
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import LayerError
from ..layers.format import Layer
from . import layer_build
from .diagnose import Wanted, Watcher
from .session import DEFAULT_ENV, Command, Ended, Session, SessionError
from .toolchain import BuildError

BROKEN_PIPE = 128 + signal.SIGPIPE
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
CAPTURE_BYTES = 256 << 20  # of one batch command's output; the rest is dropped and said


@dataclass
class Mount:
    """HOSTDIR:GUESTDIR[:ro]: copied in at the start, changes copied back at the end unless read-only."""

    host: Path
    guest: str
    read_only: bool
    layer: Layer | None = None

    @classmethod
    def parse(cls, text: str) -> Mount:
        """Raises BuildError."""
        parts = text.split(":")
        if (
            len(parts) not in (2, 3)
            or (len(parts) == 3 and parts[2] not in ("ro", "rw"))
            or not parts[1].startswith("/")
        ):
            raise BuildError(f"--mount wants HOSTDIR:GUESTDIR[:ro] with an absolute GUESTDIR, not {text!r}")
        host = Path(parts[0]).expanduser().resolve()
        if not host.is_dir():
            raise BuildError(f"--mount: {host} is no directory")
        guest = os.path.normpath(parts[1])
        if guest == "/":
            raise BuildError("--mount: GUESTDIR cannot be /")
        return cls(host, guest, parts[2:] == ["ro"])


@dataclass
class Options:
    """What the command line said."""

    layers: list[str]
    host: str = "chromium"
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    mounts: list[Mount] = field(default_factory=list)
    timeout_s: float | None = None
    mirror: str = ""
    verbose: bool = False
    terminal: bool | None = None  # None: when stdin and stdout are one
    jit: str = "on"
    lazy: str = "auto"
    diagnose: Wanted = field(default_factory=Wanted)
    stats: bool = False  # say how much ran as compiled code


def say(text: str) -> None:
    """A line on our stderr, marked as ours."""
    print(f"tidemark: {text}", file=sys.stderr, flush=True)


def translator_counters(s: Session) -> dict[str, int]:
    """What the translator has done in this session (state/kernel_runtime.py). Raises SessionError."""
    counters: dict[str, int] = s.ask("state")["state"]["counters"]
    return {name[4:]: n for name, n in counters.items() if name.startswith("jit_")}


def _share(n: dict[str, int]) -> str:
    part = 100 * n["translated"] / max(n["instructions"], 1)
    return (
        f"{part:.1f} % of {n['instructions'] / 1e6:.1f} million instructions ran as compiled code:"
        f" {n['regions']} regions ({n['bytes'] / 1024:.0f} KiB), {n['leaves']} returns to the interpreter"
    )


@contextlib.contextmanager
def session(o: Options) -> Iterator[Session]:
    """A started session with the options' layers and mounts."""
    files = [layer_build.layer_file(spec, layer_build.Options(o.mirror, progress=say)) for spec in o.layers]
    with tempfile.TemporaryDirectory(prefix="tidemark-mounts-") as work:
        for i, mount in enumerate(o.mounts):
            mount.layer = layer_build.directory_layer(mount.host, mount.guest, f"mount:{mount.guest}")
            files.append(Path(work) / f"{i}.tdl")
            files[-1].write_bytes(b"".join(mount.layer.dump()))
        log: Callable[[str], None] = say if o.verbose else (lambda _: None)
        mounts = _guest_mounts(o.mounts)
        with Session(files, o.host, log, options={"jit": o.jit}, mounts=mounts, lazy=o.lazy) as s:
            yield s


def _guest_mounts(mounts: list[Mount]) -> list[tuple[str, bool]]:
    """What has to be a mount in the guest: the read-only ones, and the writable ones inside of them."""
    ordered = sorted(mounts, key=lambda mount: mount.guest)
    outer = tuple(mount.guest + "/" for mount in ordered if mount.read_only)
    return [(mount.guest, mount.read_only) for mount in ordered if mount.read_only or mount.guest.startswith(outer)]


# ---- one command ----


def run(o: Options, argv: list[str]) -> int:
    """Run argv; the exit code is the guest's. Raises BuildError, LayerError."""
    wants_terminal = os.isatty(0) and os.isatty(1) if o.terminal is None else o.terminal
    env = {**DEFAULT_ENV, **({"TERM": os.environ.get("TERM", "xterm-256color")} if wants_terminal else {}), **o.env}
    with session(o) as s:
        command = Command(argv, env, o.cwd, timeout_s=o.timeout_s, terminal=_size() if wants_terminal else None)
        command.trace, command.timeline = o.diagnose.records, o.diagnose.trace is not None
        command.profile = o.diagnose.profile is not None
        with Watcher(o.diagnose, s.layers) as watcher:
            with _Streams(s, wants_terminal) as streams:
                ended = s.run(command, watcher.output(streams.output), streams.read)
            watcher.report(ended, say)
        if o.stats:
            say(_share(translator_counters(s)))
        if ended.error:
            say(ended.error)
        if ended.timed_out:
            say(f"timed out after {o.timeout_s:g} s")
        for mount in o.mounts:
            if not mount.read_only:
                copy_back(mount, s.fetch_tree(mount.guest))
        return BROKEN_PIPE if streams.broken and ended.signal else ended.exit_code


def _size() -> tuple[int, int]:
    try:
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        return 24, 80
    return rows or 24, columns or 80


class _Streams:
    """Our stdin, stdout, stderr, terminal and signals, given to the session's command."""

    def __init__(self, s: Session, terminal: bool) -> None:
        self.session = s
        self.terminal = terminal
        self.broken = False
        self._old_handlers: dict[int, Any] = {}
        self._old_terminal: list[Any] | None = None
        self._stop_read, self._stop_write = os.pipe()

    def __enter__(self) -> _Streams:
        for number in FORWARDED:
            self._old_handlers[number] = signal.signal(number, self._forward)
        if self.terminal:
            self._old_handlers[signal.SIGWINCH] = signal.signal(
                signal.SIGWINCH, lambda *_: self.session.resize(*_size())
            )
            if os.isatty(0):
                self._old_terminal = termios.tcgetattr(0)
                tty.setraw(0)
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop_write, b"x")
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        if self._old_terminal is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._old_terminal)

    def _forward(self, number: int, _: object) -> None:
        threading.Thread(target=self._signal, args=(number,), daemon=True).start()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(SessionError):
            self.session.send_signal(number)

    def read(self) -> None:
        """Our stdin to the guest, until it ends or the command has."""
        with contextlib.suppress(SessionError, OSError):
            while True:
                ready, _, _ = select.select([0, self._stop_read], [], [])
                if self._stop_read in ready:
                    return
                data = os.read(0, 1 << 16)
                self.session.feed(data)
                if not data:
                    return

    def output(self, stream: int, data: bytes) -> None:
        """Guest output to ours; when nobody reads ours any more the guest learns it as a program would."""
        if self.broken:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(stream, view) :]
        except BrokenPipeError:
            self.broken = True
            self._signal(signal.SIGPIPE)


# ---- mounts ----


def copy_back(mount: Mount, tree: bytes) -> None:
    """Bring what the guest changed below a mount back to this machine's directory: new, changed and removed files."""
    assert mount.layer
    prefix = mount.guest.strip("/")
    before = {e.path: e for e in mount.layer.entries() if e.path.startswith(prefix + "/")}
    hashes = mount.layer.manifest["files"]
    seen: set[str] = set()
    with tarfile.open(fileobj=io.BytesIO(tree)) as tar:
        for m in tar:
            name = os.path.normpath(m.name.lstrip("/"))
            if name in (".", prefix):
                continue
            relative = name.removeprefix(prefix + "/")
            if relative.startswith("../"):
                continue
            seen.add(f"{prefix}/{relative}")
            _restore(mount.host / relative, m, tar, hashes.get(f"{prefix}/{relative}"))
    for path in sorted(set(before) - seen, reverse=True):
        target = mount.host / path.removeprefix(prefix + "/")
        with contextlib.suppress(OSError):
            if target.is_dir() and not target.is_symlink():
                target.rmdir()
            else:
                target.unlink()


def _restore(target: Path, m: tarfile.TarInfo, tar: tarfile.TarFile, old_hash: str | None) -> None:
    import hashlib

    if any(p.is_symlink() for p in target.parents if p != Path("/") and not p.samefile(p.resolve())):
        return  # never through a link the guest made
    if m.isdir():
        target.mkdir(exist_ok=True)
    elif m.issym():
        if not target.is_symlink() or os.readlink(target) != m.linkname:
            target.unlink(missing_ok=True)
            target.symlink_to(m.linkname)
    elif m.isreg() or m.islnk():
        body_file = tar.extractfile(m)
        body = body_file.read() if body_file else b""
        if old_hash and hashlib.sha256(body).hexdigest() == old_hash and target.exists():
            if target.stat().st_mode & 0o777 != m.mode & 0o777 and m.isreg():
                target.chmod(m.mode & 0o777)
            return
        if target.is_symlink():
            target.unlink()
        target.write_bytes(body)
        target.chmod(m.mode & 0o777)


# ---- batch ----


def batch(o: Options, lines: IO[str], out: IO[str]) -> int:
    """Run every line of a JSONL file; one result line each, written as it finishes. 0 unless the input is unusable."""
    bad = 0
    with session(o) as s:
        for n, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                command = batch_command(row, o)
            except (ValueError, TypeError, KeyError, AttributeError) as e:
                bad += 1
                result: dict[str, Any] = {"id": None, "error": f"line {n}: {e}"}
            else:
                result = {"id": row.get("id", n), **_captured(s, command, o.stats)}
            out.write(json.dumps(result, ensure_ascii=False) + "\n")
            out.flush()
    return 2 if bad else 0


def batch_command(row: dict[str, Any], o: Options) -> Command:
    """One input line as a command. Raises ValueError."""
    unknown = set(row) - {"id", "argv", "sh", "stdin", "stdin_b64", "env", "cwd", "timeout_s", "keep_fs"}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    if ("argv" in row) == ("sh" in row):
        raise ValueError('give either "argv" or "sh"')
    argv = row["argv"] if "argv" in row else ["sh", "-c", row["sh"]]
    if not isinstance(argv, list) or not argv or not all(isinstance(a, str) for a in argv):
        raise ValueError('"argv" must be a list of strings')
    stdin = base64.b64decode(row["stdin_b64"]) if "stdin_b64" in row else str(row.get("stdin", "")).encode()
    return Command(
        argv,
        {**DEFAULT_ENV, **o.env, **row.get("env", {})},
        row.get("cwd", o.cwd),
        stdin,
        row.get("timeout_s", o.timeout_s),
        bool(row.get("keep_fs", False)),
    )


def _captured(s: Session, command: Command, stats: bool = False) -> dict[str, Any]:
    got: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    dropped = 0

    def output(stream: int, data: bytes) -> None:
        nonlocal dropped
        if len(got[stream]) + len(data) > CAPTURE_BYTES:
            dropped += len(data)
        else:
            got[stream] += data

    before = translator_counters(s) if stats else {}
    try:
        ended = s.run(command, output)
    except SessionError as e:  # not even a new host would start: say so, let the next line try again
        ended = Ended(255, error=str(e))
    result: dict[str, Any] = {"exit_code": ended.exit_code, "signal": ended.signal}
    for name, stream in (("stdout", 1), ("stderr", 2)):
        raw = bytes(got[stream])
        try:
            result[name] = raw.decode()
        except UnicodeDecodeError:
            result[f"{name}_b64"] = base64.b64encode(raw).decode()
    result |= {
        "wall_ms": round(ended.wall_ms, 3),
        "instructions": ended.instructions,
        "timed_out": ended.timed_out,
    }
    if ended.error:
        result["error"] = ended.error
    if ended.diagnostics:
        result["diagnostics"] = ended.diagnostics
    if ended.crashes:
        result["crashes"] = ended.crashes
    if stats:
        result["jit"] = {name: n - before[name] for name, n in translator_counters(s).items()}
    if dropped:
        result["dropped_bytes"] = dropped
    return result


def checked(call: Callable[[], int]) -> int:
    """Turn a refused layer into the one message that build.py prints."""
    try:
        return call()
    except LayerError as e:
        raise BuildError(str(e)) from None
