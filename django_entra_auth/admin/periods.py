"""The stretch of time that the overview is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_entra_auth.admin.rows import DATE_FIELD, find_next, make_local

MOST_BARS = 60
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 10080)  # minutes

PERIODS: Mapping[str, tuple[str | Promise, timedelta]] = {
    "1h": (_("Last hour"), timedelta(hours=1)),
    "24h": (_("Last 24 hours"), timedelta(days=1)),
    "7d": (_("Last 7 days"), timedelta(days=7)),
    "30d": (_("Last 30 days"), timedelta(days=30)),
}
PERIOD_PARAMETER = "period"
DEFAULT_PERIOD = "24h"
FIRST_YEAR = 1970  # rows count their minutes from here
NOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to before `end`, which `is_over` when that was before now."""

    name: str | Promise
    start: datetime
    end: datetime
    is_over: bool = False

    @property
    def step(self) -> int:
        """Minutes to a bar, so that there are MOST_BARS of them at most."""
        minutes = (self.end - self.start) / timedelta(minutes=1)
        return next((step for step in STEPS if minutes / step <= MOST_BARS), STEPS[-1])

    @property
    def latest(self) -> datetime:
        """Since when people count as affected: the last hour, or all of a period that is over."""
        return self.start if self.is_over else max(self.start, self.end - NOW)


def choose_period(parameters: Mapping[str, str], now: datetime) -> Period:
    """What the list's time filter or its dates say, else the last 24 hours."""
    chosen = PERIODS.get(parameters.get(PERIOD_PARAMETER, ""))
    dates = None if chosen else _read_dates(parameters, now)
    if dates:
        return dates
    name, length = chosen or PERIODS[DEFAULT_PERIOD]
    return Period(name, now - length, now)


def _read_dates(parameters: Mapping[str, str], now: datetime) -> Period | None:
    """A day, a month or a year of the date hierarchy."""
    parts = [parameters.get(f"{DATE_FIELD}__{unit}") for unit in ("year", "month", "day")]
    year, month, day = (int(part) if part and part.isdecimal() else None for part in parts)
    if year is None or year < FIRST_YEAR:
        return None
    kind = "day" if month and day else "month" if month else "year"
    try:
        start = datetime(year, month or 1, day or 1)  # noqa: DTZ001  made local below
        start, end = make_local(start), make_local(find_next(start, kind))
    except (ValueError, OverflowError):
        return None
    text = "-".join(f"{part:02}" for part in (year, month, day) if part is not None)
    is_running = start < now < end
    return Period(text, start, now if is_running else end, is_over=end <= now)
