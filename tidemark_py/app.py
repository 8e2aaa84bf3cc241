"""The package runner: supervised WebAssembly apps that say READY (`Runtime.start_app`).

A package is a directory of the guests' files with a manifest `wapp.toml` and a module `app.wasm`; a zip of one; or a
bare module. All of it is checked before anything runs. An app is a process of the kernel: its stdout is the session's
channel, on which the line READY stands where the runner says it, in order with what the app writes.

    [app]                        # all keys are optional
    name = "editor"
    module = "app.wasm"          # in the package
    args = ["--fast"]
    ready = "before"             # or "export"; start_app's argument goes before
    [env]
    LANG = "C.UTF-8"
    [preopens]                   # name the app sees = directory, relative to the package or absolute
    "/data" = "data"
    [capabilities]
    host = ["ready", "log"]      # host functions (module "tidemark"); any other import is refused
    [limits]                     # the stricter of these and start_app's holds
    memory_bytes = 67108864
    seconds = 10.0
    output_bytes = 1048576
"""

from __future__ import annotations

import asyncio
import io
import posixpath
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from .abi.gen.abi import WasiCapability
from .errors import AppError

__all__ = ["App", "AppExit", "AppLimits", "Manifest", "ModuleFacts"]

READY_LINE = b"READY\n"
HOST_FUNCTIONS = {
    "ready": WasiCapability.READY,
    "log": WasiCapability.LOG,
    "frame_open": WasiCapability.FRAMES,
    "input_open": WasiCapability.FRAMES,
}
MANIFEST = "wapp.toml"
APPS = "/var/lib/tidemark/apps"
CHUNK_BYTES = 65536
ERRORS_KEPT_BYTES = 65536
MANIFEST_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "app": {"name": str, "version": str, "module": str, "args": list, "ready": str},
    "env": {},
    "preopens": {},
    "capabilities": {"host": list},
    "limits": {"memory_bytes": int, "seconds": (int, float), "output_bytes": int},
}


@dataclass(frozen=True)
class AppLimits:
    """What a session may use; 0 is no limit."""

    memory_bytes: int = 0
    seconds: float = 0.0
    output_bytes: int = 0

    def within(self, other: AppLimits) -> AppLimits:
        """The stricter of both."""

        def least(a: float, b: float) -> float:
            return min(a, b) if a and b else a or b

        return AppLimits(
            int(least(self.memory_bytes, other.memory_bytes)),
            least(self.seconds, other.seconds),
            int(least(self.output_bytes, other.output_bytes)),
        )


@dataclass(frozen=True)
class Manifest:
    """wapp.toml, checked."""

    name: str = "app"
    module: str = "app.wasm"
    args: tuple[str, ...] = ()
    ready: str = "before"
    env: Mapping[str, str] = field(default_factory=dict)
    preopens: Mapping[str, str] = field(default_factory=dict)
    host: tuple[str, ...] = ()
    limits: AppLimits = field(default_factory=AppLimits)

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Raises AppError naming the key."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as e:
            raise AppError(f"{MANIFEST}: {e}") from None
        for section, values in raw.items():
            if section not in MANIFEST_KEYS or not isinstance(values, dict):
                raise AppError(f"{MANIFEST}: unknown section [{section}]: there are {', '.join(MANIFEST_KEYS)}")
            known = MANIFEST_KEYS[section]
            for key, value in values.items():
                if known and key not in known:
                    raise AppError(f"{MANIFEST}: [{section}] has no key {key}: there are {', '.join(known)}")
                if isinstance(value, bool) or not isinstance(value, known.get(key, str)):
                    raise AppError(f"{MANIFEST}: [{section}] {key} has a value of the wrong type")
        app, host = raw.get("app", {}), raw.get("capabilities", {}).get("host", [])
        if not all(isinstance(s, str) for s in (*app.get("args", []), *host)):
            raise AppError(f"{MANIFEST}: args and host are lists of strings")
        unknown = sorted(set(host) - set(HOST_FUNCTIONS))
        if unknown:
            raise AppError(f"{MANIFEST}: unknown host functions {unknown}: there are {sorted(HOST_FUNCTIONS)}")
        if any(n < 0 for n in raw.get("limits", {}).values()):
            raise AppError(f"{MANIFEST}: a limit is negative")
        module = app.get("module", cls.module)
        if posixpath.isabs(module) or ".." in module.split("/"):
            raise AppError(f"{MANIFEST}: module {module} is outside of the package")
        return cls(
            app.get("name", cls.name),
            module,
            tuple(app.get("args", [])),
            _ready_mode(app.get("ready", cls.ready)),
            raw.get("env", {}),
            raw.get("preopens", {}),
            tuple(host),
            AppLimits(**raw.get("limits", {})),
        )


