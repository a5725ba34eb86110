"""What a check with Entra that has come due does to a person, outcome by outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from django.core.cache import cache

from django_entra_auth import signals
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.emulator.policies import Policy
from django_entra_auth.interaction.revalidation import PAUSE_SECONDS
from tests.revalidation_site import (
    come_long_ago,
    is_signed_in,
    make_due,
    refreshes,
    refuse,
)
from tests.visitor import Visitor, query_of

pytestmark = [pytest.mark.urls("tests.revalidation_site"), pytest.mark.django_db]

PAGES = ["/private/", "/private-async/", "/private-class/", "/reading/", "/reading-async/"]
FOREIGN = "99999999-2222-4333-8444-555555555555"
SCRIPT = {"HTTP_SEC_FETCH_MODE": "cors", "HTTP_SEC_FETCH_DEST": "empty"}
DOWN = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
    }
}


@pytest.fixture
def arrive(entra: Any, configure: Callable[..., None]) -> Callable[..., Visitor]:
    """`arrive("alice")` is somebody who signed in long ago."""
    configure(SCOPES=["User.Read"])
    return partial(come_long_ago, entra)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def assert_let_in(visitor: Visitor, page: str) -> None:
    assert visitor.client.get(page).status_code == 200


# Nothing to complain of


def test_it_asks_once_and_not_again_until_it_is_due(entra, arrive, page):
    visitor = arrive()
    for _ in range(3):
        assert_let_in(visitor, page)
        assert refreshes(entra) == 1
    make_due(visitor)
    assert_let_in(visitor, page)
    assert refreshes(entra) == 2


def test_it_is_not_asked_before(entra, configure, page):
    configure(SCOPES=["User.Read"])
    visitor = Visitor(entra)
    visitor.sign_in()
    assert_let_in(visitor, page)
    assert refreshes(entra) == 0


def test_it_can_be_turned_off(entra, arrive, configure, page):
    visitor = arrive()
    configure(REVALIDATE_SECONDS=None)
    entra.people["alice"].enabled = False
    assert_let_in(visitor, page)
    assert refreshes(entra) == 0


@pytest.mark.parametrize("scopes", [[], ["User.Read", "api://other/Read"]])
def test_whatever_scopes_there_are(entra, arrive, configure, scopes):
    configure(SCOPES=scopes)
    visitor = arrive()
    assert_let_in(visitor, "/reading/")
    (asked,) = [one for one in entra.requests if one.form.get("grant_type") == "refresh_token"]
    assert "openid" in asked.form["scope"].split()
    assert "api://other/Read" not in asked.form["scope"].split()


def test_the_new_token_serves_the_view_too(entra, arrive):
    visitor = arrive()
    assert visitor.client.get("/me/").status_code == 200
    assert refreshes(entra) == 1


def test_a_refresh_is_no_proof_of_recent_credentials_nor_of_a_context(entra, arrive):
    entra.optional_claims |= {"auth_time", "acrs"}
    visitor = arrive()
    before = visitor.client.session["_entra"]

    def mutate(header: Any, claims: Any, key: Any) -> str:
        claims = {**claims, "acrs": ["c1"], "auth_time": claims["iat"] + 50, "name": "New Name"}
        return jwt.encode(claims, key, algorithm="RS256", headers=header)

    entra.mutate_id_token = mutate
    assert_let_in(visitor, "/reading/")
    after = visitor.client.session["_entra"]
    assert after["claims"]["name"] == "New Name"
    assert after["claims"]["auth_time"] == before["claims"]["auth_time"]
    assert "acrs" not in after["claims"]
    assert after["contexts"] == {}
    assert after["checked"] > before["checked"]


# Gone


def disabled(entra: Any) -> None:
    entra.people["alice"].enabled = False


def deleted(entra: Any) -> None:
    del entra.people["alice"]


def revoked(entra: Any) -> None:
    entra.revoke_sign_ins("alice")


def unknown(entra: Any) -> None:
    refuse(entra, 50034)


@pytest.mark.parametrize("leave", [disabled, deleted, revoked, unknown])
def test_who_is_gone_is_signed_out(entra, arrive, page, leave):
    visitor = arrive()
    told: list[Any] = []

    def listen(**about: Any) -> None:
        told.append(about)

    leave(entra)
    signals.signed_out.connect(listen)
    try:
        response = visitor.client.get(page)
    finally:
        signals.signed_out.disconnect(listen)
    assert not is_signed_in(visitor)
    assert len(told) == 1
    if page.startswith("/private"):
        assert response["Location"] == f"/auth/login/?next={page}"
        assert "no-store" in response["Cache-Control"]
    else:
        assert (response.status_code, response.content) == (200, b"")
    assert refreshes(entra) == 1


@pytest.mark.parametrize("leave", [disabled, deleted, revoked])
def test_a_script_is_told_so(entra, arrive, leave):
    visitor = arrive()
    leave(entra)
    response = visitor.client.get("/private/", **SCRIPT)
    assert response.status_code == 401
    assert response.json()["login_url"].startswith("/auth/login/?next=")
    assert not is_signed_in(visitor)


def test_who_was_revoked_signs_in_again_and_is_back(entra, arrive):
    visitor = arrive()
    revoked(entra)
    login = visitor.client.get("/private/")["Location"]
    to_entra = visitor.client.get(login)
    assert visitor.deliver(visitor.answer(to_entra["Location"]))["Location"] == "/private/"
    assert_let_in(visitor, "/private/")


@pytest.mark.parametrize("engine", ["cache", "cached_db", "file", "signed_cookies"])
def test_in_every_session_engine(entra, arrive, settings, engine, tmp_path):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    visitor = arrive()
    for _ in range(2):
        assert_let_in(visitor, "/reading/")
    assert refreshes(entra) == 1
    old = visitor.client.cookies["sessionid"].value
    make_due(visitor)
    disabled(entra)
    assert visitor.client.get("/reading/").content == b""
    # A browser that keeps the cookie all the same is not let in by it.
    visitor.client.cookies["sessionid"] = old
    assert visitor.client.get("/reading/").content == b""


# A person is needed


def needs_mfa(entra: Any) -> None:
    entra.policies.add(Policy(name="m", control="mfa", people=frozenset({"alice"})))


def expired(entra: Any) -> None:
    refuse(entra, 700082, suberror="token_expired")


NEEDS = pytest.mark.parametrize("need", [needs_mfa, expired])


@NEEDS
def test_a_navigation_is_prompted_and_comes_back(entra, arrive, page, need):
    visitor = arrive()
    need(entra)
    response = visitor.client.get(f"{page}?a=b")
    assert response.status_code == 302
    assert "no-store" in response["Cache-Control"]
    asked = query_of(response["Location"])
    assert asked["login_hint"] == "alice@contoso.example"
    assert "prompt" not in asked
    assert ("capolids" in asked["claims"]) == (need is needs_mfa)
    assert is_signed_in(visitor)
    entra.faults.clear()
    back = visitor.deliver(visitor.answer(response["Location"]))
    assert back["Location"] == f"{page}?a=b"
    before = refreshes(entra)
    assert_let_in(visitor, page)
    assert refreshes(entra) == before


@NEEDS
def test_a_script_gets_an_address_for_it(entra, arrive, page, need):
    visitor = arrive()
    need(entra)
    response = visitor.client.get(page, **SCRIPT)
    assert response.status_code == 401
    assert 'error="insufficient_claims"' in response["WWW-Authenticate"]
    assert is_signed_in(visitor)
    to_entra = visitor.client.get(response.json()["login_url"])
    entra.faults.clear()
    visitor.deliver(visitor.answer(to_entra["Location"]))
    assert visitor.client.get(page, **SCRIPT).status_code == 200


def test_a_form_is_kept(entra, arrive):
    visitor = arrive()
    needs_mfa(entra)
    response = visitor.client.post("/late-step-up/", {"amount": "12"})
    assert response.status_code == 200
    back = visitor.deliver(visitor.answer(response.context["continue_url"]))
    assert back["Location"].startswith("/auth/resume/")


def test_who_is_blocked_gets_a_page_and_no_prompt(entra, arrive):
    visitor = arrive()
    entra.policies.add(Policy(name="b", control="block", people=frozenset({"alice"})))
    for _ in range(2):
        response = visitor.client.get("/reading/")
        assert response.status_code == 403
        assert b"53003" in response.content


def test_an_entry_that_was_evicted_heals_by_a_silent_round_trip(entra, arrive):
    visitor = arrive()
    cache.clear()
    response = visitor.client.get("/reading/")
    assert query_of(response["Location"])["login_hint"]
    visitor.deliver(visitor.answer(response["Location"]))
    assert_let_in(visitor, "/reading/")
    assert refreshes(entra) == 0


# Trouble that passes


def busy(entra: Any, settings: Any) -> None:
    entra.faults.add("token", Fault(503, "busy"), times=None, grant="refresh_token")


def throttled(entra: Any, settings: Any) -> None:
    entra.faults.throttle(PAUSE_SECONDS, times=None)


def cut(entra: Any, settings: Any) -> None:
    entra.faults.add("token", Fault(reset=True), times=None, grant="refresh_token")


def without_cache(entra: Any, settings: Any) -> None:
    settings.CACHES = DOWN


def misconfigured(entra: Any, settings: Any) -> None:
    refuse(entra, 7000222, error="invalid_client")


TROUBLES = pytest.mark.parametrize("trouble", [busy, throttled, cut, without_cache, misconfigured])


@TROUBLES
def test_trouble_signs_nobody_out_and_is_not_repeated(entra, arrive, settings, page, trouble):
    visitor = arrive()
    trouble(entra, settings)
    for _ in range(3):
        assert_let_in(visitor, page)
    assert refreshes(entra) <= 2  # one, and its one retry
    due_in = visitor.client.session["_entra"]["checked"] + 3600 - time.time()
    assert PAUSE_SECONDS - 30 < due_in <= PAUSE_SECONDS


@pytest.mark.parametrize("seconds", [1, 30, 3600])
def test_however_often_it_is_to_be_asked(entra, arrive, configure, settings, seconds):
    configure(REVALIDATE_SECONDS=seconds)
    visitor = arrive()
    busy(entra, settings)
    for _ in range(3):
        assert_let_in(visitor, "/reading/")
    assert refreshes(entra) <= 2


@pytest.mark.parametrize("trouble", [None, busy])
def test_a_view_that_fails_does_not_lose_the_note(entra, arrive, settings, trouble):
    """Django saves no session with an answer of status 5xx."""
    visitor = arrive()
    if trouble:
        trouble(entra, settings)
    entra.requests.clear()
    for _ in range(3):
        assert visitor.client.get("/failing/").status_code == 500
    assert refreshes(entra) == (2 if trouble else 1)


def test_it_is_asked_again_after_the_pause(entra, arrive, settings):
    visitor = arrive()
    cut(entra, settings)
    assert_let_in(visitor, "/reading/")
    entra.faults.clear()
    make_due(visitor)
    disabled(entra)
    visitor.client.get("/reading/")
    assert not is_signed_in(visitor)
