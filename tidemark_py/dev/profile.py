"""Where guest threads spent their time (`build.py run --profile`), in the file format of https://www.speedscope.app.

Owns symbols and the format. Samples are trace records (kernel/task/profile.c): a place in a mapped file, a duration,
and whether compiled code ran there. Each thread is a profile of it, each sample a stack of the file and the function in
it. Symbols are those of the layers' ELF files, .symtab or else .dynsym; a stripped program's functions are pages.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..layers.format import Entry, Layer
from ..state.trace import TraceEvent

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
PT_LOAD, SHT_SYMTAB, SHT_DYNSYM, STT_FUNC = 1, 2, 11, 2
PAGE = 4096


class Functions:
    """Of one ELF64 little-endian file, by place in it. Anything else has none."""

    def __init__(self, data: bytes) -> None:
        self._starts: list[int] = []
        self._functions: list[tuple[int, str]] = []  # end, name
        try:
            found = sorted(self._read(data), key=lambda f: (f[0], -f[1]))
        except (struct.error, IndexError, ValueError):
            return
        self._starts = [start for start, _, _ in found]
        self._functions = [(end, name) for _, end, name in found]

    @staticmethod
    def _read(data: bytes) -> Iterable[tuple[int, int, str]]:
        if data[:6] != b"\x7fELF\x02\x01":
            return []
        phoff, shoff = struct.unpack_from("<QQ", data, 32)
        phsize, phcount, shsize, shcount = struct.unpack_from("<HHHH", data, 54)
        loads = []
        for i in range(phcount):
            kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, phoff + i * phsize)
            if kind == PT_LOAD:
                loads.append((address, size, offset))
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shsize) for i in range(shcount)]
        tables = [s for s in sections if s[1] == SHT_SYMTAB] or [s for s in sections if s[1] == SHT_DYNSYM]
        out = []
        for table in tables:
            names = sections[table[6]][4]
            for at in range(table[4], table[4] + table[5], 24):
                name, info, _, _, value, size = struct.unpack_from("<IBBHQQ", data, at)
                place = next((value - a + o for a, n, o in loads if a <= value < a + n), None)
                if info & 15 == STT_FUNC and place is not None:
                    end = data.index(b"\0", names + name)
                    out.append((place, place + max(size, 1), data[names + name : end].decode("utf-8", "replace")))
        return out

    def name(self, place: int) -> str | None:
        """Of the function that holds it."""
        i = bisect.bisect_right(self._starts, place) - 1
        return self._functions[i][1] if i >= 0 and place < self._functions[i][0] else None


class Symbols:
    """Functions of the files of some layers, the later ones first."""

    def __init__(self, layers: Sequence[Path]) -> None:
        self._paths = list(reversed(layers))
        self._files: dict[str, Functions] = {}
        self._layers: list[tuple[Layer, dict[str, Entry]]] | None = None

    def _body(self, path: str) -> bytes:
        if self._layers is None:
            self._layers = []
            for file in self._paths:
                layer = Layer.load(file)
                self._layers.append((layer, {e.path: e for e in layer.entries()}))
        inside = path.lstrip("/")
        for layer, entries in self._layers:
            for name in (inside, f"usr/{inside}"):
                seen = 0
                entry = entries.get(name)
                while entry is not None and entry.link and seen < 8:
                    seen += 1
                    target = entry.link if entry.is_hard_link or entry.link[0] == "/" else ""
                    entry = entries.get((target or str(PurePosixPath(entry.path).parent / entry.link)).lstrip("/"))
                if entry is not None and entry.is_file:
                    return bytes(layer.body(entry))
        return b""

    def name(self, path: str, place: int) -> str:
        """A function's name, or which page of which file."""
        if not path.startswith("/"):
            return f"{path} {place & -PAGE:#x}"
        if path not in self._files:
            self._files[path] = Functions(self._body(path))
        return self._files[path].name(place) or f"{PurePosixPath(path).name}+{place & -PAGE:#x}"


def speedscope(samples: Iterable[TraceEvent], symbols: Symbols) -> dict[str, Any]:
    """The file's object; a profile for each thread, in order of appearance."""
    frames: dict[tuple[str, str], int] = {}
    threads: dict[tuple[int, int], dict[str, Any]] = {}
    for e in samples:
        path = e.captured[0][1].decode("utf-8", "replace") if e.captured else "?"
        how = "compiled" if e.args[1] else "interpreted"
        stack = [(path, path), (f"{symbols.name(path, e.args[2])} [{how}]", path)]
        profile = threads.setdefault(
            (e.pid, e.tid),
            {
                "type": "sampled", "name": f"{e.program} (process {e.pid}, thread {e.tid})", "unit": "nanoseconds",
                "startValue": 0, "endValue": 0, "samples": [], "weights": [],
            },
        )  # fmt: skip
        profile["samples"].append([frames.setdefault(frame, len(frames)) for frame in stack])
        profile["weights"].append(e.end_ns - e.start_ns)
        profile["endValue"] += e.end_ns - e.start_ns
    return {
        "$schema": SCHEMA,
        "exporter": "tidemark",
        "shared": {"frames": [{"name": name, "file": path} for name, path in frames]},
        "profiles": list(threads.values()),
    }
