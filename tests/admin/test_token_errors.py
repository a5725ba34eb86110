"""The list of token errors and the page of one: what is shown, found, counted and escaped."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone as django_timezone

from django_entra_auth.admin.meaning import CATEGORIES, SAMPLES
from django_entra_auth.models import ErrorKind
from django_entra_auth.oauth2 import classify
from tests.admin.making_rows import TENANTS, make_error, make_people, source_of

LIST = "/admin/django_entra_auth/tokenerrorrecord/"
VIEW = "view_tokenerrorrecord"
GUID = "0b0d1f64-3c27-4c3c-8d5c-0f6a5d0f2a11"


@pytest.fixture
def client(visit: Callable[..., Client]) -> Client:
    return visit(VIEW)


def rows_of(client: Client, query: str = "") -> set[int]:
    response = client.get(LIST + query)
    assert response.status_code == 200, response
    return {record.pk for record in response.context["cl"].result_list}


def test_the_list_says_what_to_whom_how_often_and_since_when(client: Client) -> None:
    (person,) = make_people(1)
    make_error(
        user=person, resource="https://graph.microsoft.com", suberror="message_only", count=7
    )
    text = source_of(client.get(LIST))
    for words in ("Blocked by policy", "53003 A Conditional Access policy", "person0", "graph"):
        assert words in text
    assert "message_only" in text


def test_each_filter_leaves_its_rows(client: Client) -> None:
    hour, week = timedelta(hours=2), timedelta(days=6)
    now = django_timezone.now()
    first = make_error(tid=TENANTS[1], resource="api://a", number=50076, category="interaction")
    second = make_error(tid=TENANTS[2], resource="api://b", when=now - hour)
    third = make_error(category="", number=None, kind=ErrorKind.CHALLENGE, when=now - week)
    assert rows_of(client) == {first.pk, second.pk, third.pk}
    assert rows_of(client, "?category=interaction") == {first.pk}
    assert rows_of(client, "?category=none") == {third.pk}
    assert rows_of(client, "?number=53003") == {second.pk}
    assert rows_of(client, f"?tid={TENANTS[1]}") == {first.pk}
    assert rows_of(client, "?resource=api%3A%2F%2Fb") == {second.pk}
    assert rows_of(client, "?period=1h") == {first.pk}
    assert rows_of(client, "?period=24h") == {first.pk, second.pk}
    assert rows_of(client, "?period=7d&category=none") == {third.pk}


@pytest.mark.parametrize("query", ["?number=x", "?number=%C2%B2", "?number=9999999999999999999"])
def test_a_number_that_is_none_resets_the_list(client: Client, query: str) -> None:
    make_error()
    assert client.get(LIST + query).status_code == 302


@pytest.mark.parametrize(
    "query",
    [
        "?last_seen__year=x",
        "?last_seen__year=99999",
        "?last_seen__year=2026&last_seen__month=13",
        "?last_seen__year=0",
        "?last_seen__year=1",
        "?last_seen__year=2999&last_seen__month=12&last_seen__day=31",
        "?period=<script>",
        "?q=%00",
        "?p=x",
        "?category=a&tid=b&resource=c",
    ],
)
def test_hostile_queries_break_nothing(client: Client, query: str) -> None:
    make_error()
    response = client.get(LIST + query)
    assert response.status_code in {200, 302, 400}
    assert b"<script>" not in response.content


def test_people_and_ids_are_found(client: Client) -> None:
    person, other = make_people(2)
    person.first_name, person.last_name = "Ada", "Lovelace"
    person.save()
    mine = make_error(user=person, number=50076)
    theirs = make_error(user=other, correlation_id=GUID)
    unknown = make_error(oid=str(uuid.UUID(int=5)))
    assert rows_of(client, "?q=ada+LOVE") == {mine.pk}
    assert rows_of(client, "?q=person1%40contoso") == {theirs.pk}
    assert rows_of(client, f"?q={GUID.upper()}") == {theirs.pk}
    assert rows_of(client, f"?q={uuid.UUID(int=5)}") == {unknown.pk}
    assert rows_of(client, "?q=AADSTS50076") == {mine.pk}
    assert rows_of(client, "?q=nobody") == set()


def test_more_people_than_can_be_listed_are_all_found(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_entra_auth.admin.people.MOST_PEOPLE", 2)
    records = [make_error(user=person) for person in make_people(4)]
    assert rows_of(client, "?q=person") == {record.pk for record in records}


def test_the_overview_counts_what_the_filters_leave(client: Client) -> None:
    person, other = make_people(2)
    make_error(user=person, count=3)
    make_error(user=other, count=2, number=50076, category="interaction")
    make_error(count=4, number=7000215, category="configuration")
    make_error(user=other, count=50, when=django_timezone.now() - timedelta(days=2))
    data = client.get(LIST).context["overview"]["data"]
    assert data.by_category == {"configuration": 4, "blocked": 3, "interaction": 2}
    assert [(one.number, one.count) for one in data.numbers][:2] == [(7000215, 4), (53003, 3)]
    assert (data.affected.people, data.affected.unknown) == (2, 4)
    data = client.get(f"{LIST}?number=53003&period=7d").context["overview"]["data"]
    assert data.by_category == {"blocked": 53}
    assert (data.affected.people, data.affected.unknown) == (1, 0)


def test_one_person_known_by_account_and_one_by_user_are_two(client: Client) -> None:
    (person,) = make_people(1)
    for _ in range(3):
        make_error(user=person, oid=GUID)
    make_error(oid=str(uuid.UUID(int=9)))
    assert client.get(LIST).context["overview"]["data"].affected.people == 2


def test_the_chart_has_a_part_for_each_category_of_a_bar(client: Client) -> None:
    for name in CATEGORIES:
        make_error(category=name, count=5)
    page = source_of(client.get(LIST))
    for name in CATEGORIES:
        assert f'<rect class="entra-category-{name or "none"}" x=' in page
    assert "style=" not in page.partition("entra-overview")[2].partition("</section>")[0]


@pytest.mark.parametrize("number", [0, 1])
def test_the_overview_of_next_to_nothing(client: Client, number: int) -> None:
    for _ in range(number):
        make_error()
    page = source_of(client.get(LIST))
    assert ("No errors." in page) is not number
    assert "entra-chart" in page


def test_what_began_before_the_period_is_in_its_first_bar(client: Client) -> None:
    start = django_timezone.now() - timedelta(days=1)
    seen = {"first_seen": start - timedelta(seconds=40), "last_seen": start + timedelta(seconds=15)}
    make_error(**seen, minute=int(start.timestamp()) // 60 // 30 * 30 - 1)
    make_error(when=start + timedelta(minutes=2))
    overview = client.get(LIST).context["overview"]["data"]
    assert overview.total == 2
    assert min(overview.bars) * 60 > start.timestamp() - 30 * 60


def test_dates_lead_to_years_months_and_days_with_rows(client: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    # 18:14 and 18:15 UTC are the last minute of a day and the first of the next there.
    for text in ("2025-03-31T18:14", "2025-03-31T18:15", "2026-10-05T12:00", "2026-10-31T12:00"):
        make_error(when=datetime.fromisoformat(text).replace(tzinfo=timezone.utc))
    assert "last_seen__year=2025" in source_of(client.get(LIST))
    page = source_of(client.get(f"{LIST}?last_seen__year=2025"))
    assert "March 2025" in page
    assert "April 2025" in page
    assert "February 2025" not in page
    page = source_of(client.get(f"{LIST}?last_seen__year=2026&last_seen__month=10"))
    assert "October 5" in page
    assert "October 31" in page
    assert "October 6<" not in page
    chosen = "?last_seen__year=2025&last_seen__month=4&last_seen__day=1"
    assert len(rows_of(client, chosen)) == 1
    data = client.get(LIST + chosen).context["overview"]["data"]
    assert data.total == 1
    assert data.affected.unknown == 1, "of a day that is over the last hour means nothing"


@pytest.mark.parametrize("category", [name for name in CATEGORIES if name])
def test_every_category_has_words_of_its_own(category: str) -> None:
    assert classify(SAMPLES[category]).category == category
    assert classify({**SAMPLES[category], "error_codes": [53003]}).category == category


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("credential_rejected", "One of several client credentials is rejected"),
        ("groups_unresolved", "Microsoft Graph did not tell somebody&#x27;s groups"),
    ],
)
def test_what_no_page_says_is_told_with_its_consequence(
    client: Client, reason: str, title: str
) -> None:
    record = make_error(reason=reason, category="configuration", number=7000222)
    page = source_of(client.get(f"{LIST}{record.pk}/change/"))
    assert title in page
    assert "The operator of this application" in page
    assert "Sign-in refused" not in page


def test_the_page_of_one_says_what_it_means_and_who_must_act(client: Client) -> None:
    record = make_error(
        claims='{"access_token":{"acrs":{"essential":true,"value":"c1"}}}',
        correlation_id=GUID,
        trace_id=GUID.replace("0b", "0c"),
        when=datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc),
        reason="blocked",
    )
    page = source_of(client.get(f"{LIST}{record.pk}/change/"))
    for words in (
        "A Conditional Access policy blocks the access",
        "An administrator of the person",
        'href="https://login.microsoftonline.com/error?code=53003"',
        "Your organization does not allow this sign-in",
        "Error number: AADSTS53003",
        f"Correlation ID: {GUID}",
        "First seen: 2026-03-01 12:30:00Z",
        "essential",
    ):
        assert words in page, words
    assert 'name="_save"' not in page


@pytest.mark.parametrize("reason", ["user_unknown", "too_many", "an_override_of_the_site", ""])
def test_what_this_site_decided_is_explained_too(client: Client, reason: str) -> None:
    record = make_error(category="", error="", number=None, reason=reason)
    page = source_of(client.get(f"{LIST}{record.pk}/change/"))
    assert "What it means" in page
    assert "The operator" in page or not reason


HOSTILE = "<script>alert(1)</script>\"'><svg onload=alert(2)>"


def test_no_script_gets_into_a_page(client: Client) -> None:
    person = get_user_model().objects.create(username=HOSTILE[:150])
    record = make_error(
        user=person,
        category=HOSTILE[:20],
        reason=HOSTILE[:32],
        error=HOSTILE[:48],
        suberror=HOSTILE[:32],
        resource=HOSTILE,
        claims=f'{{"access_token": "{HOSTILE}',
        tid=HOSTILE[:36],
        correlation_id=HOSTILE[:36],
        trace_id=HOSTILE[:36],
    )
    for url in (LIST, f"{LIST}?q={HOSTILE}&tid={HOSTILE}", f"{LIST}{record.pk}/change/"):
        page = source_of(client.get(url))
        assert "<script>alert" not in page
        assert "<svg onload" not in page


def test_staff_without_the_permission_sees_nothing(visit: Callable[..., Client]) -> None:
    record = make_error()
    client = visit("change_tokenerrorrecord", "delete_tokenerrorrecord", "release_throttle")
    for path in ("", f"{record.pk}/change/", f"{record.pk}/history/", "throttles/"):
        assert client.get(LIST + path).status_code == 403, path
    assert "token errors" not in source_of(client.get("/admin/")).lower()


def test_strangers_are_sent_to_sign_in(client: Client) -> None:
    client.logout()
    for path in ("", "throttles/"):
        assert client.get(LIST + path).status_code == 302


def test_nobody_adds_changes_or_deletes(visit: Callable[..., Client]) -> None:
    record = make_error(count=1)
    client = visit(is_superuser=True)
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{record.pk}/change/", {"count": 9}).status_code == 403
    assert client.post(f"{LIST}{record.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(LIST, {"action": "delete_selected", "_selected_action": record.pk, "post": "yes"})
    record.refresh_from_db()
    assert record.count == 1
