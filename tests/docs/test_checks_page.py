"""docs/reference/checks.md has every check, with its level and what it takes to see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_checks import TRIGGERS, ids

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "checks.md").read_text()
ROW = r"^\| `django_entra_auth\.([EW]\d{3})` \| (.+?) \| (.+?) \| (.+?) \|$"
ROWS = re.findall(ROW, PAGE, re.MULTILINE)


def test_every_check_is_on_the_page_once_and_in_order() -> None:
    documented = [row[0] for row in ROWS]
    assert documented == sorted({check for expected, _ in TRIGGERS for check in expected})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_page_says_when_a_check_runs(row: tuple[str, str, str, str]) -> None:
    code, when, _, _ = row
    changes = next(changes for expected, changes in TRIGGERS if code in expected)
    assert when == ("always" if code in ids(deploy=False, **changes) else "`--deploy`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_page_says_what_is_wrong_and_what_to_do(row: tuple[str, str, str, str]) -> None:
    assert all(len(text) > 15 for text in row[2:])
