"""Says where the time of a call goes, for budgets that are missed."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CALLS: Final = 2000
SHOWN: Final = 14
_OWN: Final = "django_entra_auth"


@dataclass(frozen=True)
class Share:
    """A function's part of the whole time, by itself and with all it calls; 0 to 1."""

    where: str
    alone: float
    whole: float
    calls: float


def profile(call: Callable[[], object], *, calls: int = CALLS) -> list[Share]:
    """Return the most expensive functions, those of this project first.

    The profiler makes small functions look dearer than they are; the order is what counts.
    """
    profiler = cProfile.Profile()
    call()
    profiler.enable()
    for _ in range(calls):
        call()
    profiler.disable()
    return _read(pstats.Stats(profiler), calls)


def _read(statistics: Any, calls: int) -> list[Share]:
    total = statistics.total_tt
    shares = [
        Share(_name(place), own / total, whole / total, count / calls)
        for place, (_, count, own, whole, _callers) in statistics.stats.items()
    ]
    ours = [share for share in shares if _OWN in share.where]
    others = [share for share in shares if _OWN not in share.where]
    ours.sort(key=lambda share: share.whole, reverse=True)
    others.sort(key=lambda share: share.alone, reverse=True)
    return [*ours[:SHOWN], *others[:SHOWN]]


def _name(place: tuple[str, int, str]) -> str:
    file, line, function = place
    if file.startswith("~"):
        return function
    parts = Path(file).parts
    package = next((n for n, part in enumerate(parts) if part in {_OWN, "site-packages"}), -2)
    start = package if package < 0 or parts[package] == _OWN else package + 1
    return f"{'/'.join(parts[start:])}:{line} {function}"
