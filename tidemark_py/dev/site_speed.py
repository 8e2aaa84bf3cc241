"""The site's page of measured speed, from site/speed.json: what `build.py bench --only kernels --json` printed.

Called by site_pages.py. One chart (inline SVG in the page's own colours, bars on a logarithmic axis, so that equal
lengths are equal factors) and the same figures as a table for who cannot see it.
"""

from __future__ import annotations

import json
import math
from html import escape
from typing import Any

from .toolchain import ROOT, BuildError

FIGURES = ROOT / "site" / "speed.json"
#: Slow-downs by side: label, opacity of the bar.
SIDES = (
    ("ours", "Tidemark, compiled code", 1.0),
    ("wasm", "clang's WebAssembly", 0.55),
    ("qemu", "qemu-riscv64", 0.25),
)
LEFT, WIDTH, BAR, GAP, TOP = 92, 640, 9, 12, 26
LEAST = 0.5  # the axis begins there


def figures() -> dict[str, Any]:
    """The report. Raises BuildError when it lacks what the chart shows."""
    try:
        report: dict[str, Any] = json.loads(FIGURES.read_text("utf-8"))
        for row in report["kernels"].values():
            for side in ("native", *(s for s, _, _ in SIDES)):
                if not row["ms_per_round"][side] > 0:
                    raise ValueError(f"{side} has no time")
        return report
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise BuildError(f"{FIGURES}: not what `build.py bench --only kernels --json` prints: {e!r}") from None


def slowdown(row: dict[str, Any], side: str) -> float:
    """Times native's time."""
    times = row["ms_per_round"]
    return float(times[side] / times["native"])


def chart(report: dict[str, Any]) -> str:
    """The SVG."""
    rows = report["kernels"]
    most = max(slowdown(row, side) for row in rows.values() for side, _, _ in SIDES)
    end = math.log(most * 1.25 / LEAST)

    def x(factor: float) -> float:
        return LEFT + (WIDTH - LEFT) * math.log(max(factor, LEAST) / LEAST) / end

    height = TOP + len(rows) * (len(SIDES) * BAR + GAP)
    out = []
    for tick in (1, 2, 5, 10, 20, 50):
        if tick < most * 1.25:
            line = f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 6}" y2="{height}" stroke="var(--line)"/>'
            out.append(f'{line}<text x="{x(tick):.1f}" y="12" text-anchor="middle">{tick}×</text>')
    for n, (name, row) in enumerate(rows.items()):
        y = TOP + n * (len(SIDES) * BAR + GAP)
        middle = y + len(SIDES) * BAR / 2 + 4
        out.append(f'<text x="{LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>')
        for k, (side, label, opacity) in enumerate(SIDES):
            factor = slowdown(row, side)
            bar = f'x="{LEFT}" y="{y + k * BAR}" width="{x(factor) - LEFT:.1f}" height="{BAR - 1}"'
            title = f"{escape(name)}, {label}: {factor:.2f} times native"
            out.append(f'<rect {bar} fill="var(--accent)" fill-opacity="{opacity}"><title>{title}</title></rect>')
    style = "width:100%;height:auto;fill:var(--soft);font:12px system-ui"
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Slow-down against native" style="{style}">'
    return head + "".join(out) + "</svg>"


def legend() -> str:
    """What the bars are."""
    square = (
        '<svg width="12" height="12" aria-hidden="true"><rect width="12" height="12" fill="var(--accent)" {}/></svg>'
    )
    items = (f"{square.format(f'fill-opacity={chr(34)}{opacity}{chr(34)}')} {label}" for _, label, opacity in SIDES)
    return "<p>" + " &nbsp; ".join(items) + "</p>"


def table(report: dict[str, Any]) -> str:
    """The same in figures."""
    head = "<th>kernel</th>" + "".join(f"<th>{label}</th>" for _, label, _ in SIDES)
    body = ""
    for name, row in report["kernels"].items():
        body += (
            f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{slowdown(row, s):.2f}</td>" for s, _, _ in SIDES) + "</tr>"
        )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def speed() -> tuple[str, str, str]:
    """Title, description and body."""
    report = figures()
    load = " to ".join(f"{one:.1f}" for one in report["load"])
    body = f"""<h1>Speed</h1>
<p>Small programs of one kind of work each, the same C for all: how many times longer than native code they take.
Hot riscv64 code is compiled to WebAssembly here; what clang makes for WebAssembly directly, in the same page, is the
bound that a translator can hope for.</p>
{legend()}
{chart(report)}
{table(report)}
<p>Geometric mean: {report["geomean_slowdown_vs_native"]:.2f} times native,
{report["geomean_speedup_vs_qemu"]:.2f} times as fast as qemu-riscv64 {escape(report["qemu"])} (user mode, itself a
native program). Medians of {int(report["rounds"])} interleaved rounds in {escape(report["host"])} on a machine whose
load was {load}; {100 * report["translated_share"]:.1f} % of the instructions ran as compiled code.
<code>python3 build.py bench --only kernels</code> measures it where you are.</p>"""
    return (
        "Speed",
        "How fast Tidemark runs compiled guest code, beside native, clang's WebAssembly and qemu-riscv64.",
        body,
    )
