"""Making a layer: collect files in any order, get a Layer.

Owns how entries are ordered (directories before what is in them, hard links last), how equal bodies are shared and how
names are resolved through links that are already there (so `bin/x` lands in `usr/bin/x` once `bin` is a link).
Same input, same bytes. Anybody may call, in CPython and in Pyodide.
"""

from __future__ import annotations

import hashlib
import json
import stat
import tempfile
from dataclasses import replace
from typing import Any

from ..abi.gen.abi import LAYER_MAGIC, LAYER_VERSION, LayerEntry, LayerHeader
from ..errors import LayerError
from .format import PAGE_BYTES, Entry, Layer

__all__ = ["LayerWriter"]

MAX_LINKS = 40


class LayerWriter:
    """Collects the files of one layer."""

    def __init__(self, mtime_ns: int = 0) -> None:
        """mtime_ns: of files that come with no time of their own."""
        self.mtime_ns = mtime_ns
        self.files: dict[str, Entry] = {}
        self._hashes: dict[str, str] = {}
        self._bodies: dict[str, tuple[int, int]] = {}
        self._spool = tempfile.SpooledTemporaryFile(max_size=1 << 26)  # noqa: SIM115  (lives as long as the writer)
        self._spooled = 0

    # ---- adding ----

    def place(self, path: str) -> str:
        """Where `path` really goes: its parents followed through links, missing parents made."""
        parts = [p for p in path.split("/") if p not in ("", ".")]
        done: list[str] = []
        hops = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = "/".join([*done, part])
            found = self.files.get(here)
            if parts and found and stat.S_ISLNK(found.mode):
                hops += 1
                if hops > MAX_LINKS:
                    raise LayerError(f"too many links in /{path}")
                target = [p for p in found.link.split("/") if p not in ("", ".")]
                if found.link.startswith("/"):
                    done = []
                parts = target + parts
                continue
            if parts and not found:
                self.files[here] = Entry(here, stat.S_IFDIR | 0o755, 0, 0, self.mtime_ns)
            elif parts and found and not stat.S_ISDIR(found.mode):
                raise LayerError(f"/{here} is in the way of /{path}: not a directory")
            done.append(part)
        return "/".join(done)

    def add(self, entry: Entry, body: bytes = b"") -> str:
        """Add or replace one file; an existing directory keeps what is in it. The path it got."""
        path = self.place(entry.path)
        if not path:
            return ""
        old = self.files.get(path)
        to_file = old and stat.S_ISDIR(old.mode) and not stat.S_ISDIR(entry.mode)
        if to_file and any(p.startswith(path + "/") for p in self.files):
            raise LayerError(f"/{path} is a directory with files in it already")
        if old and stat.S_ISLNK(old.mode) and stat.S_ISDIR(entry.mode):
            return path  # a directory through a link that is there: usrmerge
        if old and stat.S_ISDIR(old.mode) and stat.S_ISDIR(entry.mode):
            del self.files[path]
        offset = size = 0
        if entry.is_file:
            digest = hashlib.sha256(body).hexdigest()
            self._hashes[path] = digest
            offset, size = self._store(digest, body)
        link = self.place(entry.link) if entry.is_hard_link else entry.link
        self.files[path] = replace(entry, path=path, offset=offset, size=size, link=link)
        return path

    def _store(self, digest: str, body: bytes) -> tuple[int, int]:
        if not body:
            return 0, 0
        if digest not in self._bodies:
            self._spooled += self._spool.write(bytes(-self._spooled % PAGE_BYTES))
            self._bodies[digest] = (self._spooled, len(body))
            self._spool.seek(self._spooled)
            self._spooled += self._spool.write(body)
        return self._bodies[digest]

    def file(self, path: str, body: bytes | str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Add a regular file."""
        data = body.encode() if isinstance(body, str) else body
        self.add(Entry(path.strip("/"), stat.S_IFREG | mode, uid, gid, self.mtime_ns), data)

    def directory(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Add a directory or change the mode of one."""
        self.add(Entry(path.strip("/"), stat.S_IFDIR | mode, uid, gid, self.mtime_ns))

    def symlink(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self.add(Entry(path.strip("/"), stat.S_IFLNK | 0o777, 0, 0, self.mtime_ns, target))

    def remove(self, path: str) -> None:
        """Take a file, or a directory with all in it, out again."""
        path = path.strip("/")
        for p in [p for p in self.files if p == path or p.startswith(path + "/")]:
            del self.files[p]

    # ---- looking ----

    def find(self, path: str) -> Entry | None:
        """What `path` leads to, links followed; None when there is nothing."""
        for _ in range(MAX_LINKS):
            parts = [p for p in path.split("/") if p not in ("", ".")]
            done: list[str] = []
            while parts:
                part = parts.pop(0)
                if part == "..":
                    done = done[:-1]
                    continue
                done.append(part)
                e = self.files.get("/".join(done))
                if e is None:
                    return None
                if stat.S_ISLNK(e.mode):
                    base = [] if e.link.startswith("/") else done[:-1]
                    path = "/".join([*base, e.link, *parts])
                    break
            else:
                return self.files.get("/".join(done))
        return None

    def has(self, path: str) -> bool:
        """True when the name itself is there (a link that leads nowhere counts)."""
        return path.strip("/") in self.files

    def read(self, entry: Entry) -> bytes:
        """Contents of a file added before (hard links followed)."""
        while entry.is_hard_link:
            entry = self.files[entry.link]
        self._spool.seek(entry.offset)
        data = self._spool.read(entry.size)
        self._spool.seek(self._spooled)
        return data

    # ---- result ----

    def build(self, manifest: dict[str, Any]) -> Layer:
        """The finished layer; `manifest` gets the hashes."""
        links = {e.path: e for e in self.files.values() if e.is_hard_link}
        for path, e in links.items():
            if not (target := self.files.get(e.link)) or stat.S_ISDIR(target.mode):
                raise LayerError(f"/{path} is a hard link to /{e.link}, which is not there")
        order = sorted((e for e in self.files.values() if not e.is_hard_link), key=lambda e: e.path.split("/"))
        # a hard link to a hard link comes after it
        order += sorted(links.values(), key=lambda e: (self._depth(e, links), e.path.split("/")))
        blob, hashes, offsets = self._blob(order)
        strings = bytearray()
        rows = bytearray()
        for e in order:
            name, link = (s.encode("utf-8", "surrogateescape") for s in (e.path, e.link))
            at = len(strings)
            strings += name + link
            rows += LayerEntry.STRUCT.pack(
                at, len(name), at + len(name), len(link), e.mode, e.uid, e.gid, e.mtime_ns % 1_000_000_000,
                e.mtime_ns // 1_000_000_000, offsets.get(e.path, 0), e.size, e.rdev,
            )  # fmt: skip
        head = LayerHeader.STRUCT.pack(LAYER_MAGIC, LAYER_VERSION, len(order), len(strings), len(blob), 0)
        index = head + bytes(rows) + bytes(strings)
        index_sha, blob_sha = hashlib.sha256(index).hexdigest(), hashlib.sha256(blob).hexdigest()
        whole = {
            **manifest,
            "format": "tidemark-layer",
            "entries": len(order),
            "blob_bytes": len(blob),
            "index_sha256": index_sha,
            "blob_sha256": blob_sha,
            "sha256": hashlib.sha256((index_sha + blob_sha).encode()).hexdigest(),
            "files": hashes,
        }
        json.dumps(whole)  # a manifest that cannot be written is found here, not when the file is half there
        return Layer(whole, index, blob)

    @staticmethod
    def _depth(e: Entry, links: dict[str, Entry]) -> int:
        n = 0
        while e.link in links:
            e, n = links[e.link], n + 1
            if n > MAX_LINKS:
                raise LayerError(f"/{e.path}: hard links in a circle")
        return n

    def _blob(self, order: list[Entry]) -> tuple[bytes, dict[str, str], dict[str, int]]:
        """Bodies in the order of the index, so that the same files give the same bytes whatever order they came in."""
        blob = bytearray()
        hashes: dict[str, str] = {}
        offsets: dict[str, int] = {}
        placed: dict[str, int] = {}
        for e in order:
            if not e.is_file:
                continue
            digest = hashes[e.path] = self._hashes[e.path]
            if e.size and digest not in placed:
                blob += bytes(-len(blob) % PAGE_BYTES)
                placed[digest] = len(blob)
                blob += self.read(e)
            offsets[e.path] = placed.get(digest, 0)
        blob += bytes(-len(blob) % PAGE_BYTES)
        return bytes(blob), hashes, offsets
