"""Sign-out here, at Entra, from elsewhere, and by Django's own means."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from django_entra_auth.models import EntraSignIn
from django_entra_auth.signals import signed_out
from tests.visitor import SITE, Visitor, make_client, query_of, text_of

pytestmark = pytest.mark.django_db

SID = str(uuid.uuid4())


@pytest.fixture
def visitor(entra, entra_settings):
    entra.optional_claims |= {"sid", "login_hint"}
    visitor = Visitor(entra)
    visitor.sign_in()
    return visitor


def test_post_ends_the_session_and_moves_on_to_entra(visitor):
    entry = visitor.client.session["_entra"]
    response = visitor.client.post("/auth/logout/")
    assert response.status_code == 200
    uri = response.context["continue_url"]
    assert uri.startswith(f"{visitor.entra.authority}/oauth2/v2.0/logout")
    parameters = query_of(uri)
    assert parameters["post_logout_redirect_uri"] == f"{SITE}/auth/logout/"
    assert parameters["logout_hint"] == entry["claims"]["login_hint"]
    assert not visitor.is_signed_in()
    assert EntraSignIn.objects.count() == 0


def test_browser_secret_is_replaced(visitor):
    before = visitor.client.cookies["entra_browser"].value
    visitor.client.post("/auth/logout/")
    assert not visitor.client.cookies["entra_browser"].value
    assert not visitor.client.cookies["entra_signed_in"].value
    visitor.begin()
    assert visitor.client.cookies["entra_browser"].value not in {"", before}


def test_answer_of_before_the_sign_out_is_worth_nothing_after_it(visitor):
    pending = visitor.answer(visitor.client.post(
        "/auth/login/", {"account": "same", "next": "/private/"}
    ).context["continue_url"])  # fmt: skip
    visitor.client.post("/auth/logout/")
    assert visitor.deliver(pending)["Location"].startswith(visitor.entra.origin)
    assert not visitor.is_signed_in()


def test_get_shows_a_button_and_signs_nobody_out(visitor):
    response = visitor.client.get("/auth/logout/")
    assert response.status_code == 200
    assert "<form" in response.content.decode()
    assert visitor.is_signed_in()


def test_get_without_a_session_is_the_signed_out_page(visitor):
    response = make_client().get("/auth/logout/")
    assert response.status_code == 200
    assert "signed out" in text_of(response)


def test_post_needs_csrf(entra, entra_settings):
    strict = Visitor(entra, make_client(enforce_csrf_checks=True))
    strict.sign_in()
    assert strict.client.post("/auth/logout/").status_code == 403
    assert strict.is_signed_in()


def test_entra_down_does_not_keep_anybody_signed_in(visitor, settings):
    from django_entra_auth.emulator.faults import Fault

    visitor.entra.faults.add("discovery", Fault(503), times=None)
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH}  # a new application: nothing is known yet
    cache.clear()
    response = visitor.client.post("/auth/logout/")
    assert response.status_code == 200
    assert "Microsoft" in text_of(response)
    assert not visitor.is_signed_in()


def test_people_of_other_backends_are_just_signed_out(entra, entra_settings):
    visitor = Visitor(entra)
    user = get_user_model().objects.create_user("local")
    visitor.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    response = visitor.client.post("/auth/logout/")
    assert "continue_url" not in response.context
    assert "_auth_user_id" not in visitor.client.session


def test_djangos_own_logout_ends_the_sign_in_too(visitor):
    get_user_model().objects.update(is_staff=True)
    heard = []

    def listen(**kwargs):
        heard.append(kwargs["sign_in_hash"])

    signed_out.connect(listen)
    try:
        assert visitor.client.post("/admin/logout/").status_code == 200
    finally:
        signed_out.disconnect(listen)
    assert EntraSignIn.objects.count() == 0
    assert len(heard) == 1
    assert not visitor.client.cookies["entra_browser"].value


def test_front_channel_ends_the_session_without_a_cookie(visitor):
    sid = visitor.client.session["_entra"]["claims"]["sid"]
    other = Visitor(visitor.entra)
    other.sign_in("bob")
    response = make_client().get("/auth/front-channel-logout", {"sid": sid})
    assert response.status_code == 200
    assert response.content == b""
    assert "no-store" in response["Cache-Control"]
    assert "X-Frame-Options" not in response
    assert not response.cookies
    assert not visitor.is_signed_in()
    assert other.is_signed_in()


def test_front_channel_issuer_must_match_when_given(visitor):
    sid = visitor.client.session["_entra"]["claims"]["sid"]
    client = make_client()
    wrong = client.get("/auth/front-channel-logout", {"sid": sid, "iss": "https://evil.example"})
    assert wrong.status_code == 200
    assert visitor.is_signed_in()
    issuer = f"{visitor.entra.authority}/v2.0"
    client.get("/auth/front-channel-logout", {"sid": sid.upper(), "iss": issuer})
    assert not visitor.is_signed_in()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?sid=",
        "?sid=x",
        pytest.param(f"?sid={SID}", id="?sid=of-nobody"),
        "?sid=%00",
        f"?sid={'a' * 9999}",
    ],
)
def test_front_channel_is_no_oracle(visitor, query):
    response = make_client().get(f"/auth/front-channel-logout{query}")
    assert (response.status_code, response.content) == (200, b"")
    assert visitor.is_signed_in()


def test_next_sign_in_asks_which_account_once(visitor):
    """Entra may still know this person, or another one: nobody is signed in unasked."""
    visitor.client.post("/auth/logout/")
    auth_uri = visitor.begin()
    assert query_of(auth_uri)["prompt"] == "select_account"
    assert visitor.deliver(visitor.answer(auth_uri))["Location"] == "/private/"
    assert not visitor.client.cookies["entra_signed_out"].value
    del visitor.client.cookies["sessionid"]
    del visitor.client.cookies["entra_signed_in"]
    assert "prompt" not in query_of(visitor.begin())


def test_signed_out_page_speaks_of_microsoft_only_after_its_sign_out(visitor):
    stranger = make_client().get("/auth/logout/")
    assert not stranger.context["provider_signed_out"]
    visitor.client.post("/auth/logout/")
    assert visitor.client.get("/auth/logout/").context["provider_signed_out"]


@pytest.mark.parametrize("path", ["/cycle/", "/cycle-async/"])
def test_front_channel_finds_a_session_whose_key_has_changed(visitor, path):
    """A change of password cycles the key; the row follows."""
    sid = visitor.client.session["_entra"]["claims"]["sid"]
    before = visitor.client.session.session_key
    assert visitor.client.get(path).status_code == 200
    assert visitor.client.session.session_key != before
    assert visitor.is_signed_in()
    make_client().get("/auth/front-channel-logout", {"sid": sid})
    assert not visitor.is_signed_in()


def test_sign_out_at_entra_within_the_minute_is_no_lost_cookie(visitor):
    """The marker of a completed sign-in must not make an ended one look like a cookie problem."""
    sid = visitor.client.session["_entra"]["claims"]["sid"]
    make_client().get("/auth/front-channel-logout", {"sid": sid})
    refused = visitor.client.get("/private/")
    assert visitor.client.get(refused["Location"])["Location"].startswith(visitor.entra.origin)


def test_session_that_ends_while_signing_in_again(visitor, monkeypatch):
    from django.contrib.sessions.models import Session

    from django_entra_auth.backends import EntraBackend

    again = visitor.client.post("/auth/login/", {"account": "same", "next": "/private/"})
    answer = visitor.answer(again.context["continue_url"])

    def end_meanwhile(self, user, claims):
        Session.objects.all().delete()

    monkeypatch.setattr(EntraBackend, "update_user", end_meanwhile)
    response = visitor.deliver(answer)
    assert response.status_code == 400
    assert "signed out in the meantime" in text_of(response)
    assert not visitor.is_signed_in()
