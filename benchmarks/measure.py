"""Times alternatives in turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, Final

ROUNDS: Final = 41
ROUND_SECONDS: Final = 0.02
"""Length of one turn; short, so that a busy machine slows all alternatives alike."""
_MICROSECONDS: Final = 1e6
_FEWEST: Final = 3
_FEWEST_TO_BOUND: Final = 6

Turn = Callable[[int], float]
"""Makes a number of calls and returns the median of their seconds."""


@dataclass(frozen=True)
class Timing:
    """Microseconds for one call: the median over all turns, and the middle half of them."""

    median: float
    low: float
    high: float
    samples: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Estimate:
    """A median, and the bounds between which the true one lies in 95 of 100 runs."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One line of the table: what was timed, how long each takes, and whatever else to know."""

    name: str
    timings: Mapping[str, Timing]
    note: str = ""


@dataclass(frozen=True)
class Contender:
    """Something to time; ``prepare`` runs before each turn and is not timed."""

    name: str
    turn: Turn
    prepare: Callable[[], object] = lambda: None


def repeat(call: Callable[[], object]) -> Turn:
    """Time each call by itself, so that one interrupted by another process does not count."""
    return repeat_after(lambda: None, lambda _: call())


def repeat_after(before: Callable[[], Any], call: Callable[[Any], object]) -> Turn:
    """Time calls each of which gets what an untimed ``before`` has just made."""

    def turn(count: int) -> float:
        times = []
        for _ in range(count):
            made = before()
            start = time.perf_counter()
            call(made)
            times.append(time.perf_counter() - start)
        return median(times)

    return turn


def repeat_reported(call: Callable[[], float]) -> Turn:
    """Take the seconds that each call says it needed for the part that matters."""
    return lambda count: median(call() for _ in range(count))


def race(contenders: Sequence[Contender], *, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Return how long a call of each contender takes, measured in alternating turns."""
    repeats = {one.name: _count_repeats(one) for one in contenders}
    samples: dict[str, list[float]] = {one.name: [] for one in contenders}
    gc.collect()
    for number in range(rounds):
        # Each contender is first as often as last.
        for one in contenders if number % 2 else reversed(contenders):
            one.prepare()
            one.turn(2)  # what is built anew after a change of settings is not a hit's cost
            samples[one.name].append(one.turn(repeats[one.name]))
    return {name: summarize(values) for name, values in samples.items()}


def time_in_turns(
    calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS
) -> dict[str, Timing]:
    """Race plain calls."""
    return race([Contender(name, repeat(call)) for name, call in calls.items()], rounds=rounds)


def alternate(calls: dict[str, Callable[[], object]], *, count: int) -> dict[str, Timing]:
    """Time calls one by one in turn, for differences that are small beside the calls."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    gc.collect()
    for number in range(count):
        for name in calls if number % 2 else reversed(calls):
            start = time.perf_counter()
            calls[name]()
            samples[name].append(time.perf_counter() - start)
    return {name: summarize(values) for name, values in samples.items()}


def subtract(one: Timing, other: Timing) -> Timing:
    """Summarize the differences within each round, in which both had the same machine.

    After `alternate` a round is one call of each.
    """
    pairs = zip(one.samples, other.samples, strict=True)
    return summarize([(a - b) / _MICROSECONDS for a, b in pairs])


def divide(one: Timing, other: Timing) -> Estimate:
    """Estimate the ratio from those within each round, in which both had the same machine."""
    return estimate([a / b for a, b in zip(one.samples, other.samples, strict=True)])


def estimate(values: Sequence[float]) -> Estimate:
    """Return the median and its 95 % interval, by order statistics; no distribution is assumed.

    Fewer than six values bound nothing with that certainty.
    """
    ordered = sorted(values)
    count = len(ordered)
    if count < _FEWEST_TO_BOUND:
        return Estimate(median(ordered), -math.inf, math.inf)
    margin = 0.98 * math.sqrt(count)
    low = max(0, math.floor(count / 2 - margin))
    high = min(count - 1, math.ceil(count / 2 + margin))
    return Estimate(median(ordered), ordered[low], ordered[high])


def summarize(seconds: Sequence[float]) -> Timing:
    """Return the median and the middle half of some times, in microseconds."""
    values = [value * _MICROSECONDS for value in seconds]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Timing(median(values), low, high, tuple(values))


def build_table(rows: Sequence[Row], *, opponent: str, own: str) -> list[str]:
    """Return the lines of a Markdown table with medians in microseconds and their ratio."""
    lines = [f"| what | {opponent}, µs | {own}, µs | {opponent} / {own} | |", "| --- " * 5 + "|"]
    for row in rows:
        left, right = row.timings[opponent], row.timings[own]
        ratio = left.median / right.median
        lines.append(f"| {row.name} | {show(left)} | {show(right)} | {ratio:.2f} | {row.note} |")
    return lines


def show(timing: Timing) -> str:
    """Return a timing as text: the median, and the middle half in brackets."""
    digits = 0 if timing.median >= 100 else 1
    low, high = f"{timing.low:.{digits}f}", f"{timing.high:.{digits}f}"
    return f"{timing.median:.{digits}f} ({low} to {high})"


def _count_repeats(contender: Contender) -> int:
    contender.prepare()
    contender.turn(3)
    start = time.perf_counter()
    contender.turn(5)
    return max(_FEWEST, int(ROUND_SECONDS / (time.perf_counter() - start) * 5))
