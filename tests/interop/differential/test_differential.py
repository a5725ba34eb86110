"""MSAL for Python as the oracle: every difference from it is an intended one."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.interop.differential.cells import (
    BODIES,
    GRANTS,
    HEADERS,
    RESET,
    STATUSES,
    Cell,
    Credential,
    Grant,
    Repeat,
)
from tests.interop.differential.clients import Outcome
from tests.interop.differential.comparison import Comparison, compare
from tests.interop.differential.differences import INTENDED, Intended, find_reason

SHOWN = 40


@pytest.mark.parametrize("grant", get_args(Grant))
def test_every_difference_is_intended(comparison: Comparison, grant: Grant) -> None:
    unexplained = [
        difference
        for difference in comparison.differences
        if difference.cell.grant == grant and find_reason(difference) is None
    ]
    if unexplained:
        shown = "\n".join(str(difference) for difference in unexplained[:SHOWN])
        pytest.fail(f"{len(unexplained)} unexplained differences:\n{shown}", pytrace=False)


@pytest.mark.parametrize("entry", INTENDED, ids=lambda entry: entry.name)
def test_every_intended_difference_is_real(comparison: Comparison, entry: Intended) -> None:
    expected = {cell for cell in comparison.cells if entry.cells(cell)}
    seen = {d.cell for d in comparison.differences if entry.explains(d)}
    missing = sorted(cell.id for cell in expected - seen)
    assert expected, "no cell can show it"
    assert not missing[:SHOWN], f"{entry.name}: no longer so in {len(missing)} cells"


@pytest.mark.parametrize("grant", GRANTS)
def test_the_cells_cover_every_value(comparison: Comparison, grant: Grant) -> None:
    cells = [cell for cell in comparison.cells if cell.grant == grant]
    assert {cell.status for cell in cells} == {*STATUSES, RESET}
    assert {cell.body for cell in cells} >= set(BODIES)
    assert {cell.header for cell in cells} == set(HEADERS)
    assert {cell.credential for cell in cells} == set(get_args(Credential))


def test_there_are_many_cells(comparison: Comparison) -> None:
    assert {cell.repeat for cell in comparison.cells} == set(get_args(Repeat))
    assert len(comparison.cells) > 800


def test_a_comparison_sees_everything_that_differs() -> None:
    cell = Cell("client", 200, "success")
    theirs = Outcome("success", {"access_token": "a", "scope": "x"}, None, ({"scope": "x y"},))
    ours = Outcome("success", {"access_token": "b", "extra": 1}, None, ({"scope": "x"},) * 2)
    aspects = [difference.aspect for difference in compare(cell, 1, theirs, ours)]
    assert aspects == ["value access_token", "key extra", "key scope", "calls", "wire scope"]


def test_a_comparison_sees_another_outcome() -> None:
    cell = Cell("client", 200, "success")
    theirs = Outcome("raised", {}, "JSONDecodeError", ())
    ours = Outcome("error", {"error": "invalid_response"}, None, ())
    (difference,) = compare(cell, 1, theirs, ours)
    assert (difference.msal, difference.ours) == ("JSONDecodeError", "error invalid_response")
    assert find_reason(difference) is None
