"""Metrics: the kernel's histograms of durations (layout histogram) as counts and percentiles.

Reads what tk_metrics_table has; durations come in buckets, four to each doubling of METRIC_UNIT_SHIFT's unit, so that a
percentile is right to about a tenth. System calls are timed by sample, and each that slept; those that need no lock are
counted by sample, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..abi.gen.abi import (
    METRIC_BUCKETS,
    METRIC_UNIT_SHIFT,
    SYSCALLS,
    Histogram,
    KernelCounters,
    Role,
)
from ..abi.gen.abi import (
    Metric as MetricId,
)
from ..host.contract import Kernel

__all__ = ["Metric", "counted_histograms", "handled", "of_samples", "parse_metrics"]

HEAD = struct.Struct("<II")
CALL_NAMES = {row.nr: row.name for row in SYSCALLS}
MOST = int(MetricId.CALLS) + max(CALL_NAMES) + 1
WATCHING = KernelCounters.OFFSET["watching"]


@dataclass(frozen=True, slots=True)
class Metric:
    """name: "call.read", "wake", "message_owner" ... count: how often; timed: how many of them were timed."""

    name: str
    count: int
    timed: int
    mean_us: float
    p50_us: float
    p99_us: float
    max_us: float


def handled(kernel: Kernel, role: Role, kind: int, arg: int) -> None:
    """A role has begun with a message: for those who watch."""
    if any(kernel.peek(kernel.counters + WATCHING, 4)):
        kernel.call("tk_handled", int(role), kind, arg)


def counted_histograms(kernel: Kernel) -> bytes:
    """index, 0, histogram of each that counted something; empty when they are off."""
    table = int(kernel.call("tk_metrics_table")) & 0xFFFFFFFF
    if not table:
        return b""
    whole = kernel.image(table, MOST * Histogram.BYTES)
    pieces = []
    for n in range(MOST):
        one = whole[n * Histogram.BYTES : (n + 1) * Histogram.BYTES]
        if any(one[:8]):
            pieces.append(HEAD.pack(n, 0) + one)
    return b"".join(pieces)


def _name(index: int) -> str:
    if index >= MetricId.CALLS:
        nr = index - MetricId.CALLS
        return f"call.{CALL_NAMES.get(nr, nr)}"
    return MetricId(index).name.lower()


def _bounds_us(bucket: int) -> tuple[float, float]:
    """From, to."""

    def start(n: int) -> int:
        return n if n < 4 else (4 + n % 4) << (n // 4 - 1)

    unit_us = (1 << METRIC_UNIT_SHIFT) / 1000
    return start(bucket) * unit_us, start(bucket + 1) * unit_us


def _percentile(buckets: Sequence[int], share: float, most_us: float) -> float:
    wanted = share * sum(buckets)
    for n in range(METRIC_BUCKETS):
        if buckets[n] and wanted <= buckets[n]:
            low, high = _bounds_us(n)
            return min(low + (high - low) * wanted / buckets[n], most_us)
        wanted -= buckets[n]
    return most_us


def parse_metrics(data: bytes) -> Iterator[Metric]:
    """What counted_histograms() gave, by rising index."""
    size = HEAD.size + Histogram.BYTES
    for at in range(0, len(data) - size + 1, size):
        index, _ = HEAD.unpack_from(data, at)
        h = Histogram.unpack(data, at + HEAD.size)
        timed = sum(h.buckets)
        most = h.max_ns / 1000
        p50, p99 = (_percentile(h.buckets, share, most) for share in (0.5, 0.99))
        yield Metric(_name(index), h.count, timed, h.sum_ns / 1000 / timed if timed else 0.0, p50, p99, most)


def of_samples(name: str, count: int, samples_us: tuple[float, float, float]) -> Metric:
    """One whose median, 99th percentile and maximum somebody else keeps; its mean is not known."""
    return Metric(name, count, count, 0.0, *samples_us)
