"""Requests of one session that come at the moment a check is due: one of them asks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.http import HttpRequest
from django.test import RequestFactory

from django_entra_auth.backends import find_backend
from django_entra_auth.emulator.policies import Policy
from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.interaction.revalidation import is_due, revalidate
from django_entra_auth.session import EntraSession
from tests.revalidation_site import come_long_ago, is_signed_in, refreshes, user_of
from tests.visitor import Visitor, make_client

pytestmark = pytest.mark.urls("tests.revalidation_site")

CALLERS = 12
WAIT_SECONDS = 20


def come(entra: Any, settings: Any) -> Visitor:
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    return come_long_ago(entra)


@pytest.fixture
def crowd(file_database: Path, entra: Any, entra_settings: Any) -> Visitor:
    return come(entra, entra_settings)


@pytest.fixture
def visitor(db: None, entra: Any, entra_settings: Any) -> Visitor:
    return come(entra, entra_settings)


def all_at_once(visitor: Visitor, page: str) -> list[Any]:
    """What each of CALLERS windows of one browser gets."""
    start = threading.Barrier(CALLERS)
    clients = [make_client() for _ in range(CALLERS)]

    def get(client: Any) -> Any:
        client.cookies.load(visitor.client.cookies.output(header=""))
        start.wait(WAIT_SECONDS)
        try:
            return client.get(page)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(get, clients))


@pytest.mark.parametrize("page", ["/reading/", "/reading-async/", "/private/"])
def test_one_asks_for_all(entra, crowd, page, monkeypatch):
    calls: list[Any] = []
    acquire = EntraSession.acquire_token_silent

    def count(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(options)
        return acquire(self, *args, **options)

    monkeypatch.setattr(EntraSession, "acquire_token_silent", count)
    responses = all_at_once(crowd, page)
    assert calls == [{"force_refresh": True}]
    assert {response.status_code for response in responses} == {200}
    assert all(b"alice" in response.content for response in responses)
    assert refreshes(entra) == 1


def test_one_hears_for_all_that_somebody_is_gone(entra, crowd):
    entra.people["alice"].enabled = False
    responses = all_at_once(crowd, "/private/")
    assert {response.status_code for response in responses} == {302}
    assert refreshes(entra) == 1
    assert not is_signed_in(crowd)


def test_one_hears_for_all_that_a_prompt_is_needed(entra, crowd):
    entra.policies.add(Policy(name="m", control="mfa", people=frozenset({"alice"})))
    responses = all_at_once(crowd, "/private/")
    assert {response["Location"].partition("?")[0] for response in responses} == {
        f"{entra.authority}/oauth2/v2.0/authorize"
    }
    assert refreshes(entra) == 1
    assert is_signed_in(crowd)


# Those that come a little later


def make_request(visitor: Visitor) -> HttpRequest:
    """A request whose session was read now."""
    request = RequestFactory().get("/reading/")
    request.session = SessionStore(visitor.client.session.session_key)
    request.session.load()
    request.session["seen"] = True
    request.user = user_of(visitor)
    return request


def check(request: Any) -> bool:
    return revalidate(request, request.user, find_backend())


def test_who_has_read_the_session_before_does_not_ask_after(entra, visitor):
    earlier, later = make_request(visitor), make_request(visitor)
    assert is_due(earlier)
    assert is_due(later)
    assert check(earlier)
    assert check(later)
    assert refreshes(entra) == 1
    assert not is_due(later)


def test_while_the_view_of_the_first_still_runs_others_need_not_ask(entra, visitor):
    first = make_request(visitor)
    assert check(first)
    assert not is_due(make_request(visitor))


def test_an_older_copy_of_the_session_written_back_asks_nobody(entra, visitor):
    slow = make_request(visitor)
    assert check(make_request(visitor))
    slow.session.save()
    assert is_due(make_request(visitor))
    assert visitor.client.get("/reading/").status_code == 200
    assert refreshes(entra) == 1


def test_a_cookie_that_carries_the_session_is_as_good(db, entra, entra_settings):
    entra_settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    visitor = come(entra, entra_settings)
    old = visitor.client.cookies[django_settings.SESSION_COOKIE_NAME].value
    for _ in range(3):
        visitor.client.cookies[django_settings.SESSION_COOKIE_NAME] = old
        assert visitor.client.get("/reading/").status_code == 200
    assert refreshes(entra) == 1


def test_who_signs_out_meanwhile_stays_out(entra, visitor, monkeypatch):
    request = make_request(visitor)

    def gone(self: Any, **options: Any) -> None:
        raise UpdateError

    monkeypatch.setattr(SessionStore, "save", gone)
    assert not check(request)
    assert request.session.is_empty()
    assert not request.user.is_authenticated


def test_a_refusal_is_raised_for_each(entra, visitor):
    entra.policies.add(Policy(name="m", control="mfa", people=frozenset({"alice"})))
    for _ in range(2):
        with pytest.raises(InteractionRequired) as caught:
            check(make_request(visitor))
        assert "capolids" in str(caught.value.claims)
    assert refreshes(entra) == 1
