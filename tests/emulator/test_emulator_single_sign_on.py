"""Sessions of the local Entra: prompt, hints, max_age, MFA, consent, forged forms."""

from __future__ import annotations

import re
import time

import pytest

from django_entra_auth.emulator import MFA_CODE, PASSWORD
from tests.emulator.wire import Wire, claims_of, redirected_fields


def _page_kind(text: str) -> str:
    found = re.search(r'data-page="(\w+)"', text)
    assert found
    return found[1]


def _ask(wire: Wire, **changes: str | None) -> str:
    """The kind of page an authorize request shows, or `redirect`."""
    answer = wire.get(wire.authorize_url(**changes))
    return "redirect" if answer.status_code == 302 else _page_kind(answer.text)


def _fields(page: str) -> dict[str, str]:
    found = re.findall(r'name="(flow|csrf)" value="([^"]+)"', page)
    return dict(found)


def test_a_session_signs_in_again_without_a_page(wire: Wire) -> None:
    assert _ask(wire) == "sign_in"
    wire.sign_in()
    assert _ask(wire) == "redirect"


@pytest.mark.parametrize(
    ("prompt", "page"),
    [("login", "sign_in"), ("select_account", "pick_account"), ("consent", "consent")],
)
def test_prompt_brings_a_page_back(wire: Wire, prompt: str, page: str) -> None:
    wire.sign_in()
    assert _ask(wire, prompt=prompt) == page
    assert "code" in wire.sign_in(prompt=prompt)


def test_prompt_login_renews_auth_time(wire: Wire) -> None:
    wire.entra.optional_claims.add("auth_time")
    first = claims_of(wire.tokens()["id_token"])["auth_time"]
    wire.entra.clock = lambda: time.time() + 30
    assert claims_of(wire.tokens()["id_token"])["auth_time"] == first
    assert claims_of(wire.tokens(prompt="login")["id_token"])["auth_time"] >= first + 29


def test_two_accounts_bring_the_picker_unless_hinted(wire: Wire) -> None:
    wire.sign_in("alice")
    wire.sign_in("erin", prompt="login")
    assert _ask(wire) == "pick_account"
    assert _ask(wire, login_hint="erin@contoso.example") == "redirect"
    assert _ask(wire, login_hint=wire.entra.people["erin"].login_hint) == "redirect"
    assert _ask(wire, login_hint="bob@contoso.example") == "sign_in"
    assert _ask(wire, domain_hint="consumers") == "sign_in"
    assert _ask(wire, domain_hint="organizations") == "pick_account"
    assert "code" in wire.sign_in("erin")


def test_a_hint_fills_the_user_name_in(wire: Wire) -> None:
    hint = wire.entra.people["bob"].login_hint
    assert 'value="bob@contoso.example"' in wire.get(wire.authorize_url(login_hint=hint)).text


def _silent(wire: Wire, **changes: str | None) -> tuple[str, str]:
    fields = redirected_fields(wire.get(wire.authorize_url(prompt="none", **changes)))
    number = fields.get("error_description", "").partition(":")[0]
    return fields.get("error", "code"), number


def test_silent_requests_never_show_a_page(wire: Wire) -> None:
    assert _silent(wire) == ("login_required", "AADSTS50058")
    wire.sign_in("alice")
    assert _silent(wire) == ("code", "")
    assert _silent(wire, login_hint="erin@contoso.example") == ("login_required", "AADSTS50058")
    assert _silent(wire, sid="unknown") == ("interaction_required", "AADSTS160021")
    assert _silent(wire, segment="fabrikam.example") == ("interaction_required", "AADSTS16000")
    wire.sign_in("erin", prompt="login")
    assert _silent(wire) == ("interaction_required", "AADSTS16000")


def test_silent_requests_meet_rules_that_came_up_later(wire: Wire) -> None:
    alice = wire.entra.people["alice"]
    wire.sign_in("alice")
    wire.entra.application.require_consent = True
    assert _silent(wire) == ("consent_required", "AADSTS65001")
    alice.mfa_required = True
    assert _silent(wire) == ("interaction_required", "AADSTS50076")
    alice.enabled = False
    assert _silent(wire) == ("interaction_required", "AADSTS50057")


def test_max_age_zero_always_asks(wire: Wire) -> None:
    now = time.time()
    wire.entra.clock = lambda: now
    wire.sign_in("alice")
    assert _ask(wire, max_age="0") == "sign_in"
    assert "code" in wire.sign_in("alice", max_age="0")


def test_a_domain_hint_picks_the_session_of_that_domain(wire: Wire) -> None:
    wire.sign_in("alice")
    wire.sign_in("carol", prompt="login")
    assert _ask(wire, domain_hint="fabrikam.example") == "redirect"
    assert _ask(wire, domain_hint="elsewhere.example") == "sign_in"


def test_max_age_counts_from_the_password(wire: Wire) -> None:
    wire.sign_in("alice")
    assert _ask(wire, max_age="60") == "redirect"
    assert _ask(wire, max_age="0") == "sign_in"
    wire.entra.clock = lambda: time.time() + 61
    assert _ask(wire, max_age="60") == "sign_in"
    assert _silent(wire, max_age="60") == ("login_required", "AADSTS50058")
    assert "code" in wire.sign_in("alice", max_age="60")
    assert _ask(wire, max_age="60") == "redirect"


