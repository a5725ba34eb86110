"""Failures of jobs are told and written down: once each, at once, and never into the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.db import connection

from django_entra_auth import sign_ins, signals
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.exceptions import InteractionRequired, TokenError
from django_entra_auth.models import TokenErrorRecord
from tests.visitor import Visitor

REDIS = "django.core.cache.backends.redis.RedisCache"
SCOPES = ["api://reports/Read"]
DOWN = {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}}
TABLE = "django_entra_auth_tokenerrorrecord"

pytestmark = pytest.mark.django_db


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What `token_error` has told."""
    seen: list[dict[str, Any]] = []

    def listen(**named: Any) -> None:
        seen.append(named)

    signals.token_error.connect(listen)
    yield seen
    signals.token_error.disconnect(listen)


@pytest.fixture
def alice(entra: Any, entra_settings: Any, settings: Any, redis_url: str) -> Iterator[Any]:
    """A user who is signed in; the API of the jobs has not been asked for yet."""
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis_url}}
    Visitor(entra).sign_in("alice")
    yield get_user_model().objects.get()
    if settings.CACHES != DOWN:
        caches["default"].clear()


def ask(user: Any, times: int = 1) -> Any:
    tokens = sign_ins.tokens_for(user)
    return [tokens.acquire_token_silent(SCOPES) for _ in range(times)][-1]


def test_a_failed_token_is_a_row_with_the_person(
    alice: Any, entra: Any, told: list[dict[str, Any]]
) -> None:
    entra.faults.outage("503")
    result = ask(alice)
    assert result["category"] == "transient"
    row = TokenErrorRecord.objects.get()
    person = entra.people["alice"]
    assert (row.kind, row.category, row.count) == ("refresh", "transient", 1)
    assert (row.user, row.tid, row.oid) == (alice, person.tid, person.oid)
    assert row.resource == "api://reports"
    (event,) = told
    assert event["request"] is None
    assert event["scopes"] == tuple(SCOPES)
    assert event["result"] == result
    assert (event["account"].oid, event["account"].username) == (person.oid, person.username)


def test_repeats_are_counted_on_one_row(alice: Any, entra: Any) -> None:
    entra.faults.add("token", Fault(503), times=None)
    ask(alice, times=7)
    assert TokenErrorRecord.objects.get().count == 7


def test_what_raises_for_the_job_is_told_once(alice: Any, entra: Any) -> None:
    entra.revoke_sign_ins("alice")
    with pytest.raises(InteractionRequired):
        sign_ins.tokens_for(alice).token(SCOPES)
    assert TokenErrorRecord.objects.get().count == 1, "the exception tells nothing again"


def test_a_wait_that_entra_asked_for_can_be_let_go(alice: Any, entra: Any) -> None:
    entra.faults.throttle(30)
    ask(alice, times=2)
    row = TokenErrorRecord.objects.get()
    assert (row.kind, row.count) == ("throttle", 2)
    assert row.throttle_key
    assert row.throttle_until


def test_nobody_signed_in_is_no_error_of_a_token(alice: Any, told: list[dict[str, Any]]) -> None:
    sign_ins.end_everywhere(alice)
    assert ask(alice) is None
    with pytest.raises(InteractionRequired):
        sign_ins.tokens_for(alice).token(SCOPES)
    assert told == []
    assert not TokenErrorRecord.objects.exists()


def test_good_tokens_tell_nothing(alice: Any, told: list[dict[str, Any]]) -> None:
    assert "access_token" in ask(alice, times=3)
    assert told == []


def test_a_cache_that_is_down_names_the_person_too(alice: Any, settings: Any, entra: Any) -> None:
    settings.CACHES = DOWN
    assert ask(alice)["error"] == "temporarily_unavailable"
    row = TokenErrorRecord.objects.get()
    assert (row.user, row.oid, row.category) == (alice, entra.people["alice"].oid, "transient")


def test_without_its_table_the_job_gets_the_same_answer(alice: Any, entra: Any) -> None:
    entra.faults.outage("503")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} RENAME TO elsewhere")
    assert ask(alice)["category"] == "transient"
    assert get_user_model().objects.count() == 1, "the job's own transaction is whole"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {TABLE}")


def test_a_receiver_that_raises_does_not_reach_the_job(alice: Any, entra: Any) -> None:
    def break_down(**named: Any) -> None:
        raise ZeroDivisionError

    entra.faults.outage("503")
    signals.token_error.connect(break_down)
    try:
        with pytest.raises(TokenError):
            sign_ins.tokens_for(alice).token(SCOPES)
    finally:
        signals.token_error.disconnect(break_down)
    assert TokenErrorRecord.objects.exists()


def test_no_secret_is_kept(alice: Any, entra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django_entra_auth.cache.token_cache import SignInTokenCache

    found: Callable[..., Any] = SignInTokenCache.load_account
    secrets: list[str] = []

    def load(self: Any, home_account_id: str) -> Any:
        account = found(self, home_account_id)
        secrets.append(account.refresh_token)
        return account

    monkeypatch.setattr(SignInTokenCache, "load_account", load)
    entra.faults.outage("500")
    ask(alice)
    kept = str(list(TokenErrorRecord.objects.values()))
    assert secrets
    assert all(secret not in kept for secret in secrets)
