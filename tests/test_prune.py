"""`entra_prune_errors`: old rows go, recent ones and those still counting stay."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_entra_auth.models import TokenErrorRecord
from tests.diagnosis import local

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rows() -> None:
    now = timezone.now()
    for minute, days in enumerate((0, 6, 8, 29, 31, 400)):
        seen = now - timedelta(days=days)
        TokenErrorRecord.objects.create(
            kind="refresh", first_seen=seen, last_seen=seen, minute=minute
        )


def run(*options: str) -> str:
    out = StringIO()
    call_command("entra_prune_errors", *options, stdout=out)
    return out.getvalue().strip()


def test_the_setting_says_how_long_they_are_kept(settings: Any) -> None:
    assert run() == "Deleted 2 token errors."
    settings.ENTRA_AUTH = local(TOKEN_ERROR_RETENTION_DAYS=7)
    assert run() == "Deleted 2 token errors."
    assert TokenErrorRecord.objects.count() == 2


def test_days_go_before_the_setting() -> None:
    assert run("--days=300") == "Deleted 1 token error."
    assert run("--days=0.5") == "Deleted 4 token errors."
    assert run("--days=0.5") == "Deleted 0 token errors."


def test_a_row_that_still_counts_is_kept() -> None:
    TokenErrorRecord.objects.filter(minute=5).update(last_seen=timezone.now())
    assert run() == "Deleted 1 token error."


@pytest.mark.parametrize("days", ["-1", "many"])
def test_nonsense_is_refused(days: str) -> None:
    with pytest.raises(CommandError):
        run(f"--days={days}")
    assert TokenErrorRecord.objects.count() == 6
