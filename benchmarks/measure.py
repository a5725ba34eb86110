"""Times alternatives in turns and prints their medians beside each other."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

ROUNDS: Final = 41
ROUND_SECONDS: Final = 0.02
"""Length of one turn; short, so that a busy machine slows all alternatives alike."""
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True)
class Timing:
    """Microseconds for one call: the median over all turns, and the middle half of them."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One line of the table: what was timed, how long each takes, and whatever else to know."""

    name: str
    timings: Mapping[str, Timing]
    note: str = ""


def time_in_turns(
    calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS
) -> dict[str, Timing]:
    """Return how long a call of each alternative takes, measured in alternating turns."""
    repeats = {name: _count_repeats(call) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    gc.collect()
    for number in range(rounds):
        # Each alternative is first as often as last.
        for name in names if number % 2 else reversed(names):
            samples[name].append(_time(calls[name], repeats[name]))
    return {name: _summarize(values) for name, values in samples.items()}


def print_table(rows: Sequence[Row], *, opponent: str, own: str) -> None:
    """Print a Markdown table with the medians in microseconds and their ratio."""
    print(f"| what | {opponent}, µs | {own}, µs | {opponent} / {own} | |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        left, right = row.timings[opponent], row.timings[own]
        ratio = left.median / right.median
        print(f"| {row.name} | {_show(left)} | {_show(right)} | {ratio:.2f} | {row.note} |")


def _count_repeats(call: Callable[[], object]) -> int:
    single = _time(call, 20)
    return max(1, int(ROUND_SECONDS / single))


def _time(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _summarize(samples: list[float]) -> Timing:
    low, _, high = quantiles(samples, n=4)
    return Timing(*(value * _MICROSECONDS for value in (median(samples), low, high)))


def _show(timing: Timing) -> str:
    return f"{timing.median:.1f} ({timing.low:.1f} to {timing.high:.1f})"