def _ready_mode(mode: str) -> str:
    if mode not in ("before", "export"):
        raise AppError(f"ready is 'before' or 'export', not {mode!r}")
    return mode


@dataclass(frozen=True)
class ModuleFacts:
    """What a module's import and export sections say (core specification, "Binary Format")."""

    imports: tuple[tuple[str, str], ...]
    exports: frozenset[str]

    @classmethod
    def read(cls, data: bytes) -> ModuleFacts:
        """Raises AppError for what is no core module."""
        if data[:4] != b"\0asm":
            raise AppError("not a WebAssembly module: it does not begin with \\0asm")
        if data[4:8] == b"\x0d\0\1\0":
            raise AppError(
                "a WebAssembly component (WASI preview 2): only core modules for WASI preview 1 "
                "(wasi_snapshot_preview1) run here"
            )
        if data[4:8] != b"\1\0\0\0":
            raise AppError("a WebAssembly module of an unknown version")
        r = _Reader(data, 8)
        imports: list[tuple[str, str]] = []
        exports: set[str] = set()
        while r.at < len(data):
            kind, size = r.byte(), r.number()
            end = r.at + size
            if end > len(data):
                raise AppError("not a valid WebAssembly module: it is cut off")
            if kind == 2:
                for _ in range(r.number()):
                    imports.append((r.text(), r.text()))
                    r.skip_import()
            elif kind == 7:
                for _ in range(r.number()):
                    exports.add(r.text())
                    r.byte(), r.number()
            r.at = end
        return cls(tuple(imports), frozenset(exports))


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise AppError("not a valid WebAssembly module: it is cut off")
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        result = shift = 0
        while True:
            b = self.byte()
            result |= (b & 127) << shift
            shift += 7
            if b < 128:
                return result
            if shift > 63:
                raise AppError("not a valid WebAssembly module: a number in it is too long")

    def text(self) -> str:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", "replace")

    def skip_import(self) -> None:
        kind = self.byte()
        if kind == 0:
            self.number()
        elif kind in (1, 2):
            if kind == 1:
                self.byte()
            flags = self.number()
            self.number()
            if flags & 1:
                self.number()
        else:
            self.byte(), self.number() if kind == 4 else self.byte()


def validate(facts: ModuleFacts, manifest: Manifest, ready: str) -> int:
    """The capabilities to grant. Raises AppError for an app that cannot start."""
    if "_start" not in facts.exports:
        raise AppError(f'{manifest.name}: nothing to run: {manifest.module} exports no function "_start"')
    for module, name in facts.imports:
        if module == "tidemark" and name in HOST_FUNCTIONS and name not in manifest.host:
            raise AppError(f"{manifest.name}: imports the host function {name}, which its manifest does not declare")
        if module == "tidemark" and name not in HOST_FUNCTIONS:
            raise AppError(f"{manifest.name}: there is no host function {name}: there are {sorted(HOST_FUNCTIONS)}")
    granted = 0
    for name in manifest.host:
        granted |= HOST_FUNCTIONS[name]
    if ready == "before":
        return granted | WasiCapability.SAY_BEFORE
    if "ready" not in facts.exports and ("tidemark", "ready") not in facts.imports:
        raise AppError(
            f"{manifest.name}: ready='export' needs a function ready: exported by {manifest.module}, "
            "or imported from the module tidemark and declared in the manifest"
        )
    return granted | WasiCapability.SAY_AFTER


@dataclass(frozen=True)
class AppExit:
    """How an app ended. returncode as Process has it; reason is one sentence."""

    returncode: int
    reason: str
    errors: str  # the last of its stderr


