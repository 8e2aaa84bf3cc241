"""Generator of everything that is derived from the ABI tables (tidemark_py/abi/*.toml).

Owns: the generated files named in `outputs()`, which are committed and marked. `build.py abi` writes them, `build.py
check` compares them. Runs on plain Python 3.11, before anything is installed. Sources of the facts: syscalls(2),
errno(3) and the UAPI as riscv64 sees it; the rooms of the shared words are the rows' own `owner`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import abigen_c, abigen_js, abigen_py, messagegen, wasigen

Row = dict[str, Any]
# The kernel's ABI, which the hash covers. messages.toml is between roles of one wheel: messagegen.py makes it.
TABLES = ("constants", "errno", "layouts", "status", "structs", "syscalls", "wasi")
SCALARS = {"u8": 1, "i8": 1, "char": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "u64": 8, "i64": 8, "f64": 8}
# C parameter type of each argument type of a system call; every other type points into the guest.
ARG_C = {
    "fd": "i32",
    "int": "i32",
    "pid": "i32",
    "whence": "i32",
    "signo": "i32",
    "uint": "u32",
    "flags": "u32",
    "openflags": "u32",
    "mode": "u32",
    "uid": "u32",
    "prot": "i32",
    "mapflags": "i32",
    "cloneflags": "u64",
    "size": "u64",
    "ulong": "u64",
    "usize": "u64",
    "long": "i64",
    "off": "i64",
}
LEVELS = ("none", "partial", "full")
RESTARTS = ("none", "sys", "nohand", "block")
# Keys that explain and do not bind: they do not change the ABI hash.
PROSE = {"doc", "note", "man", "owner", "writers", "text"}


class TableError(ValueError):
    """A row of a table contradicts itself or another; the text names table and row."""


@dataclass(frozen=True)
class Field:
    """One field of a layout: `count` is None for a scalar."""

    name: str
    base: str
    count: int | None
    offset: int
    bytes: int
    doc: str = ""
    writers: str = ""


@dataclass(frozen=True)
class Layout:
    """One struct, laid out; `guest` ones come from structs.toml and get the prefix guest_ in C."""

    name: str
    doc: str
    owner: str
    bytes: int
    align: int
    fields: tuple[Field, ...]
    guest: bool


@dataclass
class Tables:
    """All tables, checked."""

    errnos: list[Row] = field(default_factory=list)
    syscalls: list[Row] = field(default_factory=list)
    constants: dict[str, dict[str, int]] = field(default_factory=dict)
    enums: list[Row] = field(default_factory=list)
    shared_constants: list[Row] = field(default_factory=list)
    layouts: list[Layout] = field(default_factory=list)
    wasi: Row = field(default_factory=dict)
    hash: str = ""

    @property
    def hash32(self) -> int:
        """The first 32 bits of the hash, as the kernel exports them."""
        return int(self.hash[:8], 16)


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _strip(v) for k, v in value.items() if k not in PROSE}
    if isinstance(value, list):
        return [_strip(v) for v in value]
    return value


def _lay_out(row: Row, known: dict[str, Layout], guest: bool) -> Layout:
    where = f"layout {row['name']}"
    offset, align, fields = 0, 1, []
    for f in row["fields"]:
        base, _, rest = str(f["type"]).partition("[")
        count = int(rest[:-1]) if rest else None
        if base in SCALARS:
            size = step = SCALARS[base]
        elif base in known:
            size, step = known[base].bytes, known[base].align
        else:
            raise TableError(f"{where}: field {f['name']} has unknown type {f['type']}")
        if offset % step:
            raise TableError(f"{where}: a gap before {f['name']} at {offset}")
        total = size * (count if count is not None else 1)
        fields.append(Field(f["name"], base, count, offset, total, f.get("doc", ""), f.get("writers", "")))
        offset += total
        align = max(align, step)
    if offset != row["bytes"]:
        raise TableError(f"{where}: fields take {offset} bytes, the row says {row['bytes']}")
    if offset % align:
        raise TableError(f"{where}: {offset} bytes is no multiple of its alignment {align}")
    return Layout(row["name"], row.get("doc", ""), row.get("owner", ""), offset, align, tuple(fields), guest)


def _check_syscall(row: Row, seen: dict[int, str]) -> Row:
    where = f"syscall {row['name']}"
    row = {"note": "", "blocks": False, "restart": "none", "lock": True, **row}
    if row["nr"] in seen:
        raise TableError(f"{where}: number {row['nr']} is {seen[row['nr']]}'s")
    if row["level"] not in LEVELS or row["restart"] not in RESTARTS:
        raise TableError(f"{where}: level or restart has an unknown value")
    if len(row["args"]) > 6:
        raise TableError(f"{where}: more than six arguments")
    if row["level"] == "partial" and not row["note"]:
        raise TableError(f"{where}: partial without a note")
    if row["blocks"] and not row["lock"]:
        raise TableError(f"{where}: parks without the lock")
    seen[row["nr"]] = row["name"]
    return row


def load(abi: Path) -> Tables:
    """Read and check every table of the directory. Raises TableError."""
    raw: dict[str, Any] = {}
    for name in TABLES:
        with (abi / f"{name}.toml").open("rb") as f:
            raw[name] = tomllib.load(f)
    t = Tables()
    t.errnos = raw["errno"]["errno"]
    t.constants = raw["constants"]
    names: dict[str, int] = {}
    for group, values in t.constants.items():
        for name, value in values.items():
            if names.setdefault(name, value) != value:
                raise TableError(f"constants {group}: {name} has two values")
    seen: dict[int, str] = {}
    t.syscalls = sorted((_check_syscall(r, seen) for r in raw["syscalls"]["syscall"]), key=lambda r: int(r["nr"]))
    t.enums = raw["status"]["enum"]
    for e in t.enums:
        numbers = [v["value"] for v in e["values"]]
        if twice := {n for n in numbers if numbers.count(n) > 1}:
            raise TableError(f"enum {e['name']}: {sorted(twice)} stand for two names each")
    t.shared_constants = raw["status"].get("constant", [])
    known: dict[str, Layout] = {}
    for row in raw["structs"]["struct"]:
        known[row["name"]] = _lay_out(row, known, True)
    t.layouts = [_lay_out(row, {}, False) for row in raw["layouts"]["layout"]] + list(known.values())
    t.wasi = raw["wasi"]
    canonical = json.dumps(_strip(raw), sort_keys=True, separators=(",", ":"))
    t.hash = hashlib.sha256(canonical.encode()).hexdigest()
    return t


def outputs(root: Path) -> dict[Path, str]:
    """Path to text of every generated file of the checkout at `root`."""
    package = root / "tidemark_py"
    t = load(package / "abi")
    kernel, python, js = package / "kernel" / "gen", package / "abi" / "gen", root / "js_shim" / "gen"
    return {
        kernel / "abi.h": abigen_c.abi_h(t),
        kernel / "abi_hash.h": abigen_c.abi_hash_h(t),
        kernel / "syscalls.h": abigen_c.syscalls_h(t),
        kernel / "syscalls.c": abigen_c.syscalls_c(t),
        root / "site" / "programs" / "gen" / "frame.h": abigen_c.frame_h(t),
        kernel / "wasi.h": wasigen.wasi_h(t.wasi),
        kernel / "wasi.c": wasigen.wasi_c(t.wasi),
        js / "abi.js": abigen_js.abi_js(t),
        js / "input.js": abigen_js.input_js(t),
        python / "__init__.py": '"""Generated from the tables of tidemark_py/abi: do not edit."""\n',
        python / "abi.py": abigen_py.abi_py(t),
        python / "guest.py": abigen_py.guest_py(t),
        python / "linux.py": abigen_py.linux_py(t),
        **messagegen.outputs(),
    }


def write(root: Path) -> list[Path]:
    """Write what differs; returns the paths written."""
    changed = []
    for path, text in outputs(root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale(root: Path) -> list[Path]:
    """Generated files that are not what the tables say."""
    return [p for p, text in outputs(root).items() if not p.exists() or p.read_text(encoding="utf-8") != text]
