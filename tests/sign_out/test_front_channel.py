"""Sign-outs that begin at Entra: its page asks for ours in a frame, and no cookie comes along."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.core.cache import caches

from django_entra_auth import sign_ins
from django_entra_auth.models import EntraSignIn
from tests.redis_cache import DOWN
from tests.sign_out.conftest import MEMORY
from tests.visitor import Visitor, make_client

PAGE = "/auth/front-channel-logout"
SID = "00aa11bb-2222-4333-8444-555555555555"


def sid_of(visitor: Visitor) -> str:
    return str(visitor.client.session["_entra"]["claims"]["sid"])


def tell(sid: str, **more: str) -> Any:
    """What Entra's frame gets."""
    response = make_client().get(PAGE, {"sid": sid, **more})
    assert (response.status_code, response.content) == (200, b"")
    return response


# What ends


@pytest.mark.usefixtures("engine")
def test_everything_of_the_sign_in_ends_and_is_told_once(visitor, come, heard, left):
    sign_in_id, sid, other = visitor.client.session["_entra"]["id"], sid_of(visitor), come()
    tell(sid)
    tell(sid)
    assert not visitor.is_signed_in()
    assert other.is_signed_in()
    assert left("tokens", "account", "ended") == {"tokens": 1, "account": 1, "ended": 1}
    assert EntraSignIn.objects.get().identity.user.get_username() == "bob@contoso.example"
    (told,) = heard
    assert told["request"] is None
    assert told["user"].get_username() == "alice@contoso.example"
    assert told["sign_in_hash"] == sign_ins.hash_id(sign_in_id)


@pytest.mark.usefixtures("engine")
def test_who_signs_out_here_is_told_once_though_entra_tells_everybody(visitor, heard):
    """Entra's frames include the page of the site that sent the browser."""
    sid = sid_of(visitor)
    visitor.client.post("/auth/logout/")
    tell(sid)
    assert not visitor.is_signed_in()
    assert len(heard) == 1


@pytest.mark.usefixtures("engine")
def test_two_sessions_of_one_entra_session_end_together(visitor, come, heard):
    """Two profiles of a site that share one session at Entra, say below two host names."""
    sid, second = sid_of(visitor), come("erin")
    EntraSignIn.objects.update(sid=sid)
    assert second.is_signed_in()
    tell(sid)
    assert not visitor.is_signed_in()
    assert not second.is_signed_in()
    assert len(heard) == 2


@pytest.mark.usefixtures("engine")
def test_a_sign_in_that_was_prompted_again_ends(visitor, heard):
    sid = sid_of(visitor)
    again = visitor.client.post("/auth/login/", {"account": "same", "next": "/private/"})
    visitor.deliver(visitor.answer(again.context["continue_url"]))
    assert visitor.is_signed_in()
    assert EntraSignIn.objects.count() == 1
    now = sid_of(visitor)
    for one in {sid, now}:
        tell(one)
    assert not visitor.is_signed_in()
    assert len(heard) == 1


def test_a_session_that_has_left_entras_behind_stays(visitor):
    """Somebody signed in through another backend in the meantime keeps their session."""
    sid, user = sid_of(visitor), get_user_model().objects.create_user("local")
    visitor.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    tell(sid)
    assert "_auth_user_id" in visitor.client.session


# Which


@pytest.mark.usefixtures("engine")
def test_the_issuer_counts_when_it_is_given(visitor):
    sid, issuer = sid_of(visitor), f"{visitor.entra.authority}/v2.0"
    for wrong in ("https://evil.example", f"{issuer}/", issuer.upper(), ""):
        tell(sid, iss=wrong)
    assert visitor.is_signed_in()
    tell(sid.upper(), iss=issuer)
    assert not visitor.is_signed_in()


@pytest.mark.parametrize(
    "query",
    ["", "?sid=", "?sid=x", "?sid=%00", "?sid=%ff", f"?sid={SID}", f"?sid={'a' * 9999}", "?iss=x"],
    ids=lambda query: query[:12] + str(len(query)),
)
def test_it_is_no_oracle(visitor, query):
    known = tell(SID)
    response = make_client().get(f"{PAGE}{query}")
    assert (response.status_code, response.content) == (200, b"")
    assert dict(response.headers) == dict(known.headers)
    assert visitor.is_signed_in()


