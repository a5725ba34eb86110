"""What is held back now: shown from records and cache, let go with permission and a log entry."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.oauth2 import ThrottledHttpClient
from django_entra_auth.oauth2.http import HttpResponse
from tests.admin.making_rows import make_error, make_people, source_of

PAGE = "/admin/django_entra_auth/tokenerrorrecord/throttles/"
VIEW = "view_tokenerrorrecord"
RELEASE, FORGET = "release_throttle", "forget_answer"
FORM = {"client_id": "one", "scope": "openid", "grant_type": "refresh_token", "refresh_token": "r"}
REFUSAL = '{"error": "invalid_grant", "error_codes": [53003]}'

pytestmark = pytest.mark.django_db


class Entra:
    """Answers every request alike and counts them."""

    def __init__(self, status: int, *, headers: dict[str, str] | None = None) -> None:
        self.answer = HttpResponse(status, REFUSAL, headers or {})
        self.calls = 0

    def post(self, url: str, **more: Any) -> HttpResponse:
        self.calls += 1
        return self.answer


def ask(entra: Entra, **changes: str) -> HttpResponse:
    client = ThrottledHttpClient(entra, http_cache=DjangoHTTPCache())  # type: ignore[arg-type]
    return client.post("https://login.example/token", data={**FORM, **changes})


def hold_back(status: int, *, headers: dict[str, str] | None = None) -> tuple[Entra, str]:
    """Entra has refused; what was recorded of it, and the key."""
    entra = Entra(status, headers=headers)
    ask(entra)
    answer = ask(entra)
    assert entra.calls == 1
    assert answer.throttle_key
    make_error(
        category="throttled" if status != 400 else "blocked",
        throttle_key=answer.throttle_key,
        throttle_until=timezone.now() + timedelta(seconds=answer.retry_after or 0),
        user=make_people(1)[0],
    )
    return entra, answer.throttle_key


def post(client: Client, key: str, do: str, **more: Any) -> Any:
    return client.post(PAGE, {"key": key, "do": do}, **more)


def test_it_shows_what_is_held_back_until_when_and_for_whom(visit: Callable[..., Client]) -> None:
    hold_back(429, headers={"retry-after": "37"})
    page = source_of(visit(VIEW, RELEASE, FORGET).get(PAGE))
    assert "HTTP 429" in page
    assert "Everybody who asks for the same" in page
    assert "person0" in page
    assert "Let one request through now" in page
    assert "entra-countdown entra-bit-" in page


def test_seconds_are_taken_apart_into_classes(visit: Callable[..., Client]) -> None:
    _entra, key = hold_back(429, headers={"retry-after": "290"})
    held = visit(VIEW).get(PAGE).context["rows"][0]["held"]
    assert sum(held.bits) == held.left
    assert 280 < held.left <= 290
    assert held.key == key


def test_nothing_held_back(visit: Callable[..., Client]) -> None:
    make_error(throttle_key="a" * 64, throttle_until=timezone.now() - timedelta(seconds=1))
    make_error(throttle_key="b" * 64, throttle_until=timezone.now() + timedelta(hours=1))
    page = source_of(visit(VIEW, RELEASE, FORGET).get(PAGE))
    assert "Nothing is held back" in page, "the one is over, the other not in the cache"


def test_exactly_one_request_is_let_through_where_everybody_waits(
    visit: Callable[..., Client],
) -> None:
    entra, key = hold_back(429, headers={"retry-after": "200"})
    client = visit(VIEW, RELEASE)
    assert post(client, key, "release").status_code == 302
    assert "The next request goes through" in source_of(client.get(PAGE))
    during: list[HttpResponse] = []
    probe = entra.answer

    class Slow(Entra):
        def post(self, url: str, **more: Any) -> HttpResponse:
            during.append(ask(entra, refresh_token="of somebody else"))
            return probe

    assert ask(Slow(429)).throttle_key == key
    assert entra.calls == 1, "the other waited for the one that went ahead"
    assert during[0].throttled
    assert ask(entra).throttled, "Entra said again that everybody has to wait"
    assert entra.calls == 1


def test_one_account_just_goes(visit: Callable[..., Client]) -> None:
    entra, key = hold_back(503, headers={"retry-after": "200"})
    post(visit(VIEW, RELEASE), key, "release")
    ask(entra)
    assert entra.calls == 2


def test_a_kept_refusal_is_forgotten(visit: Callable[..., Client]) -> None:
    entra, key = hold_back(400)
    client = visit(VIEW, FORGET)
    assert "Forget this answer" in source_of(client.get(PAGE))
    post(client, key, "forget")
    assert not ask(entra).throttled
    assert entra.calls == 2


@pytest.mark.parametrize(("status", "do"), [(429, "release"), (400, "forget")])
def test_what_was_done_is_in_the_log(visit: Callable[..., Client], status: int, do: str) -> None:
    _entra, key = hold_back(status)
    client = visit(VIEW, RELEASE, FORGET)
    post(client, key, do)
    entry = LogEntry.objects.get()
    assert entry.user.get_username() == "olga"
    assert "answer" in entry.change_message or "held back" in entry.change_message
    record = entry.get_edited_object()
    history = f"/admin/django_entra_auth/tokenerrorrecord/{record.pk}/history/"
    assert entry.change_message in source_of(client.get(history))


@pytest.mark.parametrize(
    ("permissions", "status", "do"),
    [
        ((VIEW,), 429, "release"),
        ((VIEW, FORGET), 429, "release"),
        ((RELEASE, FORGET), 429, "release"),
        ((VIEW, RELEASE), 400, "forget"),
        ((VIEW, RELEASE, FORGET), 429, "anything"),
        ((VIEW, RELEASE, FORGET), 429, ""),
    ],
)
def test_it_takes_the_permission(
    visit: Callable[..., Client], permissions: tuple[str, ...], status: int, do: str
) -> None:
    entra, key = hold_back(status, headers={"retry-after": "60"} if status == 429 else None)
    client = visit(*permissions)
    assert post(client, key, do).status_code == 403
    assert ask(entra).throttled
    assert not LogEntry.objects.exists()
    if VIEW in permissions and do in {"release", "forget"}:
        assert (
            "<button"
            not in source_of(client.get(PAGE)).partition("entra-held")[2].partition("</table>")[0]
        )


def test_it_takes_a_post_with_a_token(visit: Callable[..., Client]) -> None:
    entra, key = hold_back(429, headers={"retry-after": "60"})
    client = visit(VIEW, RELEASE)
    client.get(PAGE, {"key": key, "do": "release"})
    client.handler.enforce_csrf_checks = True
    assert post(client, key, "release").status_code == 403
    assert ask(entra).throttled
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 64, "a" * 64, "../", "\0", "a" * 100_000])
def test_a_key_nobody_recorded_deletes_nothing(visit: Callable[..., Client], key: str) -> None:
    DjangoHTTPCache().set("a" * 64, {"status": 429, "text": "", "until": time.time() + 60}, 60)
    client = visit(VIEW, RELEASE, FORGET)
    assert post(client, key, "release").status_code == 302
    assert DjangoHTTPCache().get("a" * 64) is not None
    assert not LogEntry.objects.exists()


def test_an_entry_of_another_kind_is_neither_shown_nor_deleted(
    visit: Callable[..., Client],
) -> None:
    key = "c" * 64
    DjangoHTTPCache().set(key, {"status": 200, "text": "{}", "stored": time.time()}, 60)
    make_error(throttle_key=key, throttle_until=timezone.now() + timedelta(hours=1))
    client = visit(VIEW, RELEASE, FORGET)
    assert "Nothing is held back" in source_of(client.get(PAGE))
    post(client, key, "release")
    assert DjangoHTTPCache().get(key) is not None


def test_a_thousand_people_who_wait_for_one_thing_are_one_line(
    visit: Callable[..., Client],
) -> None:
    _entra, key = hold_back(429, headers={"retry-after": "60"})
    until = timezone.now() + timedelta(seconds=50)
    for _ in range(5):
        make_error(throttle_key=key, throttle_until=until, category="throttled", count=3)
    (row,) = visit(VIEW).get(PAGE).context["rows"]
    assert row["held"].count == 16


def test_a_cache_that_is_down_shows_an_empty_page(
    visit: Callable[..., Client], settings: Any
) -> None:
    hold_back(429)
    client = visit(VIEW)
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    assert "Nothing is held back" in source_of(client.get(PAGE))