def test_mfa_is_asked_once_per_session(wire: Wire) -> None:
    wire.sign_in("bob")
    assert _ask(wire) == "redirect"


def test_the_codes_of_the_pages_are_written_on_them(wire: Wire) -> None:
    page = wire.get(wire.authorize_url())
    assert PASSWORD in page.text
    form = {**_fields(page.text), "username": "bob@contoso.example", "password": PASSWORD}
    mfa = wire.post(wire.entra.origin + "/sign-in/password", form)
    assert _page_kind(mfa.text) == "mfa"
    assert MFA_CODE in mfa.text


@pytest.mark.parametrize(
    ("username", "password", "number"),
    [("alice@contoso.example", "wrong", 50126), ("nobody@contoso.example", PASSWORD, 50034)],
)
def test_wrong_credentials_can_be_corrected_on_the_page(
    wire: Wire, username: str, password: str, number: int
) -> None:
    page = wire.get(wire.authorize_url())
    form = {**_fields(page.text), "username": username, "password": password}
    again = wire.post(wire.entra.origin + "/sign-in/password", form)
    assert again.status_code == 200
    assert f'data-error-number="{number}"' in again.text
    assert f'value="{username}"' in again.text
    form = {**_fields(again.text), "username": "alice@contoso.example", "password": PASSWORD}
    assert wire.post(wire.entra.origin + "/sign-in/password", form).status_code == 302


def test_consent_is_asked_once_per_person_and_client(wire: Wire) -> None:
    wire.entra.application.require_consent = True
    fields = wire.sign_in(consent=False)
    assert fields["error"] == "access_denied"
    assert fields["error_description"].startswith("AADSTS65004")
    assert _ask(wire) == "consent"
    assert "code" in wire.sign_in(consent=True)
    assert _ask(wire) == "redirect"
    assert _ask(wire, scope="openid Mail.Read") == "consent"


def test_consent_cannot_be_given_before_the_password(wire: Wire) -> None:
    wire.entra.application.require_consent = True
    page = wire.get(wire.authorize_url())
    answer = wire.post(wire.entra.origin + "/sign-in/accept", _fields(page.text))
    assert _page_kind(answer.text) == "sign_in"
    assert not wire.entra.application.consents


def test_mfa_cannot_be_given_before_the_password(wire: Wire) -> None:
    page = wire.get(wire.authorize_url())
    form = {**_fields(page.text), "code": MFA_CODE}
    assert "50089" in wire.post(wire.entra.origin + "/sign-in/mfa", form).text


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"csrf": ""}, {}),
        ({"csrf": "x" * 43}, {}),
        ({"csrf": "\u00e9"}, {}),
        ({"flow": "unknown"}, {}),
        ({}, {"Cookie": "other=1"}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Origin": "null"}),
    ],
)
def test_forged_forms_do_nothing(
    wire: Wire, changes: dict[str, str], headers: dict[str, str]
) -> None:
    page = wire.get(wire.authorize_url())
    form = {**_fields(page.text), "username": "alice@contoso.example", "password": PASSWORD}
    answer = wire.post(wire.entra.origin + "/sign-in/password", form | changes, headers=headers)
    assert answer.status_code == 200
    assert 'data-error-number="50089"' in answer.text
    assert _ask(wire) == "sign_in"


def test_a_page_left_open_for_too_long_starts_over(wire: Wire) -> None:
    page = wire.get(wire.authorize_url())
    wire.entra.clock = lambda: time.time() + 3601
    form = {**_fields(page.text), "username": "alice@contoso.example", "password": PASSWORD}
    assert "50089" in wire.post(wire.entra.origin + "/sign-in/password", form).text


def test_parallel_tabs_each_get_their_answer(wire: Wire) -> None:
    pages = [wire.get(wire.authorize_url(state=f"tab {n}")).text for n in range(5)]
    for n, page in enumerate(pages):
        form = {**_fields(page), "username": "alice@contoso.example", "password": PASSWORD}
        answer = wire.post(wire.entra.origin + "/sign-in/password", form)
        assert redirected_fields(answer)["state"] == f"tab {n}"


def test_everybody_signs_in_at_home_through_organizations(wire: Wire) -> None:
    entra = wire.entra
    for person, tid in (("alice", entra.tenant_id), ("grace", entra.people["grace"].tid)):
        claims = claims_of(wire.tokens(person, segment="organizations", prompt="login")["id_token"])
        assert claims["tid"] == tid
        assert claims["iss"] == f"{entra.origin}/{tid}/v2.0"


def test_a_guest_at_home_is_no_guest(wire: Wire) -> None:
    carol = wire.entra.people["carol"]
    claims = claims_of(wire.tokens("carol", segment="common")["id_token"])
    assert (claims["tid"], claims["oid"]) == (carol.home_tid, carol.home_oid)
    assert "idp" not in claims


def test_an_administrator_ends_the_session(wire: Wire) -> None:
    wire.sign_in()
    wire.entra.revoke_sign_ins("alice")
    assert _ask(wire) == "sign_in"
