"""What was lost, or written back, heals by itself: nobody sees an error or a page at Entra."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory

from django_entra_auth import sign_ins
from django_entra_auth.cache.local_copies import local_copies
from django_entra_auth.oauth2.token_cache import CachedToken
from django_entra_auth.session import EntraSession
from tests.request_tokens.site import (
    USER,
    ask,
    holder,
    keys_of,
    open_cache,
    requests_for_tokens,
)
from tests.visitor import Visitor, query_of

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]

TOKEN_PAGES = ["/strict/", "/strict-async/", "/sure/", "/sure-async/", "/sure-class/"]
# Entra's own clock is not ours: what counts is which token an API still takes.
NOW = {"access_token": {"nbf": {"essential": True, "value": "1700000000"}}}


@pytest.fixture
def at_entra() -> requests.Session:
    """A browser that is signed in at Entra too."""
    return requests.Session()


@pytest.fixture
def visitor(entra: Any, site: Any, at_entra: requests.Session) -> Visitor:
    visitor = Visitor(entra)
    visitor.sign_in(browser=at_entra)
    return visitor


def pages_shown(entra: Any, since: int) -> list[str]:
    """What a person was shown at Entra; an authorize request alone redirects back at once."""
    asked = [one for one in list(entra.requests)[since:] if "/oauth2/" not in one.path]
    return [one.path for one in asked if one.method == "POST" and "/auth/" not in one.path]


# Eviction


@pytest.mark.parametrize("page", TOKEN_PAGES)
def test_an_evicted_token_is_refreshed(entra, visitor, redis, page):
    redis.delete(*keys_of(redis, "tokens"))
    assert visitor.client.get(page).status_code == 200
    assert visitor.client.get(page).status_code == 200
    assert len(requests_for_tokens(entra)) == 2


@pytest.mark.parametrize("kinds", [["account", "tokens"], None])
@pytest.mark.parametrize("page", TOKEN_PAGES)
def test_an_evicted_account_heals_by_a_silent_round_trip(
    entra, visitor, redis, at_entra, page, kinds
):
    for kind in kinds or ["*"]:
        redis.delete(*keys_of(redis, kind))
    assert pages_shown(entra, 0)  # the first time there was one
    since = len(entra.requests)
    response = visitor.client.get(page)
    assert response.status_code == 302
    asked = query_of(response["Location"])
    assert asked["login_hint"] == "alice@contoso.example"
    assert "prompt" not in asked
    back = visitor.deliver(visitor.answer(response["Location"], browser=at_entra))
    assert back["Location"] == page
    assert visitor.client.get(page).status_code == 200
    assert pages_shown(entra, since) == []


# A request that was under way during a prompt, and writes its older session back


def prompt_again(visitor: Visitor, at_entra: requests.Session, page: str = "/plain/") -> None:
    response = visitor.client.post("/auth/login/", {"account": "same", "next": page})
    visitor.deliver(visitor.answer(response.context["continue_url"], browser=at_entra))


def begin_slow_request(visitor: Visitor) -> SessionStore:
    slow = SessionStore(visitor.client.session.session_key)
    slow["seen"] = slow["_entra"]["id"]
    return slow


@pytest.mark.parametrize("page", TOKEN_PAGES)
def test_an_older_session_leads_to_the_newer_sign_in(entra, visitor, at_entra, page):
    slow = begin_slow_request(visitor)
    prompt_again(visitor, at_entra)
    newer = visitor.client.session["_entra"]
    slow.save()
    assert visitor.client.session["_entra"]["id"] != newer["id"]
    before = len(entra.requests)
    assert visitor.client.get(page).status_code == 200
    assert visitor.client.session["_entra"] == newer
    assert visitor.client.session["seen"]
    assert len(entra.requests) == before


def test_it_leads_there_through_two_prompts(entra, visitor, at_entra):
    slow = begin_slow_request(visitor)
    prompt_again(visitor, at_entra)
    prompt_again(visitor, at_entra)
    newest = visitor.client.session["_entra"]
    slow.save()
    assert visitor.client.get("/strict/").status_code == 200
    assert visitor.client.session["_entra"] == newest


@pytest.mark.parametrize("page", ["/stepped-up/", "/step-up/"])
@pytest.mark.urls("tests.request_tokens.stepping")
def test_nobody_is_asked_twice_for_a_step_up(entra, visitor, at_entra, page):
    entra.optional_claims |= {"acrs"}
    slow = begin_slow_request(visitor)
    response = visitor.client.get(page)
    assert "c1" in query_of(response["Location"])["claims"]
    visitor.deliver(visitor.answer(response["Location"], browser=at_entra))
    slow.save()
    assert visitor.client.session["_entra"]["contexts"] == {}
    before = len(entra.requests)
    response = visitor.client.get(page, {"a": "b"})
    assert (response.status_code, response["Location"]) == (307, f"{page}?a=b")
    assert visitor.client.get(page).status_code == 200
    assert "c1" in visitor.client.session["_entra"]["contexts"]
    assert len(entra.requests) == before


def test_a_sign_out_is_not_undone_by_a_slow_writer(entra, visitor, at_entra, redis):
    slow = begin_slow_request(visitor)
    prompt_again(visitor, at_entra)
    visitor.client.post("/auth/logout/")
    with pytest.raises(UpdateError):
        slow.save()
    assert ask(visitor.client) is None
    assert keys_of(redis, "tokens") == keys_of(redis, "account") == []
    request = RequestFactory().get("/")
    request.session, request.user = slow, type("User", (), {"is_authenticated": True})
    assert BACKEND_SESSION_KEY in slow
    assert EntraSession(request).acquire_token_silent(USER) is None
    assert not EntraSession(request).heal()


@pytest.mark.parametrize("page", ["/strict/", "/private/"])
def test_nor_by_an_old_cookie(entra, site, at_entra, page):
    site.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    visitor = Visitor(entra)
    visitor.sign_in(browser=at_entra)
    old = visitor.client.cookies["sessionid"].value
    prompt_again(visitor, at_entra)
    visitor.client.cookies["sessionid"] = old
    assert visitor.client.get(page).status_code == 200  # prompted meanwhile: it leads on
    visitor.client.post("/auth/logout/")
    visitor.client.cookies["sessionid"] = old
    response = visitor.client.get(page)
    assert response.status_code == 302
    assert not visitor.client.session.get("_auth_user_id")


# A copy in one worker that another worker has replaced


def make_stale(visitor: Visitor, stale: tuple[CachedToken, ...]) -> None:
    """As in a worker that has read the tokens before another one fetched newer ones."""
    cache = open_cache(visitor)
    key = cache._token_key(holder(visitor), "graph")
    id_hash = sign_ins.hash_id(visitor.client.session["_entra"]["id"])
    local_copies.put((id_hash, key), stale, drops=local_copies.drops)


@pytest.mark.parametrize("page", ["/calling/", "/sure-calling/"])
def test_a_challenge_to_a_stale_copy_costs_neither_prompt_nor_request(
    entra, visitor, settings, page
):
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 900}
    stale = open_cache(visitor).load_tokens(holder(visitor), "graph")
    newer = ask(visitor.client, force="1")["access_token"]
    make_stale(visitor, stale)
    assert ask(visitor.client)["access_token"] == stale[0].access_token
    before = len(requests_for_tokens(entra))
    entra.graph.challenge_once(NOW)
    assert visitor.client.get(page).json() == {"status": 200}
    assert [call.status for call in entra.graph.calls] == [401, 200]
    assert len(requests_for_tokens(entra)) == before
    assert ask(visitor.client)["access_token"] == newer


def test_a_challenge_to_the_newest_token_is_asked_of_entra(entra, visitor, settings):
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 900}
    ask(visitor.client)
    entra.graph.challenge_once(NOW)
    assert visitor.client.get("/calling/").json() == {"status": 200}
    assert "nbf" in requests_for_tokens(entra)[-1].form["claims"]
    assert len(requests_for_tokens(entra)) == 2


def test_a_token_that_is_issued_without_the_claims_is_not_tried(entra, visitor, redis):
    """It was evicted just before: a refresh without the claims would be challenged again."""
    entra.graph.require_context("/v1.0/me", "c1")
    entra.graph.calls.clear()
    stale = open_cache(visitor).load_tokens(holder(visitor), "graph")
    redis.delete(*keys_of(redis, "tokens"))
    make_stale(visitor, stale)
    from django.conf import settings

    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 900}
    make_stale(visitor, stale)
    assert visitor.client.get("/calling/").json() == {"status": 200}
    assert [call.status for call in entra.graph.calls] == [401, 200]
