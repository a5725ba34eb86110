"""What the outage drill has measured, what must hold of it, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One answer, and how many seconds the browser has waited for it."""

    is_recorded: bool
    status: int
    seconds: float


@dataclass
class Phase:
    """One kind of outage: what was seen, what was written, what the overview showed."""

    kind: str
    seconds: float
    seen: list[Seen]
    rows: dict[str, Any]
    overview: dict[str, int]
    affected: int
    overview_seconds: float
    recovery_seconds: float = math.nan

    def times(self, *, is_recorded: bool) -> list[float]:
        """Milliseconds."""
        return [one.seconds * 1e3 for one in self.seen if one.is_recorded == is_recorded]

    def failed(self, *, is_recorded: bool) -> int:
        """How many got the page that waits."""
        return sum(one.status == 503 for one in self.seen if one.is_recorded == is_recorded)

    def bound(self, people: int) -> int:
        """A row for each person and reason, and one more for each minute that has begun."""
        return int(people * len(self.rows["reasons"]) * (math.ceil(self.seconds / 60) + 1))


def judge(phase: Phase, people: int) -> None:
    """Bounded rows that count everything, answers as promised, an overview that tells."""
    statuses = {one.status for one in phase.seen}
    assert statuses <= {200, 503}, statuses
    assert phase.failed(is_recorded=True) > 0, "nothing failed"
    assert phase.rows["rows"] <= phase.bound(people), phase.rows
    assert phase.rows["counted"] == phase.failed(is_recorded=True), phase.rows
    assert sum(phase.overview.values()) == phase.rows["counted"], phase.overview
    word = "Too many requests" if phase.kind == "429" else "Entra in trouble"
    assert phase.overview[word] > 0, phase.overview
    assert phase.affected == phase.rows["people"]


def describe(phases: Sequence[Phase], people: int) -> str:
    """A table: the browsers' milliseconds with and without the recorder, as median, p95 (count).

    "overview" is the admin's page during the outage, "after" how long until all have a token again.
    """
    lines = [
        "| outage | requests | 503 | rows (bound) | recorded | not recorded | overview | after |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in phases:
        failed = one.failed(is_recorded=True) + one.failed(is_recorded=False)
        cells = (
            f"{one.kind}, {one.seconds:.0f} s",
            f"{len(one.seen):,}",
            f"{failed:,}",
            f"{one.rows['rows']} ({one.bound(people)})",
            _summarize(one.times(is_recorded=True)),
            _summarize(one.times(is_recorded=False)),
            f"{one.overview_seconds * 1e3:.0f} ms",
            f"{one.recovery_seconds:.1f} s",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _summarize(times: list[float]) -> str:
    if len(times) < 2:
        return "–"  # noqa: RUF001  a dash
    return f"{median(times):.1f}, {quantiles(times, n=20)[-1]:.1f} ({len(times):,})"
