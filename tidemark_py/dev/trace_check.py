"""Is a trace file what its readers take? The rules of the Trace Event Format (JSON object form) that chrome://tracing
and Perfetto's importer follow, for the phases that we write: X, b, e, i, M; and what is missing between its slices.

Source: "Trace Event Format", the document that both readers name. Missing: phases B, E, s, t, f, C, P, N, O, D, v, V.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

__all__ = ["gaps", "problems"]

PHASES = {"X", "b", "e", "i", "M"}
METADATA = {"process_name", "thread_name", "process_labels", "process_sort_index", "thread_sort_index"}
NEAR_US = 0.0015  # what rounding to doubles of microseconds may leave


def _row(row: Any) -> str:
    if not isinstance(row, dict):
        return "no object"
    ph = row.get("ph")
    if ph not in PHASES:
        return f"phase {ph!r}"
    if not isinstance(row.get("name"), str) or not row["name"]:
        return "no name"
    for key in ("pid", "tid"):
        if not isinstance(row.get(key), int) or not 0 <= row[key] < 1 << 31:
            return f"{key} {row.get(key)!r}: no number of 31 bits"
    for key in ("ts", "dur") if ph == "X" else ("ts",):
        value = row.get(key)
        if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            return f"{key} {value!r}: no time"
    if "args" in row and not isinstance(row["args"], dict):
        return "args are no object"
    if ph == "M":
        if row["name"] not in METADATA:
            return "unknown metadata"
        if row["name"].endswith("_name") and not isinstance(row.get("args", {}).get("name"), str):
            return "a name without one"
    elif not isinstance(row.get("cat"), str):
        return "no category"
    if ph == "i" and row.get("s") not in ("g", "p", "t"):
        return "an instant without a scope"
    if ph in "be" and not isinstance(row.get("id"), (int, str)):
        return "an asynchronous slice without an id"
    return ""


def _nesting(tracks: dict[tuple[int, int], list[tuple[float, float, str]]]) -> list[str]:
    found = []
    for track, slices in tracks.items():
        open_until: list[tuple[float, str]] = []
        for start, end, name in sorted(slices, key=lambda s: (s[0], -s[1])):
            while open_until and open_until[-1][0] <= start + NEAR_US:
                open_until.pop()
            if open_until and end > open_until[-1][0] + NEAR_US:
                found.append(f"{track}: {name} at {start} runs beyond {open_until[-1][1]}, in which it begins")
            open_until.append((end, name))
    return found


def problems(trace: Any) -> list[str]:
    """What is wrong with it, each with its place; empty: nothing."""
    rows = trace.get("traceEvents") if isinstance(trace, dict) else None
    if not isinstance(rows, list):
        return ["no traceEvents"]
    found = [f"event {n}: {text}" for n, row in enumerate(rows) if (text := _row(row))]
    if found:
        return found
    tracks: dict[tuple[int, int], list[tuple[float, float, str]]] = defaultdict(list)
    waiting: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r["ts"], r["ph"] == "e")):
        if row["ph"] == "X":
            tracks[row["pid"], row["tid"]].append((row["ts"], row["ts"] + row["dur"], row["name"]))
        elif row["ph"] == "b":
            waiting[row["pid"], row["cat"], row["id"], row["name"]].append(row["ts"])
        elif row["ph"] == "e":
            begun = waiting[row["pid"], row["cat"], row["id"], row["name"]]
            if not begun:
                found.append(f"{row['name']} {row['id']} ends and never began")
            else:
                begun.pop()
    found += [f"{key[3]} {key[2]} never ends" for key, begun in waiting.items() if begun]
    named = {row["pid"] for row in rows if row["name"] == "process_name"}
    found += [f"process {pid} has no name" for pid in sorted({row["pid"] for row in rows} - named)]
    return found + _nesting(tracks)


def gaps(trace: dict[str, Any], pid: int, tid: int) -> list[tuple[float, float]]:
    """Times between the first and the last slice of a track in which it has none, in microseconds."""
    slices = sorted(
        (row["ts"], row["ts"] + row["dur"])
        for row in trace["traceEvents"]
        if row["ph"] == "X" and (row["pid"], row["tid"]) == (pid, tid)
    )
    found: list[tuple[float, float]] = []
    reached = slices[0][0] if slices else 0.0
    for start, end in slices:
        if start > reached + NEAR_US:
            found.append((reached, start))
        reached = max(reached, end)
    return found