def test_without_the_optional_claim_nobody_is_found(entra, come):
    entra.optional_claims -= {"sid"}
    visitor = come()
    assert EntraSignIn.objects.get().sid == ""
    tell("")
    tell(str(uuid.UUID(int=0)))
    assert visitor.is_signed_in()


# How it is answered


def test_the_answer_can_be_framed_and_is_kept_nowhere(visitor):
    response = tell(sid_of(visitor))
    assert "no-store" in response["Cache-Control"]
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors *"
    for name in ("X-Frame-Options", "Vary", "Location"):
        assert name not in response
    assert not response.cookies


def test_a_cookie_that_comes_along_changes_nothing(visitor):
    """With SESSION_COOKIE_SAMESITE="None", where third-party cookies are still let through."""
    response = visitor.client.get(PAGE, {"sid": sid_of(visitor)})
    assert not response.cookies
    assert "Vary" not in response
    assert not visitor.is_signed_in()


def test_head_is_a_get_and_a_post_is_refused(visitor):
    sid, client = sid_of(visitor), make_client()
    response = client.post(f"{PAGE}?sid={sid}", {"sid": sid})
    assert response.status_code == 405
    assert visitor.is_signed_in()
    assert client.head(PAGE, {"sid": sid}).status_code == 200
    assert not visitor.is_signed_in()


def test_a_site_that_asks_everybody_to_sign_in_lets_it_through(come, site):
    site.MIDDLEWARE = [
        *site.MIDDLEWARE[:-1],
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        site.MIDDLEWARE[-1],
    ]
    visitor = come()
    tell(sid_of(visitor))
    assert not visitor.is_signed_in()


# In trouble


class OwnCookieStore(CookieStore):
    """A site's own engine that keeps sessions in cookies."""


SessionStore = OwnCookieStore


def test_an_engine_derived_from_signed_cookies_is_known_as_one(come, site, heard):
    site.SESSION_ENGINE = __name__
    visitor = come()
    assert bytes(EntraSignIn.objects.get().session_key) == b""
    tell(sid_of(visitor))
    assert not visitor.is_signed_in()
    assert len(heard) == 1


@pytest.mark.parametrize("name", ["db", "file", "cached_db", "cache"])
def test_a_session_that_can_be_deleted_is_while_the_tokens_cannot(
    come, site, tmp_path, heard, name
):
    site.SESSION_ENGINE = f"django.contrib.sessions.backends.{name}"
    site.SESSION_FILE_PATH = str(tmp_path)
    visitor = come()
    site.ENTRA_AUTH = {**site.ENTRA_AUTH, "CACHE_ALIAS": "tokens"}
    site.CACHES = {"default": MEMORY, "tokens": DOWN}
    tell(sid_of(visitor))
    assert not visitor.is_signed_in()
    assert EntraSignIn.objects.count() == 0
    assert len(heard) == 1


def test_a_session_out_of_reach_keeps_its_row_and_is_not_called_ended(come, site, heard, caplog):
    """So that an operator sees it, and the next try ends it."""
    site.SESSION_ENGINE = CacheStore.__module__
    site.SESSION_CACHE_ALIAS = "sessions"
    site.CACHES = {"default": MEMORY, "sessions": {**MEMORY, "LOCATION": "sessions"}}
    visitor = come()
    sid = sid_of(visitor)
    site.CACHES = {"default": MEMORY, "sessions": DOWN}
    tell(sid)
    assert EntraSignIn.objects.count() == 1
    assert not heard
    assert "could not be deleted" in caplog.text
    assert sid not in caplog.text
    site.CACHES = {"default": MEMORY, "sessions": {**MEMORY, "LOCATION": "sessions"}}
    tell(sid)
    assert not visitor.is_signed_in()
    assert EntraSignIn.objects.count() == 0
    assert len(heard) == 1
    caches["sessions"].clear()
