"""Counts what went wrong in a period: by time and category, by number, and for how many people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Sum, When
from django.db.models import Count as CountOf
from django.db.models.functions import Cast

from django_entra_auth.admin.meaning import find_title
from django_entra_auth.admin.periods import Period

MOST_NUMBERS = 8

# By the start of a bar (Unix minutes): how many errors of which category.
Bars = Mapping[int, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Count:
    """How many errors of a kind began in a bar."""

    bar: int
    category: str
    number: int | None
    errors: int


@dataclass(frozen=True, slots=True)
class FrequentNumber:
    """An AADSTS number and how often it was met."""

    number: int
    count: int

    @property
    def title(self) -> str:
        """What it stands for."""
        return find_title(self.number)


@dataclass(frozen=True, slots=True)
class Affected:
    """How many it happens to now: people, and failures of nobody known (`unknown`)."""

    people: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What the charts above the list show."""

    period: Period
    bars: Bars
    numbers: tuple[FrequentNumber, ...]
    affected: Affected

    @property
    def total(self) -> int:
        """How many errors there were."""
        return sum(self.by_category.values())

    @property
    def by_category(self) -> Mapping[str, int]:
        """How many there were of each category, the most frequent first."""
        totals: dict[str, int] = defaultdict(int)
        for bar in self.bars.values():
            for category, count in bar.items():
                totals[category] += count
        return dict(sorted(totals.items(), key=lambda item: -item[1]))


def build_overview(rows: QuerySet[Any], period: Period) -> Overview:
    """Count `rows`, which the list's filters have chosen, within the period: two queries."""
    chosen = rows.order_by().filter(last_seen__gte=period.start, last_seen__lt=period.end)
    counts = _count(chosen, period.step)
    return Overview(
        period=period,
        bars=_collect_bars(counts, period),
        numbers=_collect_numbers(counts),
        affected=_count_affected(chosen.filter(last_seen__gte=period.latest)),
    )


def _count(rows: QuerySet[Any], step: int) -> list[Count]:
    bar = F("minute") - F("minute") % step
    # Plain names would come before the bar in GROUP BY: sorting texts first takes twice as long.
    kind = F("category"), F("number")
    found = rows.values_list(bar, *kind).annotate(errors=Sum("count"))
    return [Count(*row) for row in found]


def _collect_bars(counts: Iterable[Count], period: Period) -> Bars:
    """Add up by bar. A row that was last seen in the period may have begun before it."""
    first = floor_to_bar(period.start.timestamp(), period.step)
    bars: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in counts:
        bars[max(count.bar, first)][count.category] += count.errors
    return {start: dict(bars[start]) for start in sorted(bars)}


def _collect_numbers(counts: Iterable[Count]) -> tuple[FrequentNumber, ...]:
    totals: dict[int, int] = defaultdict(int)
    for count in counts:
        if count.number is not None:
            totals[count.number] += count.errors
    frequent = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return tuple(FrequentNumber(number, errors) for number, errors in frequent[:MOST_NUMBERS])


def floor_to_bar(timestamp: float, step: int) -> int:
    """The start (Unix minutes) of the bar that a time (Unix seconds) falls into."""
    return int(timestamp // 60) // step * step


def _count_affected(rows: QuerySet[Any]) -> Affected:
    key = Cast("user_id", output_field=CharField(max_length=64))
    who = Case(When(oid__gt="", then="oid"), default=key, output_field=CharField())
    found = rows.aggregate(
        people=CountOf(who, distinct=True), unknown=Sum("count", filter=Q(oid="", user=None))
    )
    return Affected(people=found["people"], unknown=found["unknown"] or 0)
