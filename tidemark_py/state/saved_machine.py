"""SavedMachine: a whole machine as bytes: kernel memory, guest memories, registers, and what the page knew.

Format: head (magic, format version, ABI hash, kernel build, lengths, SHA-256 of all that follows), manifest (JSON),
then one zlib stream: page tables (number of the page, number of its content), registers, and every different page once.
Zero pages are left out, and so is what files can give again. Bodies of layers are named by the hash in their manifest
unless they are embedded. One that is cut short, changed, or another build's is refused whole.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..abi.gen.abi import ABI_HASH
from ..errors import SnapshotError

__all__ = ["LayerReference", "PageStore", "PageTable", "SavedMachine", "open_manifest"]

MAGIC = b"TDMS"
SAVED_VERSION = 1
PAGE = 4096
RUN_PAGES = 256
COMPRESSION = 1  # the fastest: pages of a guest give up most of their size at once
_HEAD = struct.Struct("<4sI16s16sQQ32s")
_ABI = bytes.fromhex(ABI_HASH)[:16]
_ZERO = bytes(PAGE)


@dataclass(slots=True)
class PageTable:
    """Pages of one memory: numbers of pages, and of their contents in the store."""

    numbers: array[int] = field(default_factory=lambda: array("I"))
    contents: array[int] = field(default_factory=lambda: array("I"))

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """(first page, first content, how many) of what is consecutive in both, at most RUN_PAGES."""
        at, count = 0, len(self.numbers)
        while at < count:
            end = at + 1
            while (
                end < count
                and end - at < RUN_PAGES
                and self.numbers[end] == self.numbers[at] + end - at
                and self.contents[end] == self.contents[at] + end - at
            ):
                end += 1
            yield self.numbers[at], self.contents[at], end - at
            at = end


class PageStore:
    """Different pages, each once."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self.pages = bytearray()

    def add(self, table: PageTable, first: int, data: bytes, keep_zero: bool = False) -> None:
        """Whole pages from page number `first` on."""
        for at in range(0, len(data), PAGE):
            page = data[at : at + PAGE]
            if page == _ZERO and not keep_zero:
                continue
            content = self._known.get(page)
            if content is None:
                content = self._known[page] = len(self._known)
                self.pages += page
            table.numbers.append(first + at // PAGE)
            table.contents.append(content)


@dataclass(frozen=True, slots=True)
class LayerReference:
    """A layer whose bodies are not here: where they stand in kernel memory (bytes), whose they are."""

    name: str
    sha256: str
    address: int
    size: int


@dataclass(slots=True)
class SavedMachine:
    """Unpacked. guests: by process; registers: (process, thread, record); processes: the page's own notes."""

    build: str
    monotonic_ns: int
    kernel_bytes: int
    guest_max_pages: int
    layers: list[LayerReference]
    processes: list[dict[str, Any]]
    kernel: PageTable
    guests: dict[int, PageTable]
    registers: list[tuple[int, int, bytes]]
    pages: bytes | bytearray | memoryview

    def content(self, number: int, count: int = 1) -> bytes:
        """Bytes of `count` contents from `number` on."""
        return bytes(self.pages[number * PAGE : (number + count) * PAGE])

    def pack(self) -> bytes:
        """The file."""
        manifest = {
            "monotonic_ns": self.monotonic_ns,
            "kernel_bytes": self.kernel_bytes,
            "guest_max_pages": self.guest_max_pages,
            "layers": [[r.name, r.sha256, r.address, r.size] for r in self.layers],
            "processes": self.processes,
            "tables": [["kernel", len(self.kernel.numbers)]]
            + [[str(pid), len(t.numbers)] for pid, t in self.guests.items()],
            "registers": [[pid, tid, len(record)] for pid, tid, record in self.registers],
            "pages": len(self.pages) // PAGE,
        }
        text = json.dumps(manifest, separators=(",", ":")).encode()
        squeeze = zlib.compressobj(COMPRESSION)
        parts = [text]
        for table in (self.kernel, *self.guests.values()):
            parts += [squeeze.compress(table.numbers.tobytes()), squeeze.compress(table.contents.tobytes())]
        parts += [squeeze.compress(record) for _, _, record in self.registers]
        parts += [squeeze.compress(self.pages), squeeze.flush()]
        rest = b"".join(parts)
        digest = hashlib.sha256(rest).digest()
        return (
            _HEAD.pack(MAGIC, SAVED_VERSION, _ABI, _build(self.build), len(text), len(rest) - len(text), digest) + rest
        )

    @classmethod
    def unpack(cls, data: bytes, build: str) -> SavedMachine:
        """Raises SnapshotError."""
        m, body = open_manifest(data, build)
        try:
            raw = memoryview(zlib.decompress(body))
            at = 0

            def take(size: int) -> memoryview:
                nonlocal at
                at += size
                if at > len(raw):
                    raise ValueError("its tables are longer than it is")
                return raw[at - size : at]

            tables = {name: PageTable(_numbers(take(4 * n)), _numbers(take(4 * n))) for name, n in m["tables"]}
            registers = [(pid, tid, bytes(take(size))) for pid, tid, size in m["registers"]]
            pages = take(m["pages"] * PAGE)
            kernel = tables.pop("kernel")
            return cls(
                build=build,
                monotonic_ns=m["monotonic_ns"],
                kernel_bytes=m["kernel_bytes"],
                guest_max_pages=m["guest_max_pages"],
                layers=references(m),
                processes=m["processes"],
                kernel=kernel,
                guests={int(pid): table for pid, table in tables.items()},
                registers=registers,
                pages=pages,
            )
        except (ValueError, KeyError, TypeError, zlib.error) as e:
            raise SnapshotError(f"the saved machine is malformed: {e!r}") from None


def _numbers(data: memoryview) -> array[int]:
    numbers = array("I")
    numbers.frombytes(data)
    return numbers


def references(manifest: dict[str, Any]) -> list[LayerReference]:
    """The layers that a restore must be given."""
    return [LayerReference(*each) for each in manifest["layers"]]


def _build(text: str) -> bytes:
    try:
        return bytes.fromhex(text)[:16].ljust(16, b"\0")
    except ValueError:
        return text.encode()[:16].ljust(16, b"\0")


def open_manifest(data: bytes, build: str) -> tuple[dict[str, Any], memoryview]:
    """Manifest and compressed body of a saved machine, both whole. Raises SnapshotError, which says what is wrong."""
    if len(data) < _HEAD.size or data[:4] != MAGIC:
        raise SnapshotError("this is no saved machine")
    _, version, abi, theirs, text, body, digest = _HEAD.unpack_from(data)
    if version != SAVED_VERSION:
        raise SnapshotError(f"the saved machine has format {version}; this is format {SAVED_VERSION}")
    if abi != _ABI:
        raise SnapshotError(f"the saved machine is of ABI {abi.hex()[:8]}; this is ABI {ABI_HASH[:8]}")
    if theirs != _build(build):
        raise SnapshotError(
            f"the saved machine is of kernel build {theirs.hex()[:8]}, this is build {_build(build).hex()[:8]}: "
            "restore it with the version of the package that saved it"
        )
    rest = memoryview(data)[_HEAD.size :]
    if len(rest) != text + body:
        raise SnapshotError(f"the saved machine is cut short: {len(rest)} of {text + body} bytes are there")
    if hashlib.sha256(rest).digest() != digest:
        raise SnapshotError("the saved machine is corrupted: its SHA-256 differs")
    manifest: dict[str, Any] = json.loads(bytes(rest[:text]))
    return manifest, rest[text:]
