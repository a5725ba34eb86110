"""The authorize endpoint: which errors stay, which redirect, and how answers are delivered."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from django_entra_auth.emulator import FABRIKAM_TENANT_ID, EmulatorPage
from tests.emulator.wire import REDIRECT_URI, Wire, redirected_fields

UNKNOWN_CLIENT = "00000000-0000-4000-8000-000000000000"


def _stays(wire: Wire, number: int, url: str) -> None:
    answer = wire.get(url)
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert f'data-error-number="{number}"' in answer.text
    assert 'method="post"' not in answer.text


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (700016, {"client_id": UNKNOWN_CLIENT}),
        (700016, {"client_id": "not-a-guid"}),
        (900144, {"client_id": None}),
        (50011, {"redirect_uri": "https://evil.example/auth/callback"}),
        (50011, {"redirect_uri": "http://127.0.0.1:8000/auth/Callback"}),
        (50011, {"redirect_uri": "http://127.0.0.1:8000/auth/callback/"}),
        (50011, {"redirect_uri": "http://127.0.0.1:8000/auth/callback?next=1"}),
        (50011, {"redirect_uri": "http://127.0.0.1:8000/auth/callback#x"}),
        (50011, {"redirect_uri": "http://127.0.0.1@evil.example/auth/callback"}),
        (50011, {"redirect_uri": "http://127.0.0.1.evil.example/auth/callback"}),
        (50011, {"redirect_uri": "http://127.0.0.1\\.evil.example/auth/callback"}),
        (50011, {"redirect_uri": "http://[evil/auth/callback"}),
        (50011, {"redirect_uri": "http://127.0.0.1:8000/auth/call\r\nback"}),
    ],
)
def test_client_and_redirect_errors_stay_on_the_page(
    wire: Wire, number: int, changes: dict[str, str | None]
) -> None:
    _stays(wire, number, wire.authorize_url(**changes))


def test_an_unknown_tenant_stays_on_the_page(wire: Wire) -> None:
    _stays(wire, 90002, wire.authorize_url(segment="nobody.example"))


def test_an_application_without_reply_addresses_stays_on_the_page(wire: Wire) -> None:
    wire.entra.application.redirect_uris.clear()
    _stays(wire, 500113, wire.authorize_url())


@pytest.mark.parametrize("segment", ["common", "organizations"])
def test_a_single_tenant_application_is_not_for_everybody(wire: Wire, segment: str) -> None:
    wire.entra.application.multi_tenant = False
    _stays(wire, 50194, wire.authorize_url(segment=segment))
    _stays(wire, 700016, wire.authorize_url(segment=FABRIKAM_TENANT_ID))
    assert "code" in wire.sign_in()


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_who_asks_and_where_to_must_not_be_said_twice(wire: Wire, name: str) -> None:
    answer = wire.get(wire.authorize_url() + f"&{name}=other")
    assert answer.status_code == 200
    assert "data-error-number" in answer.text


@pytest.mark.parametrize(
    ("error", "number", "changes"),
    [
        ("invalid_request", 900144, {"response_type": None}),
        ("invalid_request", 900144, {"scope": None}),
        ("unsupported_response_type", 700054, {"response_type": "code id_token"}),
        ("unsupported_response_type", 700051, {"response_type": "token"}),
        ("unsupported_response_type", 70005, {"response_type": "device"}),
        ("invalid_request", 70007, {"response_mode": "web_message"}),
        ("invalid_request", 90023, {"prompt": "login consent"}),
        ("invalid_request", 50149, {"code_challenge": "c" * 43, "code_challenge_method": "S1"}),
        ("invalid_request", 501491, {"code_challenge": "short"}),
        ("invalid_request", 90100, {"max_age": "-1"}),
        ("invalid_request", 90100, {"claims": "[]"}),
        ("invalid_request", 90100, {"claims": "{"}),
        ("invalid_request", 90005, {"sid": "x", "login_hint": "y"}),
        ("invalid_scope", 70011, {"scope": 'openid "bad"'}),
        ("invalid_scope", 70011, {"scope": "openid https://graph.microsoft.com/"}),
        ("invalid_scope", 70011, {"scope": "openid .default User.Read"}),
    ],
)
def test_other_errors_are_redirected(
    wire: Wire, error: str, number: int, changes: dict[str, str | None]
) -> None:
    answer = wire.get(wire.authorize_url(**changes))
    mode = "fragment" if "token" in (changes.get("response_type") or "") else "query"
    assert answer.status_code == 302
    parts = urlsplit(answer.headers["Location"])
    fields = parse_qs(parts.fragment if mode == "fragment" else parts.query)
    assert fields["error"] == [error]
    assert fields["error_description"][0].startswith(f"AADSTS{number}: ")
    assert fields["state"] == ["the state"]


def test_a_parameter_sent_twice_is_redirected(wire: Wire) -> None:
    fields = redirected_fields(wire.get(wire.authorize_url() + "&nonce=second"))
    assert fields["error_description"].startswith("AADSTS90004")


def test_query_answers_end_in_an_empty_fragment(wire: Wire) -> None:
    entra = wire.entra
    answer = entra.complete_sign_in(wire.authorize_url(client_info="1"), "alice")
    assert answer.method == "GET"
    assert answer.url.startswith(REDIRECT_URI + "?")
    assert answer.url.endswith("#")
    assert set(answer.fields) == {"code", "client_info", "session_state", "state"}


def test_fragment_answers(wire: Wire) -> None:
    answer = wire.entra.complete_sign_in(wire.authorize_url(response_mode="fragment"), "alice")
    assert answer.url.startswith(REDIRECT_URI + "#code=")


def test_form_post_answers_submit_themselves_and_have_a_button(wire: Wire) -> None:
    state = '"><script>alert(1)</script>'
    url = wire.authorize_url(response_mode="form_post", state=state, prompt="none")
    page = wire.get(url)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert f'action="{REDIRECT_URI}"' in page.text
    assert '<button type="submit">Continue</button>' in page.text
    nonce = page.text.partition('<script nonce="')[2].partition('"')[0]
    assert nonce
    assert f"script-src 'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("mode", ["query", "form_post", "fragment"])
def test_cancel_has_a_subcode_and_no_description(wire: Wire, mode: str) -> None:
    fields = wire.sign_in(response_mode=mode, cancel=True)
    assert fields == {"error": "access_denied", "error_subcode": "cancel", "state": "the state"}


def test_state_is_echoed_only_when_sent(wire: Wire) -> None:
    assert "state" not in wire.sign_in(state=None)


def test_without_redirect_uri_a_registered_one_is_taken(wire: Wire) -> None:
    answer = wire.entra.complete_sign_in(wire.authorize_url(redirect_uri=None), "alice")
    assert answer.url.startswith(wire.entra.application.redirect_uris[0] + "?")


def test_a_redirect_uri_without_path_gets_a_slash_in_query_mode(wire: Wire) -> None:
    wire.entra.application.redirect_uris.append("http://localhost")
    url = wire.authorize_url(redirect_uri="http://localhost:9000")
    answer = wire.entra.complete_sign_in(url, "alice")
    assert answer.url.startswith("http://localhost:9000/?code=")


def test_the_port_counts_for_hosts_other_than_loopback(wire: Wire) -> None:
    wire.entra.application.redirect_uris.append("https://app.example/cb")
    assert wire.get(wire.authorize_url(redirect_uri="https://app.example/cb")).status_code == 200
    _stays(wire, 50011, wire.authorize_url(redirect_uri="https://app.example:8443/cb"))


def test_authorize_takes_a_form_post_too(wire: Wire) -> None:
    url, _, _ = wire.authorize_url().partition("?")
    form = {
        "client_id": wire.entra.client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid",
    }
    page = wire.post(url, form, headers={"Origin": "http://127.0.0.1:8000"})
    assert 'data-page="sign_in"' in page.text


@pytest.mark.parametrize(
    ("person", "number", "options"),
    [("dave", 50057, {}), ("bob", 500121, {"mfa": False}), ("grace", 50020, {})],
)
def test_people_who_cannot_sign_in_stay(
    wire: Wire, person: str, number: int, options: dict[str, bool]
) -> None:
    with pytest.raises(EmulatorPage) as caught:
        wire.sign_in(person, **options)
    assert (caught.value.status, caught.value.number) == (200, number)
    assert caught.value.text
