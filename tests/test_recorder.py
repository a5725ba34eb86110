"""The recorder itself: bounded, harmless, honest in its counts, and discreet."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth import signals
from django_entra_auth.models import TokenErrorRecord
from django_entra_auth.recorder import rows, take_events, write_events
from django_entra_auth.recorder.events import ERRORS, Event, read_event
from django_entra_auth.testing import sign_in
from tests.visitor import Visitor, make_client

NOW = datetime(2026, 3, 1, 9, 0, 30, tzinfo=timezone.utc)
RESULT = {"error": "invalid_grant", "suberror": "basic_action", "error_codes": [50076]}
TID = "11111111-2222-4333-8444-555555555555"
OID = "abcdef01-2222-4333-8444-555555555555"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows._Pause, "until", 0.0)


def event(**members: Any) -> Event:
    return Event(**{"kind": "refresh", "error": "server_error", "when": NOW, **members})


def person(number: int) -> dict[str, str]:
    return {"tid": TID, "oid": f"{OID[:-3]}{number:03}"}


def counts() -> list[int]:
    return list(TokenErrorRecord.objects.order_by("pk").values_list("count", flat=True))


def write_all(*events: Event) -> None:
    write_events(list(events))


@pytest.mark.django_db
def test_ten_thousand_failures_in_a_minute_are_a_row_for_each_person_and_reason() -> None:
    people, reasons = 5, ("server_error", "temporarily_unavailable")
    for number in range(10_000):
        when = NOW + timedelta(seconds=59 * number / 10_000)
        who = person(number % people)
        write_all(event(error=reasons[number // people % 2], when=when, **who))
    assert counts() == [1000] * 10
    assert TokenErrorRecord.objects.filter(last_seen__gt=NOW + timedelta(seconds=58)).count() == 10


@pytest.mark.django_db
def test_after_a_minute_there_is_a_new_row() -> None:
    for seconds in (0, 59, 60, 61, 119, 200):
        write_all(event(when=NOW + timedelta(seconds=seconds), **person(1)))
    assert counts() == [2, 3, 1]
    first, _, _ = TokenErrorRecord.objects.order_by("pk")
    assert (first.first_seen, first.last_seen) == (NOW, NOW + timedelta(seconds=59))


@pytest.mark.django_db
def test_who_tells_late_does_not_turn_the_time_back() -> None:
    write_all(event(**person(1)), event(when=NOW - timedelta(seconds=40), **person(1)))
    row = TokenErrorRecord.objects.get()
    assert (row.count, row.last_seen) == (2, NOW)


@pytest.mark.django_db
def test_a_worker_that_is_a_moment_late_counts_on_the_row_of_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def be_late(one: Event, *args: Any) -> bool:
        monkeypatch.undo()
        write_all(event(**person(1)))
        return False

    monkeypatch.setattr(rows, "_is_noise", be_late)
    write_all(event(**person(1)))
    assert counts() == [2]


@pytest.mark.django_db
def test_another_person_number_resource_or_throttle_is_another_row() -> None:
    base = event(**person(1))
    others = [
        event(**person(2)),
        event(number=50076, **person(1)),
        event(resource="graph", **person(1)),
        event(kind="throttle", throttle_key="a", **person(1)),
        event(kind="throttle", throttle_key="b", **person(1)),
    ]
    write_all(base, *others, base)
    assert counts() == [2, 1, 1, 1, 1, 1]


@pytest.mark.django_db
def test_strangers_cause_ten_rows_a_minute_and_hide_nobody() -> None:
    for number in range(100):
        write_all(event(number=number + 1, when=NOW + timedelta(milliseconds=number)))
    assert len(counts()) == 10
    write_all(event(number=1), event(**person(1)), event(number=7, user_id=None, oid=OID))
    assert counts()[0] == 2
    assert len(counts()) == 12
    write_all(event(number=55, when=NOW + timedelta(seconds=61)))
    assert len(counts()) == 13


@pytest.mark.django_db
@pytest.mark.usefixtures("entra_settings")
def test_nothing_is_written_before_seal_and_binding(entra: Any) -> None:
    """What anybody can send without having been sent by this site."""
    visitor, thief = Visitor(entra), make_client()
    answer = visitor.answer(visitor.begin())
    fields = answer.fields
    client = make_client()
    for sent in (
        {},
        {"code": "x"},
        {"state": "forged", "error": "server_error"},
        {"state": fields["state"][:-4] + "AAAA", "code": "x"},
        {"state": "x" * 20_000, "code": "x"},
    ):
        response = client.post("/auth/callback", sent)
        if response.status_code == 303:
            client.get(response["Location"])
    for _ in range(2):
        visitor.deliver(answer, thief)
    assert counts() == []


@pytest.mark.django_db
def test_one_failure_told_twice_in_a_request_is_one_row() -> None:
    request: Any = RequestFactory().get("/")
    request.entra = SimpleNamespace()
    signals.token_error.send(None, request=request, result=RESULT, scopes=("Mail.Read",))
    signals.claims_challenged.send(
        None, request=request, claims='{"a":1}', scopes=("Mail.Read",), result=RESULT
    )
    signals.sign_in_failed.send(
        None, request=request, reason="blocked", result=RESULT, is_stop=True
    )
    assert counts() == []
    (found,) = take_events(request)
    assert (found.kind, found.reason, found.resource) == ("stop", "blocked", "graph")
    assert found.claims == '{"a":1}'


@pytest.mark.django_db
def test_a_request_tells_of_a_few_failures_alone() -> None:
    request: Any = RequestFactory().get("/")
    request.entra = SimpleNamespace()
    for number in range(1, 100):
        signals.token_error.send(None, request=request, result={**RESULT, "error_codes": [number]})
    assert len(take_events(request)) == 8


@pytest.mark.django_db
def test_what_fails_after_the_answer_or_without_a_request_is_written_at_once() -> None:
    request: Any = RequestFactory().get("/")
    request.entra = SimpleNamespace()
    assert take_events(request) == []
    signals.token_error.send(None, request=request, result=RESULT)  # in a streaming body
    signals.token_error.send(None, request=None, result={"error": "server_error"})
    assert counts() == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_in_an_event_loop_what_cannot_be_written_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def tell() -> None:
        signals.token_error.send(None, request=None, result=RESULT)

    asyncio.run(tell())
    assert "could not be recorded" in caplog.text


@pytest.mark.django_db
def test_a_missing_table_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_entra_auth_tokenerrorrecord RENAME TO elsewhere")
    write_all(event(), event())
    assert caplog.text.count("could not be recorded") == 2
    sign_in(make_client(), "alice")  # the outer transaction is still good


def test_a_locked_database_is_waited_for_once(
    file_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connections["default"].cursor().execute("PRAGMA busy_timeout = 600")
    holder = sqlite3.connect(file_database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    write_all(*(event(**person(number)) for number in range(50)))
    taken = time.monotonic() - started
    holder.execute("ROLLBACK")
    holder.close()
    assert caplog.text.count("database is locked") >= 1
    assert taken < 5
    assert counts() == []


def test_after_a_pause_it_writes_again(file_database: Path) -> None:
    now = [100.0]
    rows._Pause.until = 105.0
    write_events([event()], monotonic=lambda: now[0])
    assert counts() == []
    now[0] = 106.0
    write_events([event()], monotonic=lambda: now[0])
    assert counts() == [1]


def test_a_read_only_database_breaks_nothing(
    file_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connections["default"].cursor().execute("PRAGMA query_only = ON")
    write_all(event())
    assert "readonly" in caplog.text
    assert rows._Pause.until == 0.0  # it refused at once: nobody waits for it


def test_writers_in_four_processes_make_one_row_with_the_right_count(file_database: Path) -> None:
    # Away from the end of a minute, when there would rightly be two.
    begin = time.time() + 2.5
    begin += 15 if begin % 60 > 45 else 0
    command = [sys.executable, "-m", "tests.recorder_writer", str(file_database), str(begin), "50"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen(command, env=environment) for _ in range(4)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    assert counts() == [200]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
NAMES = ("error", "suberror", "error_codes", "error_description", "correlation_id", "trace_id",
         "tid", "oid", "throttle_key", "status", "claims")  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_whatever_a_provider_writes_what_is_kept_is_of_closed_lists(result: dict[str, Any]) -> None:
    found = read_event("refresh", result)
    assert found.error in ERRORS | {"", "other"}
    assert found.number is None or 0 < found.number < 2**31
    for value in (found.correlation_id, found.trace_id, found.tid, found.oid):
        assert value == "" or (len(value) == 36 and set(value) <= set("0123456789abcdef-"))
    assert len(found.throttle_key) <= 64


@pytest.mark.django_db
def test_the_cost_of_recording(capsys: pytest.CaptureFixture[str]) -> None:
    """Told, not judged by the clock: the number of queries is what can be held to."""
    user = get_user_model().objects.create(username="alice")
    assert _statements(event(user_id=user.pk, **person(1))) == ["UPDATE", "INSERT"]
    assert _statements(event(user_id=user.pk, **person(1))) == ["UPDATE"]
    # Of a job the account alone is known: whose it is is looked up for a new row.
    assert _statements(event(**person(4))) == ["UPDATE", "SELECT", "INSERT"]
    assert _statements(event(**person(4))) == ["UPDATE"]
    assert _statements(event()) == ["UPDATE", "SELECT", "INSERT"]
    made = _time(lambda: event(**person(2)))
    counted = _time(lambda: write_all(event(**person(3))))
    with capsys.disabled():
        text = f"{made} µs to describe, {counted} µs to write ({connection.vendor})"
        sys.stdout.write(f"\nrecording: {text}\n")


@pytest.mark.django_db(transaction=True)
def test_where_statements_commit_by_themselves_a_repeat_is_one_statement() -> None:
    write_all(event(**person(1)))
    with CaptureQueriesContext(connection) as seen:
        write_all(event(**person(1)))
    assert [query["sql"].split()[0] for query in seen] == ["UPDATE"]
    assert counts() == [2]


def _statements(one: Event) -> list[str]:
    with CaptureQueriesContext(connection) as seen:
        write_all(one)
    words = [query["sql"].split()[0] for query in seen]
    return [word for word in words if word in {"UPDATE", "SELECT", "INSERT", "DELETE"}]


def _time(act: Any, times: int = 300) -> int:
    started = time.perf_counter()
    for _ in range(times):
        act()
    return round((time.perf_counter() - started) / times * 1e6)
