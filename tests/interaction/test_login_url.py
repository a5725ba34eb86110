"""Addresses of `login` with a sealed challenge: for one browser, one account and a while."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory

from django_entra_auth.conf import get_settings
from django_entra_auth.interaction.login_url import build_login_url, read_challenge
from django_entra_auth.interaction.requirement import Requirement
from django_entra_auth.interaction.state import LOGIN_URL, Flow, seal_flow

TID, OID = "66666666-7777-4888-8999-aaaaaaaaaaaa", "11111111-2222-4333-8444-555555555555"
ACCOUNT = f"{OID}.{TID}"
BACKEND = "django_entra_auth.backends.EntraBackend"
MINE, THEIRS = "M" * 43, "T" * 43
REDIRECT = "http://testserver/auth/callback"
WANTED = Requirement(
    scopes=("Mail.Read",), claims='{"access_token":{}}', auth_context="c1", max_age=5
)


def ask(url: str = "/page/", *, browser: str | None = MINE, account: str = ACCOUNT) -> Any:
    request = RequestFactory().get(url)
    if browser:
        request.META["HTTP_COOKIE"] = f"entra_browser={browser}"
    request.session = SessionStore()
    request.user = AnonymousUser()
    if account:
        oid, tid = account.split(".")
        request.user = User(pk=1)
        request.session[BACKEND_SESSION_KEY] = BACKEND
        request.session["_entra"] = {
            "id": "i", "home": account, "backend": BACKEND, "claims": {"oid": oid, "tid": tid},
        }  # fmt: skip
    return request


def make_flow(**members: Any) -> Flow:
    values = {
        "redirect_uri": REDIRECT, "next_url": "/page/?a=1", "expected": ACCOUNT,
        "requirement": WANTED, "reason": "here-why", "resume_id": "form",
    }  # fmt: skip
    return Flow(**{**values, **members})


def build(flow: Flow | None = None, request: Any = None, **options: Any) -> str:
    return build_login_url(request or ask(), flow or make_flow(), **options)[0]


@pytest.fixture(autouse=True)
def _site(entra_settings: Any) -> None:
    """The settings of the test site; nothing is asked of Entra."""


def test_it_asks_for_the_same_again() -> None:
    flow = make_flow()
    url = build(flow)
    assert url.startswith("/auth/login/?next=%2Fpage%2F%3Fa%3D1&challenge=")
    found = read_challenge(ask(url))
    assert found is not None
    same = ("next_url", "expected", "requirement", "reason", "resume_id", "redirect_uri")
    assert [getattr(found, name) for name in same] == [getattr(flow, name) for name in same]
    assert found.id != flow.id
    assert not found.is_popup
    assert not found.loses_input


def test_it_opens_as_often_as_it_is_clicked_each_time_another_flow() -> None:
    url = build()
    ids = {read_challenge(ask(url)).id for _ in range(5)}  # type: ignore[union-attr]
    assert len(ids) == 5


def test_a_window_and_a_loss_are_said_in_the_seal() -> None:
    popup = read_challenge(ask(build(is_popup=True)))
    loss = read_challenge(ask(build(loses_input=True)))
    assert popup is not None
    assert loss is not None
    assert (popup.is_popup, popup.loses_input) == (True, False)
    assert (loss.is_popup, loss.loses_input) == (False, True)


def test_a_loss_is_said_once() -> None:
    lossy = read_challenge(ask(build(loses_input=True)))
    assert lossy is not None
    again = read_challenge(ask(build(lossy)))
    assert again is not None
    assert not again.loses_input


def test_attempts_are_not_carried_on() -> None:
    found = read_challenge(ask(build(make_flow(attempt=1))))
    assert found is not None
    assert found.attempt == 0


def test_the_redirect_uri_is_the_one_of_the_click() -> None:
    url = build()
    request = ask(url)
    request.META["SERVER_NAME"] = "www.example.test"
    found = read_challenge(request)
    assert found is not None
    assert found.redirect_uri == "http://www.example.test/auth/callback"


def test_for_a_browser_without_a_secret_one_is_made() -> None:
    url, browser = build_login_url(ask(browser=None), make_flow())
    assert len(browser) == 43
    assert read_challenge(ask(url, browser=browser)) is not None
    assert read_challenge(ask(url)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"browser": THEIRS},
        {"browser": None},
        {"account": f"{TID}.{OID}"},
        {"account": ""},
    ],
    ids=repr,
)
def test_for_anybody_else_it_asks_for_nothing(changes: dict[str, Any]) -> None:
    assert read_challenge(ask(build(), **changes)) is None


def test_a_strangers_address_is_for_strangers() -> None:
    flow = make_flow(expected="", reason="", resume_id="")
    url = build(flow, ask(account=""))
    assert read_challenge(ask(url, account="")) is not None
    assert read_challenge(ask(url)) is None


@pytest.mark.parametrize("seconds", [3590, 3605])
def test_it_ages(seconds: int) -> None:
    settings = get_settings()
    flow = replace(make_flow(), requirement=Requirement(auth_context="c1"))
    sealed, _ = seal_flow(
        flow, MINE, settings, purpose=LOGIN_URL, clock=lambda: time.time() - seconds
    )
    found = read_challenge(ask(f"/auth/login/?{urlencode({'challenge': sealed})}"))
    assert (found is not None) == (seconds < 3600)


def test_altered_it_asks_for_nothing() -> None:
    url = build()
    sealed = parse_qs(urlsplit(url).query)["challenge"][0]
    for place in range(len(sealed)):
        other = "A" if sealed[place] != "A" else "B"
        altered = sealed[:place] + other + sealed[place + 1 :]
        assert read_challenge(ask(f"/auth/login/?challenge={altered}")) is None, place


def test_a_state_is_none() -> None:
    state, _ = seal_flow(make_flow(requirement=Requirement()), MINE, get_settings())
    assert read_challenge(ask(f"/auth/login/?challenge={state}")) is None


@pytest.mark.parametrize("text", ["", "x", "%00", "A" * 10_000, "ü"])
def test_garbage_is_none(text: str) -> None:
    assert read_challenge(ask(f"/auth/login/?challenge={text}")) is None


def test_nothing_in_the_address_can_be_read() -> None:
    sealed = parse_qs(urlsplit(build()).query)["challenge"][0]
    for secret in (OID, TID, MINE, "Mail.Read", "acrs"):
        assert secret not in sealed


def test_what_does_not_fit_is_kept_in_the_cache_until_it_ages() -> None:
    from django.core.cache import caches

    long = replace(WANTED, claims='{"access_token":{"x":"' + "y" * 4000 + '"}}')
    url = build(make_flow(requirement=long))
    assert len(url) < 1200
    found = read_challenge(ask(url))
    assert found is not None
    assert (found.requirement, found.next_url, found.has_details) == (long, "/page/?a=1", False)
    caches["default"].clear()
    assert read_challenge(ask(url)) is None


def test_what_does_not_fit_a_strangers_is_given_up() -> None:
    long = Requirement(claims='{"access_token":{"x":"' + "y" * 4000 + '"}}')
    url = build(make_flow(requirement=long, expected="", reason="", resume_id=""), ask(account=""))
    found = read_challenge(ask(url, account=""))
    assert found is not None
    assert (found.requirement, found.next_url) == (Requirement(), "/page/?a=1")
