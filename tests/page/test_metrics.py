"""Instrumentation in Chromium: histograms by rt.metrics(), and a trace in which no time of a process is unexplained."""

from __future__ import annotations

import base64

import pytest

from tidemark_py.dev import trace_check

from .conftest import Page

pytestmark = pytest.mark.page


def test_metrics_count_calls_wakes_messages_and_phases(page: Page) -> None:
    """From zero when they begin, nothing when they are off."""
    got = page.run(
        """
rt = await shared_runtime()
before = [metric.name for metric in await rt.metrics() if not metric.name.startswith(("start.", "frame."))]
await rt.measure()
script = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); (exit 0); done; printf hi | cat; exec true"
done = await rt.run(["sh", "-c", script])
found = {metric.name: metric for metric in await rt.metrics()}
await rt.measure(False)
after = [metric.name for metric in await rt.metrics() if not metric.name.startswith(("start.", "frame."))]
show = lambda name: [found[name].count, found[name].timed, found[name].p50_us, found[name].p99_us, found[name].max_us]
[before, done.returncode, {name: show(name) for name in found}, after]
""",
        60,
    )
    before, code, found, after = got
    assert (before, code, after) == ([], 0, [])
    clones = found["call.clone"][0] + found.get("call.clone3", [0])[0]
    assert 42 <= clones <= 43 and found["call.wait4"][0] >= 41, found
    phases = ("handover", "fork", "fork_import", "exec", "exit", "wake", "message_owner", "start.fetch", "start.roles")
    for name in phases:
        count, timed, p50, p99, most = found[name]
        assert count >= timed >= 1 and 0 <= p50 <= p99 <= most, (name, found[name])
    assert found["handover"][0] >= 42 and found["call.wait4"][1] >= 20, found


def test_a_timeline_has_every_process_wait_and_message_and_no_gap(page: Page) -> None:
    """What `run --trace` writes: sound for its readers; from a process's birth to its end, each moment has a name."""
    got = page.run(
        """
import base64
from tidemark_py.state.perfetto import perfetto_trace
from tidemark_py.state.timeline import chrome_trace
from tidemark_py.state.trace import parse_trace
rt = await shared_runtime()
chunks = []
rt.tracing.raw = chunks.append
await rt.tracing.switch(0, calls=True, events=True, timeline=True)
done = await rt.run(["sh", "-c", "ls / | wc -l; sleep 0.01; true"])
await rt.tracing.switch(0, calls=False, events=False)
rt.tracing.raw = None
events = list(parse_trace(b"".join(chunks)))
[int(done.stdout) > 3, chrome_trace(events), base64.b64encode(perfetto_trace(events)).decode()]
""",
        60,
    )
    counted, trace, perfetto = got
    assert counted
    assert trace_check.problems(trace) == []
    names = {r["pid"]: r["args"]["name"] for r in trace["traceEvents"] if r["name"] == "process_name"}
    guests = {pid: name for pid, name in names.items() if name not in ("workers", "messages")}
    assert {"sh", "ls", "wc", "sleep"} <= set(guests.values()) and "messages" in names.values(), names
    slices = [r for r in trace["traceEvents"] if r["ph"] == "X"]
    for pid, name in guests.items():
        own = [r for r in slices if r["pid"] == pid and r["tid"] == pid]
        assert own and trace_check.gaps(trace, pid, pid) == [], (name, trace_check.gaps(trace, pid, pid))
        assert {"guest code", "exit_group"} <= {r["name"] for r in own}, name
    waits = [r for r in slices if r["cat"] == "wait" and r["tid"] >= 1_000_000_000]
    assert {"wait4", "clock_nanosleep"} & {r["name"] for r in waits}, {r["name"] for r in waits}
    starts = [r for r in trace["traceEvents"] if r["ph"] == "b" and r["name"].startswith("start")]
    assert len(starts) >= 3
    whole = base64.b64decode(perfetto)
    assert trace_check.perfetto_problems(whole) == []
    tracks = trace_check.perfetto_tracks(whole)
    processes = {n: track["name"] for n, track in tracks.items() if track["kind"] == "process"}
    assert sorted(processes.values()) == sorted(name for pid, name in names.items() if pid in guests)
    for n, name in processes.items():
        threads = [track for track in tracks.values() if track["parent"] == n]
        assert {"guest code", "exit_group"} <= {s for track in threads for s in track["slices"]}, name
    sent = [t for t in tracks.values() if t["parent"] and tracks[t["parent"]]["name"] == "messages"]
    assert len(sent) == len([r for r in trace["traceEvents"] if r["ph"] == "b"])
    assert all(len(t["slices"]) == 1 for t in sent)