class App:
    """A running app. `channel` is the session's: READY and what the app writes; `await ready()`, `await wait()`."""

    def __init__(self, session_id: str, manifest: Manifest, process: Any, limits: AppLimits) -> None:
        self.session_id, self.manifest, self.process, self.limits = session_id, manifest, process, limits
        self.channel = asyncio.StreamReader()
        self.errors = bytearray()
        self._reason = ""
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._written = 0
        self._tasks = [asyncio.ensure_future(t) for t in (self._read_output(), self._read_errors())]
        self._done = asyncio.ensure_future(self._supervise())

    async def ready(self) -> None:
        """Returns when READY was said. Raises AppError when the app ended before."""
        await asyncio.shield(self._ready)

    async def wait(self) -> AppExit:
        """Until it has ended and all it wrote is in the channel."""
        return await asyncio.shield(self._done)

    def stop(self, reason: str = "stopped by its supervisor") -> None:
        """End it now."""
        if not self._reason:
            self._reason = reason
        with suppress(ProcessLookupError):
            self.process.kill()

    async def _read_output(self) -> None:
        line_start = b""
        while data := await self.process.stdout.read(CHUNK_BYTES):
            room = self.limits.output_bytes - self._written if self.limits.output_bytes else len(data)
            self._written += len(data)
            if len(data) > room:
                data = data[: max(room, 0)]
                self.stop(f"it wrote more than its limit of {self.limits.output_bytes} bytes")
            self.channel.feed_data(data)
            if not self._ready.done():
                text = line_start + data
                if b"\n" + READY_LINE in b"\n" + text:
                    self._ready.set_result(None)
                line_start = text[text.rfind(b"\n") + 1 :][-len(READY_LINE) :] if b"\n" in text else text
        self.channel.feed_eof()

    async def _read_errors(self) -> None:
        while data := await self.process.stderr.read(CHUNK_BYTES):
            self.errors += data
            del self.errors[:-ERRORS_KEPT_BYTES]

    async def _supervise(self) -> AppExit:
        timer = None
        if self.limits.seconds:
            reason = f"it ran longer than its limit of {self.limits.seconds:g} s"
            timer = asyncio.get_running_loop().call_later(self.limits.seconds, lambda: self.stop(reason))
        code = await self.process.wait()
        if timer is not None:
            timer.cancel()
        await asyncio.gather(*self._tasks)
        said = self.errors.decode("utf-8", "replace")
        reason = self._reason
        if not reason:
            last = said.strip().rpartition("\n")[2]
            reason = f"exit code {code}" if code >= 0 else f"signal {-code}" + (f": {last}" if last else "")
        if not self._ready.done():
            self._ready.set_exception(AppError(f"{self.manifest.name} ended before it was ready: {reason}"))
            self._ready.exception()  # nobody need ask
        return AppExit(code, reason, said)


async def start_app(
    runtime: Any,
    app: str | bytes,
    session_id: str,
    ready: Literal["before", "export"] | None,
    preopens: Mapping[str, str] | None,
    limits: AppLimits | None,
    args: Sequence[str],
) -> App:
    """Runtime.start_app"""
    if not session_id or "/" in session_id or session_id.startswith("."):
        raise AppError(f"a session id is a name without slashes, not {session_id!r}")
    folder = app if isinstance(app, str) else await _unpack(runtime, app, f"{APPS}/{session_id}")
    manifest = Manifest()
    if await runtime.fs.exists(f"{folder}/{MANIFEST}"):
        manifest = Manifest.parse((await runtime.fs.read_file(f"{folder}/{MANIFEST}")).decode("utf-8", "replace"))
    module = f"{folder}/{manifest.module}"
    try:
        data = await runtime.fs.read_file(module)
    except OSError as e:
        raise AppError(f"{manifest.name}: the package has no {manifest.module}: {e.strerror}") from None
    granted = validate(ModuleFacts.read(data), manifest, _ready_mode(ready or manifest.ready))
    limits = manifest.limits.within(limits or AppLimits())
    seen = {name: posixpath.join(folder, where) for name, where in manifest.preopens.items()}
    process = await runtime.spawn(
        [manifest.name, *manifest.args, *args],
        executable=module,
        env=dict(manifest.env),
        cwd=folder,
        stdin=-3,
        stdout=-1,
        stderr=-1,
        memory_limit=limits.memory_bytes,
        preopens={**(seen or {".": folder}), **(preopens or {})},
        capabilities=granted,
    )
    return App(session_id, manifest, process, limits)


async def _unpack(runtime: Any, data: bytes, folder: str) -> str:
    """A package's bytes to the guests' files. Raises AppError."""
    files: dict[str, bytes] = {}
    if data[:4] == b"PK\3\4":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as z:
                for info in z.infolist():
                    name = posixpath.normpath(info.filename)
                    if name.startswith(("/", "..")):
                        raise AppError(f"the package holds {info.filename}, which is outside of it")
                    if not info.is_dir():
                        files[name] = z.read(info)
        except zipfile.BadZipFile as e:
            raise AppError(f"the package is no valid zip: {e}") from None
    else:
        ModuleFacts.read(data)
        files[Manifest.module] = data
    if await runtime.fs.exists(folder):
        await runtime.fs.remove(folder, recursive=True)
    await runtime.fs.write_files({f"{folder}/{name}": body for name, body in files.items()}, mode=0o755)
    return folder
