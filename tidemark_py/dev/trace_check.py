"""Is a trace file what its readers take? The rules of the Trace Event Format (JSON object form) that chrome://tracing
and Perfetto's importer follow, for the phases that we write: X, b, e, i, M; and what is missing between its slices.

Source: "Trace Event Format", the document that both readers name. Missing: phases B, E, s, t, f, C, P, N, O, D, v, V.

perfetto_problems() does the same for Perfetto's own format: parsed by the classes that its makers generate from their
description of it (PyPI: perfetto), which know nothing of our encoder.
"""

from __future__ import annotations

import importlib
import math
from collections import defaultdict
from typing import Any

__all__ = ["gaps", "perfetto_problems", "perfetto_tracks", "problems"]

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


def _perfetto(data: bytes) -> Any:
    """perfetto.protos.Trace. Raises google.protobuf.message.DecodeError."""
    protos = importlib.import_module("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    return protos.Trace.FromString(data)


def perfetto_tracks(data: bytes) -> dict[int, dict[str, Any]]:
    """uuid -> parent, kind (process | thread | other), name, and the names of its slices and instants."""
    found: dict[int, dict[str, Any]] = {}
    for packet in _perfetto(data).packet:
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            kind = "process" if track.HasField("process") else "thread" if track.HasField("thread") else "other"
            name = {"process": track.process.process_name, "thread": track.thread.thread_name}.get(kind, track.name)
            found[track.uuid] = {"parent": track.parent_uuid, "kind": kind, "name": name, "slices": []}
        elif packet.track_event.name:
            found[packet.track_event.track_uuid]["slices"].append(packet.track_event.name)
    return found


def _track_problem(track: Any, declared: set[int]) -> str:
    if not track.uuid or track.uuid in declared:
        return f"declares track {track.uuid} twice, or none"
    if track.HasField("parent_uuid") and track.parent_uuid not in declared:
        return f"track {track.uuid} lies in {track.parent_uuid}, which is not declared"
    if track.HasField("process") and not (track.process.pid > 0 and track.process.process_name):
        return "a process without a number or a name"
    if track.HasField("thread") and not (track.thread.pid > 0 and track.thread.tid > 0):
        return "a thread without its numbers"
    return ""


def perfetto_problems(data: bytes) -> list[str]:
    """What is wrong with it, each with its place; empty: nothing. Raises DecodeError for what is no message at all."""
    trace = _perfetto(data)
    kinds = {"TYPE_SLICE_BEGIN": 1, "TYPE_SLICE_END": -1, "TYPE_INSTANT": 0}
    found: list[str] = []
    declared: set[int] = set()
    depth: dict[int, int] = defaultdict(int)
    now = 0
    for n, packet in enumerate(trace.packet):
        if not packet.trusted_packet_sequence_id:
            found.append(f"packet {n}: no sequence")
        if packet.HasField("track_descriptor"):
            if text := _track_problem(packet.track_descriptor, declared):
                found.append(f"packet {n}: {text}")
            declared.add(packet.track_descriptor.uuid)
        elif packet.HasField("track_event"):
            event = packet.track_event
            kind = type(event).Type.Name(event.type)
            if kind not in kinds:
                found.append(f"packet {n}: {kind}")
                continue
            if event.track_uuid not in declared:
                found.append(f"packet {n}: on track {event.track_uuid}, which is not declared")
            if not packet.HasField("timestamp") or packet.timestamp < now:
                found.append(f"packet {n}: at {packet.timestamp}, after {now}")
            if kind != "TYPE_SLICE_END" and not (event.name and event.categories):
                found.append(f"packet {n}: no name or category")
            now = packet.timestamp
            depth[event.track_uuid] += kinds[kind]
            if depth[event.track_uuid] < 0:
                found.append(f"packet {n}: ends on track {event.track_uuid} what never began")
        elif n or not packet.sequence_flags:
            found.append(f"packet {n}: nothing in it")
    found += [f"track {track}: {left} slices never end" for track, left in depth.items() if left > 0]
    size = trace.ByteSize()
    trace.DiscardUnknownFields()
    if trace.ByteSize() != size:
        found.append(f"{size - trace.ByteSize()} bytes of fields that the format does not have")
    return found
