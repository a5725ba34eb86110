"""Draws two charts as one SVG that can be read on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from benchmarks import silent_hit, whole_request
from benchmarks.results import Results

WIDTH: Final = 960
HEIGHT: Final = 470
TOP: Final = 50
BOTTOM: Final = 330
PANELS: Final = ((70, 450), (560, 930))

STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-size: 14px; font-weight: 600 }
.axis { stroke: #888; fill: none }
.grid { stroke: #8884; fill: none }
.line { fill: none; stroke-width: 2 }
.c0 { --c: #0a7d4f } .c1 { --c: #1f6fd6 } .c2 { --c: #b3541e }
.c3 { --c: #8a3ffc } .c4 { --c: #c2185b } .c5 { --c: #777 }
.line { stroke: var(--c) } .dot { fill: var(--c) }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd }
  .c0 { --c: #3ddc97 } .c1 { --c: #6fb1ff } .c2 { --c: #ffa366 }
  .c3 { --c: #c4a1ff } .c4 { --c: #ff7eb0 } .c5 { --c: #aaa }
}
"""

LABELS: Final = (
    "this project, local copy",
    "this project, Redis",
    "msal, kept application",
    "msal, rebuilt",
    "identity.django",
    "floor / no token",
)


@dataclass(frozen=True)
class Chart:
    """One panel: a line for each label, through points of x and y."""

    title: str
    x_title: str
    x_labels: Mapping[float, str]
    lines: Sequence[Sequence[tuple[float, float]]]
    is_log: bool


def draw(results: Results) -> str:
    """Return the SVG; the right chart shows the sign-ins that were also served by gunicorn."""
    charts = (_chart_hits(results), _chart_requests(results, results.served_resources))
    panels = "".join(
        _draw_panel(chart, left, right) for chart, (left, right) in zip(charts, PANELS, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>Time of a silent hit, and of a request</title>\n<style>{STYLE}</style>\n"
        f"{panels}{_draw_legend()}</svg>\n"
    )


def _chart_hits(results: Results) -> Chart:
    ways = (
        silent_hit.FROM_COPY,
        silent_hit.FROM_REDIS,
        silent_hit.MSAL_KEPT,
        silent_hit.MSAL_REBUILT,
        silent_hit.IDENTITY,
        silent_hit.FLOOR,
    )
    same = [hit for hit in results.hits if hit.shares_core]
    lines = [
        [
            (math.log(hit.resources), hit.timings[way + silent_hit.WITH_SESSION].median)
            for hit in same
        ]
        for way in ways
    ]
    labels = {math.log(hit.resources): str(hit.resources) for hit in same}
    return Chart("Silent hit with its session, µs (log)", "resources", labels, lines, is_log=True)


def _chart_requests(results: Results, resources: int) -> Chart:
    ways = (
        whole_request.COPY_ALWAYS,
        whole_request.COPY_NEVER,
        whole_request.MSAL_KEPT,
        whole_request.MSAL_REBUILT,
        whole_request.IDENTITY,
        whole_request.NO_TOKEN,
    )
    chosen = [one for one in results.requests if one.resources == resources]
    lines = [[(one.distance.added, one.timings[way].median) for one in chosen] for way in ways]
    labels = {one.distance.added: f"{one.distance.wanted:g}" for one in chosen}
    return Chart(
        f"Whole request, µs ({resources} resources)",
        "milliseconds added between application and Redis",
        labels,
        lines,
        is_log=False,
    )


def _draw_panel(chart: Chart, left: int, right: int) -> str:
    xs = [x for line in chart.lines for x, _ in line]
    ys = [y for line in chart.lines for _, y in line]
    ticks = _ticks(min(ys), max(ys), is_log=chart.is_log)
    to_x = _scale(min(xs), max(xs), left, right)
    grow: Callable[[float], float] = math.log if chart.is_log else float
    to_grown = _scale(grow(ticks[0]), grow(ticks[-1]), BOTTOM, TOP)
    parts = [f'<text class="title" x="{left}" y="{TOP - 20}">{escape(chart.title)}</text>\n']
    for tick in ticks:
        y = to_grown(grow(tick))
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>\n')
    parts.append(f'<path class="axis" d="M{left} {TOP}V{BOTTOM}H{right}"/>\n')
    last = -math.inf
    for value, label in chart.x_labels.items():
        x = to_x(value)
        if x - last >= 22:
            parts.append(f'<text x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle">{label}</text>')
            last = x
    middle = (left + right) / 2
    title = escape(chart.x_title)
    parts.append(f'<text x="{middle}" y="{BOTTOM + 38}" text-anchor="middle">{title}</text>\n')
    for number, line in enumerate(chart.lines):
        points = [(to_x(x), to_grown(grow(y))) for x, y in line]
        parts.append(_draw_line(points, number))
    return "".join(parts)


def _draw_line(points: Sequence[tuple[float, float]], number: int) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    return f'<g class="c{number}"><path class="line" d="M{path}"/>{dots}</g>\n'


def _draw_legend() -> str:
    parts = []
    for number, label in enumerate(LABELS):
        x, y = 70 + (number % 3) * 290, BOTTOM + 80 + (number // 3) * 26
        swatch = f'<path class="line" d="M{x} {y - 4}h24"/>'
        parts.append(
            f'<g class="c{number}">{swatch}<text x="{x + 32}" y="{y}">{label}</text></g>\n'
        )
    return "".join(parts)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _ticks(low: float, high: float, *, is_log: bool) -> list[float]:
    if is_log:
        steps = [m * 10.0**power for power in range(7) for m in (1, 2, 5)]
        first = max(step for step in steps if step <= low)
        return [step for step in steps if first <= step <= next(s for s in steps if s >= high)]
    step = 10.0 ** math.floor(math.log10(high))
    step = next(part for part in (step / 5, step / 2, step, 2 * step) if high / part <= 7)
    return [step * number for number in range(math.ceil(high / step) + 1)]
