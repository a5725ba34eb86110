"""Sign-out: post-logout addresses, hints, the front channel."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from django_entra_auth.emulator import OTHER_CLIENT_ID
from django_entra_auth.emulator.driver import Page
from tests.emulator.wire import Wire, claims_of

SIGNED_OUT = "http://127.0.0.1:8000/auth/logout/"
FRONT_CHANNEL = "http://127.0.0.1:8000/auth/front-channel-logout/"


def _logout(wire: Wire, **parameters: str) -> Page:
    url = f"{wire.entra.authority}/oauth2/v2.0/logout?{urlencode(parameters)}"
    answer = wire.get(url)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return Page(answer.text)


def _is_signed_in(wire: Wire, person: str = "alice") -> bool:
    hint = wire.entra.people[person].login_hint
    return wire.get(wire.authorize_url(login_hint=hint)).status_code == 302


def test_sign_out_ends_the_session_and_leads_back(wire: Wire) -> None:
    wire.sign_in()
    page = _logout(wire, post_logout_redirect_uri=SIGNED_OUT, state="a b")
    assert page.continue_url == SIGNED_OUT + "?state=a+b"
    assert not _is_signed_in(wire)


@pytest.mark.parametrize(
    "uri", ["https://evil.example/", "http://127.0.0.1:8000/auth/logout", "javascript:alert(1)", ""]
)
def test_unregistered_addresses_are_not_followed(wire: Wire, uri: str) -> None:
    wire.sign_in()
    page = _logout(wire, post_logout_redirect_uri=uri)
    assert page.continue_url == ""
    assert not _is_signed_in(wire)


def test_without_a_session_the_person_stays(wire: Wire) -> None:
    assert _logout(wire, post_logout_redirect_uri=SIGNED_OUT).continue_url == ""


def test_refresh_tokens_outlive_sign_out(wire: Wire) -> None:
    token = wire.tokens()["refresh_token"]
    _logout(wire)
    assert wire.refresh(token).status_code == 200


def test_a_hint_signs_one_of_two_accounts_out(wire: Wire) -> None:
    wire.sign_in("alice")
    wire.sign_in("erin", prompt="login")
    _logout(wire, logout_hint=wire.entra.people["erin"].login_hint)
    assert not _is_signed_in(wire, "erin")
    assert _is_signed_in(wire, "alice")


def test_without_hint_the_person_chooses_among_two_accounts(wire: Wire) -> None:
    wire.sign_in("alice")
    wire.sign_in("erin", prompt="login")
    page = _logout(wire, post_logout_redirect_uri=SIGNED_OUT, state="s")
    assert page.kind == "pick_sign_out"
    form = page.forms["account-alice@contoso.example"]
    answer = wire.post(wire.entra.origin + form.action, form.fields)
    assert Page(answer.text).continue_url == SIGNED_OUT + "?state=s"
    assert not _is_signed_in(wire, "alice")
    assert _is_signed_in(wire, "erin")


def test_choosing_needs_the_pages_own_token(wire: Wire) -> None:
    wire.entra.optional_claims.add("sid")
    sid = claims_of(wire.tokens()["id_token"])["sid"]
    answer = wire.post(wire.entra.origin + "/sign-out", {"sid": sid, "csrf": "guess"})
    assert "50089" in answer.text
    assert _is_signed_in(wire)


def test_front_channel_frames_for_the_applications_of_the_session(wire: Wire) -> None:
    wire.entra.optional_claims.add("sid")
    wire.entra.application.front_channel_logout_uri = FRONT_CHANNEL + "?x=1"
    wire.entra.applications[OTHER_CLIENT_ID].front_channel_logout_uri = "https://other.example/"
    sid = claims_of(wire.tokens()["id_token"])["sid"]
    page = _logout(wire)
    assert page.iframes == [f"{FRONT_CHANNEL}?x=1&sid={sid}"]


def test_front_channel_with_issuer(wire: Wire) -> None:
    application = wire.entra.application
    application.front_channel_logout_uri = FRONT_CHANNEL
    application.front_channel_sends_issuer = True
    wire.sign_in()
    (frame,) = _logout(wire).iframes
    assert parse_qs(urlsplit(frame).query)["iss"] == [f"{wire.entra.authority}/v2.0"]


def test_an_unknown_tenant(wire: Wire) -> None:
    answer = wire.get(f"{wire.entra.origin}/nobody.example/oauth2/v2.0/logout")
    assert 'data-error-number="90002"' in answer.text
