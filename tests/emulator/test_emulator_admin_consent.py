"""Consent by an administrator: on the sign-in's pages and at the admin consent endpoints."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from django_entra_auth.emulator import FABRIKAM_TENANT_ID, EmulatorPage
from django_entra_auth.emulator.policies import Policy
from tests.emulator import policy_cases as case
from tests.emulator.policy_cases import ask, page_of, refused, silent, walk
from tests.emulator.wire import REDIRECT_URI, Wire

MAIL_READ = f"{case.GRAPH}/Mail.Read"


def _url(wire: Wire, version: str = "v2", segment: str = "", **changes: str | None) -> str:
    parameters: dict[str, str | None] = {
        "client_id": wire.entra.client_id,
        "redirect_uri": REDIRECT_URI,
        "state": "the state",
        "scope": MAIL_READ if version == "v2" else None,
    }
    parameters |= changes
    sent = {name: value for name, value in parameters.items() if value is not None}
    path = "v2.0/adminconsent" if version == "v2" else "adminconsent"
    base = f"{wire.entra.origin}/{segment or wire.entra.tenant_id}"
    return f"{base}/{path}?{urlencode(sent)}"


def _consent(wire: Wire, url: str, person: str = "heidi", **options: bool) -> dict[str, str]:
    return wire.entra.complete_sign_in(url, person, browser=wire.browser, **options).fields


def _ask_mail(wire: Wire) -> str:
    return ask(wire, scope=case.MAIL)


def test_only_an_administrator_gets_past_the_approval_page(wire: Wire) -> None:
    wire.entra.policies.add(case.ADMIN_CONSENT)
    with pytest.raises(EmulatorPage) as caught:
        walk(wire, "alice", scope=case.MAIL)
    assert (caught.value.status, caught.value.number) == (200, 90094)
    assert "code" in walk(wire, "alice")
    page = wire.get(wire.authorize_url(scope=case.MAIL)).text
    assert 'action="/sign-in/accept"' not in page
    fields = walk(wire, "alice", scope=case.MAIL, consent=False)
    assert (fields["error"], fields["error_subcode"]) == ("access_denied", "cancel")


def test_a_forged_acceptance_by_somebody_else_does_nothing(wire: Wire) -> None:
    wire.entra.policies.add(case.ADMIN_CONSENT)
    wire.sign_in("alice")
    page = wire.get(wire.authorize_url(scope=case.MAIL))
    form = dict(re.findall(r'name="(flow|csrf)" value="([^"]+)"', page.text))
    assert page_of(wire.post(f"{wire.entra.origin}/sign-in/accept", form)) == "approval"
    assert not wire.entra.application.tenant_consents


def test_an_administrator_consents_for_everybody_while_signing_in(wire: Wire) -> None:
    wire.entra.policies.add(case.ADMIN_CONSENT)
    assert "code" in walk(wire, "heidi", scope=case.MAIL)
    wire.browser.cookies.clear()
    assert "code" in walk(wire, "alice", scope=case.MAIL)
    assert "code" in silent(wire, scope=case.MAIL)


def test_an_administrator_takes_over_on_the_approval_page(wire: Wire) -> None:
    wire.entra.policies.add(case.ADMIN_CONSENT)
    wire.sign_in("alice")
    assert _ask_mail(wire) == "approval"
    assert "code" in walk(wire, "heidi", scope=case.MAIL)


def test_an_administrator_can_decline(wire: Wire) -> None:
    wire.entra.policies.add(case.ADMIN_CONSENT)
    fields = walk(wire, "heidi", scope=case.MAIL, consent=False)
    assert fields["error"] == "access_denied"
    assert fields["error_description"].startswith("AADSTS65004")
    assert not wire.entra.application.tenant_consents


def test_an_administrators_own_consent_is_for_themselves(wire: Wire) -> None:
    wire.entra.policies.add(case.USER_CONSENT)
    walk(wire, "heidi", scope=case.MAIL)
    assert not wire.entra.application.tenant_consents
    wire.browser.cookies.clear()
    wire.sign_in("alice")
    assert _ask_mail(wire) == "consent"


@pytest.mark.parametrize(
    ("version", "expected"),
    [("v2", {"scope": MAIL_READ}), ("v1", {})],
)
def test_consent_at_the_endpoint(wire: Wire, version: str, expected: dict[str, str]) -> None:
    wire.entra.policies.add(case.ADMIN_CONSENT)
    token = wire.tokens("alice")["refresh_token"]
    assert refused(wire.refresh(token, scope="Mail.Read"))[1] == 90094
    wire.browser.cookies.clear()
    answer = wire.entra.complete_sign_in(_url(wire, version), "heidi", browser=wire.browser)
    assert answer.fields == {
        "admin_consent": "True",
        "tenant": wire.entra.tenant_id,
        "state": "the state",
        **expected,
    }
    assert answer.url.startswith(f"{REDIRECT_URI}?")
    assert wire.refresh(token, scope="Mail.Read").status_code == 200


def test_consent_is_for_what_was_asked(wire: Wire) -> None:
    for scope in ("Mail.Read", "Calendars.Read"):
        name = frozenset({scope})
        wire.entra.policies.add(Policy(name=scope, control="admin_consent", scopes=name))
    _consent(wire, _url(wire, scope=f"{MAIL_READ} openid"))
    token = wire.tokens("heidi")["refresh_token"]
    assert wire.refresh(token, scope="Mail.Read").status_code == 200
    assert refused(wire.refresh(token, scope="Calendars.Read"))[1] == 90094
    _consent(wire, _url(wire, scope=f"{case.GRAPH}/.default"))
    assert wire.refresh(token, scope="Calendars.Read").status_code == 200


def test_consent_for_all_saves_people_their_own(wire: Wire) -> None:
    wire.entra.application.require_consent = True
    wire.entra.policies.add(Policy(name="All", control="user_consent"))
    _consent(wire, _url(wire, scope=f"{case.GRAPH}/.default"))
    wire.browser.cookies.clear()
    wire.sign_in("alice", consent=False)
    assert ask(wire) == "redirect"
    assert ask(wire, scope="openid api://thing/Read") == "consent"


def test_declining_at_the_second_version_still_says_admin_consent(wire: Wire) -> None:
    fields = _consent(wire, _url(wire), consent=False)
    assert fields.pop("error_description").startswith("AADSTS65004: ")
    assert fields == {
        "admin_consent": "True",
        "error": "consent_required",
        "state": "the state",
    }
    assert not wire.entra.application.tenant_consents


def test_declining_at_the_first_version(wire: Wire) -> None:
    fields = _consent(wire, _url(wire, "v1"), consent=False)
    assert fields["error"] == "permission_denied"
    assert fields["error_description"] == "The admin canceled the request"
    assert "admin_consent" not in fields


def test_cancelling_before_anybody_signed_in(wire: Wire) -> None:
    fields = _consent(wire, _url(wire), cancel=True)
    assert (fields["error"], fields["error_subcode"]) == ("access_denied", "cancel")


def test_people_who_are_no_administrators_cannot_consent_for_all(wire: Wire) -> None:
    for version in ("v1", "v2"):
        with pytest.raises(EmulatorPage, match="90094"):
            _consent(wire, _url(wire, version), "alice")
    assert not wire.entra.application.tenant_consents


def test_the_endpoint_takes_no_consent_of_one_person(wire: Wire) -> None:
    wire.entra.policies.add(case.USER_CONSENT)
    with pytest.raises(EmulatorPage, match="90094"):
        _consent(wire, _url(wire), "alice")
    assert not wire.entra.application.consents


def test_ones_own_consent_is_no_administrators(wire: Wire) -> None:
    wire.entra.policies.add(case.USER_CONSENT)
    walk(wire, "alice", scope=case.MAIL)
    wire.entra.policies.add(case.ADMIN_CONSENT)
    assert _ask_mail(wire) == "approval"


def test_an_administrator_of_another_tenant_is_none_here(wire: Wire) -> None:
    wire.entra.people["carol"].is_admin = True
    with pytest.raises(EmulatorPage, match="90094"):
        wire.entra.complete_sign_in(_url(wire, segment=FABRIKAM_TENANT_ID), "carol", consent=True)


def test_consent_is_for_the_tenant_of_the_administrator(wire: Wire) -> None:
    wire.entra.policies.add(case.ADMIN_CONSENT)
    wire.entra.people["grace"].is_admin = True
    fields = _consent(wire, _url(wire, segment="organizations"), "grace")
    assert fields["tenant"] == FABRIKAM_TENANT_ID
    wire.browser.cookies.clear()
    wire.sign_in("alice")
    assert _ask_mail(wire) == "approval"


def test_policies_hold_for_administrators_too(wire: Wire) -> None:
    wire.entra.policies.add(case.MFA)
    with pytest.raises(EmulatorPage, match="500121"):
        _consent(wire, _url(wire), mfa=False)
    assert not wire.entra.application.tenant_consents


@pytest.mark.parametrize(
    ("number", "version", "segment", "changes"),
    [
        (90002, "v2", "common", {}),
        (90002, "v2", "nobody.example", {}),
        (90002, "v1", "consumers", {}),
        (50011, "v2", "", {"redirect_uri": "https://evil.example/"}),
        (700016, "v1", "", {"client_id": "5e1f7a00-0000-4000-8000-000000000000"}),
        (900144, "v2", "", {"client_id": None}),
    ],
)
def test_requests_that_stay_here(
    wire: Wire, number: int, version: str, segment: str, changes: dict[str, str | None]
) -> None:
    page = wire.get(_url(wire, version, segment, **changes))
    assert page.status_code == 200
    assert f'data-error-number="{number}"' in page.text


@pytest.mark.parametrize("scope", [None, ""])
def test_the_second_version_needs_a_scope(wire: Wire, scope: str | None) -> None:
    answer = wire.get(_url(wire, scope=scope))
    fields = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert fields["error"] == ["invalid_request"]
    assert fields["state"] == ["the state"]


def test_the_first_version_knows_common(wire: Wire) -> None:
    assert page_of(wire.get(_url(wire, "v1", "common"))) == "sign_in"


def test_the_answer_comes_in_the_query_only(wire: Wire) -> None:
    url = _url(wire, response_mode="form_post")
    answer = wire.entra.complete_sign_in(url, "heidi", browser=wire.browser)
    assert answer.method == "GET"
