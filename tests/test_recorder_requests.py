"""The recorder around requests: a broken database keeps nobody out, and no secret is kept."""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import serializers
from django.db import connection

from django_entra_auth import recorder, signals
from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import TokenErrorRecord
from tests.challenges.asking import BY_NAME, Walker, make_walker
from tests.test_recorder_cases import CASES, Case, read_rows

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.site.urls_challenges")]
TABLE = "django_entra_auth_tokenerrorrecord"


@pytest.fixture
def secrets() -> set[str]:
    """Every token, code, state, verifier and cookie that came along."""
    return set()


@pytest.fixture
def walker(entra: Any, entra_settings: Any, secrets: set[str]) -> Walker:
    """Alice, signed in, with somebody who listens in."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()

    def listen(answer: dict[str, Any]) -> dict[str, Any]:
        names = ("access_token", "refresh_token", "id_token")
        secrets.update(answer[name] for name in names if name in answer)
        return answer

    entra.mutate_token_response = listen
    walker = make_walker(entra)
    walker.sign_in(next_url="/private/")
    return walker


@pytest.fixture
def no_table() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} RENAME TO elsewhere")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {TABLE}")


@pytest.mark.parametrize(
    ("path", "caller", "status"),
    [
        ("/step-up/", "navigation", 302),
        ("/step-up/", "form", 200),
        ("/step-up/", "fetch", 401),
        ("/mail/", "navigation", 200),
        ("/raising-async/", "navigation", 302),
    ],
)
def test_without_its_table_everybody_is_answered_as_with_it(
    walker: Walker, path: str, caller: str, status: int, no_table: None
) -> None:
    assert walker.ask(BY_NAME[caller], path).status_code == status
    assert walker.client.get("/private/").status_code == 200


def test_without_its_table_people_can_sign_in(
    entra: Any, entra_settings: Any, no_table: None
) -> None:
    visitor = make_walker(entra)
    cancelled = visitor.deliver(visitor.answer(visitor.begin("/private/"), cancel=True))
    assert cancelled.status_code == 403
    visitor.sign_in(next_url="/private/")
    assert visitor.is_signed_in()


def test_an_outage_leaves_one_row_for_each_person_and_costs_little(
    walker: Walker, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told, not judged by the clock: what a request takes with and without being recorded."""
    walker.entra.faults.add("token", Fault(503), times=None)
    recorded = _time_requests(walker, 60)
    assert [row[-1] for row in read_rows()] == [60]
    signals.token_error.disconnect(dispatch_uid="django_entra_auth.recorder")
    try:
        unrecorded = _time_requests(walker, 60)
    finally:
        recorder.connect()
    assert [row[-1] for row in read_rows()] == [60]
    with capsys.disabled():
        text = f"{recorded:.1f} ms recorded, {unrecorded:.1f} ms not"
        sys.stdout.write(f"\na request during an outage: {text}\n")


def _time_requests(walker: Walker, times: int) -> float:
    """The median, in milliseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        assert walker.ask(BY_NAME["navigation"], "/mail/").status_code == 503
        taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_secret_is_kept_or_logged(
    case: Case, walker: Walker, secrets: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    case.happen(walker)
    assert read_rows() or not case.rows
    names = ("code", "code_verifier", "client_secret", "refresh_token", "state", "nonce")
    for request in walker.entra.requests:
        both = {**request.query, **request.form}
        secrets.update(both[name] for name in names if name in both)
    secrets.update(cookie.value for cookie in walker.client.cookies.values())
    kept = serializers.serialize("json", TokenErrorRecord.objects.all())
    told = "".join(map(_tell, caplog.records))
    found = [one for one in secrets if len(one) > 8 and (one in kept or one in told)]
    assert len(secrets) > 6
    assert found == []


def _tell(record: logging.LogRecord) -> str:
    """What this app has logged, and the texts of others."""
    if record.name.startswith("django_entra_auth"):
        return json.dumps(vars(record), default=str)
    # urllib3 tells of the addresses that the person's browser visits.
    return "" if record.name.startswith("urllib3") else record.getMessage()
