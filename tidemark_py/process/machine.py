"""Saving and restoring from the page's side: `await rt.save()`, `await Runtime.restore(bytes)`, `rt.processes()`.

A saved machine has every process, file, pipe and terminal. What belongs to a page comes back as handles on the same
processes: unread output that the page had taken already too. Whoever waited in the page of then waits there still.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Self

from ..abi.gen import messages as m
from ..channel.port import Port
from ..errors import SnapshotError, TidemarkError
from ..state.saved_machine import open_manifest, references
from .handle import Process

__all__ = ["MachineHandles", "describe", "give_layers", "reopen"]


class MachineHandles:
    """What Runtime inherits. _kernel: the port to the kernel worker; _processes: by pid."""

    _processes: dict[int, Process]
    _processes_may_run: bool
    _notes: list[dict[str, Any]]
    _build: str

    @property
    def _kernel(self) -> Port:
        raise NotImplementedError

    @classmethod
    async def restore(cls, saved: bytes | str | Any, *, layers: Iterable[Any] = (), **options: Any) -> Self:
        """A runtime that goes on where save() was called; layers: those it names; options as for create().

        saved: the bytes, the name that save(to=...) was given, or a file's handle. rt.processes() has its processes.
        Raises SnapshotError: cut short, corrupted, another build's, a layer missing.
        """
        saved = await _read(saved)
        self = await cls.create(**options, _restoring=True)  # type: ignore[attr-defined]
        try:
            port = self._kernel
            for note in await give_layers(port, saved, self._build, layers):
                self._processes[note["pid"]] = reopen(port, note)
            self._processes_may_run = True
            await port.request(m.MachineStart())
        except BaseException:
            self.close()
            raise
        return self  # type: ignore[no-any-return]

    def processes(self) -> list[Process]:
        """The processes that this page started or got back, while they run."""
        return list(self._processes.values())

    async def save(self, *, embed_layers: bool = False, to: str | Any = None) -> bytes:
        """The whole machine as bytes, for Runtime.restore(); it goes on meanwhile, but for the moment of the copy.

        to: also written under a name of this browser's private files (OPFS), or into a file's handle (File System
        Access API), whole or not at all. Kept directories (rt.fs.keep) are saved as they are, as plain memory.
        Layers are named by their hash unless embed_layers. Raises TidemarkError: a Pyodide is attached, a lazy layer is
        not all here, a thread does not come to rest.
        """
        self._notes = []
        await self._kernel.request(m.MachineImage(embed_layers))
        saved = (await self._kernel.request(m.MachineSave(self._notes))).saved
        if to is not None:
            await _write(to, saved)
        return saved

    def machine_imaged(self, message: m.MachineImaged) -> None:
        """The moment of the copy: what the page holds now belongs to it."""
        self._notes = [describe(process) for process in self._processes.values()]


async def _read(saved: bytes | str | Any) -> bytes:
    if isinstance(saved, (bytes, bytearray, memoryview)):
        return bytes(saved)
    from ..host import opfs

    if isinstance(saved, str):
        data = await opfs.read(f"machine-{saved}")
        if data is None:
            raise SnapshotError(f"no machine was saved under the name {saved!r} in this browser")
        return data
    return await opfs.read_handle(saved)


async def _write(to: str | Any, saved: bytes) -> None:
    from ..host import opfs

    if isinstance(to, str):
        await opfs.write(f"machine-{to}", saved)
    else:
        await opfs.write_handle(to, saved)


def describe(process: Process) -> dict[str, Any]:
    """What a page needs to hold the process again."""
    out, err = process._copied or (process.stdout, process.stderr)
    stdin = process.stdin
    return {
        "pid": process.pid,
        "args": process.args,
        "tty": process._terminal >= 0,
        "copied": process._copied is not None,
        "stdin": -1 if stdin is None or stdin.is_closing() else stdin._fd,
        "streams": [
            [-1 if s is None or s._closed else s._fd, "" if s is None else base64.b64encode(s._buffer).decode()]
            for s in (out, err)
        ],
    }


def reopen(port: Port, note: dict[str, Any]) -> Process:
    """A Process of a note."""
    (stdout, out), (stderr, err) = note["streams"]
    reply = m.ProcessSpawnReply(pid=note["pid"], stdin=note["stdin"], stdout=stdout, stderr=stderr)
    process = Process(port, list(note["args"]), reply, bool(note["tty"]))
    for stream, unread in ((process.stdout, out), (process.stderr, err)):
        if stream is not None:
            stream._buffer += base64.b64decode(unread)
    if note["copied"]:
        process._copy_out()
    return process


async def give_layers(port: Port, saved: bytes, build: str, layers: Iterable[Any]) -> list[dict[str, Any]]:
    """Send the saved machine and the layers it names; its notes of processes. Raises SnapshotError."""
    manifest, _ = open_manifest(saved, build)
    have = {layer.manifest.get("blob_sha256"): layer for layer in layers}
    wanted = references(manifest)
    missing = [f"{r.name} ({r.sha256[:12]})" for r in wanted if r.sha256 not in have]
    if missing:
        raise SnapshotError(f"the saved machine stands on layers that layers=[...] must give: {', '.join(missing)}")
    await port.request(m.MachineRestore(saved))
    for sha256 in {r.sha256 for r in wanted}:
        blob = have[sha256].blob
        await port.request(m.MachineRestoreLayer(sha256, bytes(blob) if isinstance(blob, memoryview) else blob))
    notes = manifest.get("processes")
    if not isinstance(notes, list):
        raise TidemarkError("the saved machine says nothing of its processes")
    return notes
