"""The control API and its page: what they switch, and whom they refuse."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from django_entra_auth.emulator import Emulator, EmulatorPage, Fault
from django_entra_auth.emulator.control import READY_MADE
from django_entra_auth.emulator.driver import Page
from django_entra_auth.emulator.policies import CONTROLS, Policy
from tests.emulator.wire import Wire

ACTIONS = ["policies", "policies/clear", "revoke", "faults", "throttle", "graph", "reset"]


def _post(
    entra: Emulator,
    action: str,
    sent: Any = None,
    *,
    headers: dict[str, str] | None = None,
    status: int = 200,
) -> Any:
    fields = {"Content-Type": "application/json", **(headers or {})}
    body = sent if isinstance(sent, (bytes, str)) else json.dumps(sent or {})
    url = f"{entra.origin}/control/{action}"
    answer = requests.post(url, data=body, headers=fields, timeout=10, allow_redirects=False)
    assert answer.status_code == status, answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    return answer.json()


def _view(entra: Emulator, name: str) -> dict[str, Any]:
    return dict(requests.get(f"{entra.origin}/control/{name}", timeout=10).json())


def test_policies_can_be_written_out(entra: Emulator) -> None:
    sent = {
        "name": "mail",
        "control": "admin_consent",
        "people": ["alice"],
        "scopes": ["Mail.Read"],
        "resource": "https://graph.microsoft.com",
    }
    state = _post(entra, "policies", sent)
    assert entra.policies.all() == [
        Policy(
            name="mail",
            control="admin_consent",
            people=frozenset({"alice"}),
            scopes=frozenset({"Mail.Read"}),
            resource="https://graph.microsoft.com",
        )
    ]
    assert state["policies"] == [{**sent, "context": None, "seconds": None}]
    assert _post(entra, "policies/remove", {"name": "mail"})["policies"] == []


def test_ready_made_policies_are_switched_by_name(entra: Emulator) -> None:
    for name, policy in READY_MADE.items():
        _post(entra, "policies", {"ready_made": name})
        assert entra.policies.all() == [policy]
        _post(entra, "policies/remove", {"ready_made": name})
        assert entra.policies.all() == []


def test_ready_made_policies_have_names_of_their_own_and_cover_every_control() -> None:
    assert len({policy.name for policy in READY_MADE.values()}) == len(READY_MADE)
    assert {policy.control for policy in READY_MADE.values()} == set(CONTROLS)


def test_policies_can_be_cleared(entra: Emulator) -> None:
    for name in ("mfa", "device"):
        _post(entra, "policies", {"ready_made": name})
    assert _post(entra, "policies/clear")["policies"] == []


def test_a_policy_switched_on_holds_at_once(wire: Wire) -> None:
    assert wire.sign_in()["code"]
    _post(wire.entra, "policies", {"ready_made": "block"})
    with pytest.raises(EmulatorPage) as stopped:
        wire.sign_in()
    assert stopped.value.number == 53003


@pytest.mark.parametrize(
    ("action", "sent"),
    [
        ("policies", {"name": "x"}),
        ("policies", {"control": "mfa"}),
        ("policies", {"name": "x", "control": "prayer"}),
        ("policies", {"name": "x", "control": "mfa", "context": "c0"}),
        ("policies", {"name": "x", "control": "mfa", "people": ["nobody"]}),
        ("policies", {"name": "x", "control": "mfa", "people": "alice"}),
        ("policies", {"name": "x", "control": "mfa", "scopes": [1]}),
        ("policies", {"name": "x", "control": "sign_in_frequency", "seconds": True}),
        ("policies", {"name": "x", "control": "mfa", "colour": "red"}),
        ("policies", {"name": ["x"], "control": "mfa"}),
        ("policies", {"ready_made": "nothing"}),
        ("policies", {"ready_made": "mfa", "people": ["alice"]}),
        ("policies/remove", {}),
        ("policies/clear", {"name": "x"}),
        ("revoke", {}),
        ("revoke", {"person": "nobody"}),
        ("faults", {"status": 503}),
        ("faults", {"endpoint": "keys", "status": "503"}),
        ("faults", {"endpoint": "nothing", "status": 503}),
        ("faults", {"endpoint": "keys", "person": "alice"}),
        ("faults", {"endpoint": "token", "person": "nobody"}),
        ("faults", {"endpoint": "token", "headers": {"X": "a\r\nSet-Cookie: b=c"}}),
        ("faults", {"endpoint": "token", "headers": {"X": 1}}),
        ("throttle", {}),
        ("throttle", {"seconds": "30"}),
        ("throttle", {"seconds": 1e300, "as_date": True}),
        ("outage", {"kind": "flood"}),
        ("graph", {"challenge_style": "loud"}),
        ("graph", {"context": "c1"}),
        ("graph", {"challenge_once": []}),
        ("switches", {"loop_detection": 1}),
        ("switches", {"clock": True}),
        ("switches", {"grants_fewer_scopes": [1]}),
        ("reset", {"all": True}),
        ("reset", "[]"),
        ("reset", "{"),
        ("reset", b"\xff"),
        ("reset", "[" * 100_000),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    entra: Emulator, action: str, sent: Any
) -> None:
    before = _view(entra, "state")
    assert _post(entra, action, sent, status=400)["error"]
    assert _view(entra, "state") == before


def test_a_revocation_ends_sign_ins(wire: Wire) -> None:
    tokens = wire.tokens()
    _post(wire.entra, "revoke", {"person": "alice"})
    assert wire.refresh(tokens["refresh_token"]).json()["error_codes"] == [50173]


def test_throttling_and_outages(wire: Wire) -> None:
    entra = wire.entra
    _post(entra, "throttle", {"seconds": 30, "times": 1, "as_date": True})
    assert wire.token(code="garbage").headers["Retry-After"].endswith("GMT")
    state = _post(entra, "outage", {"kind": "503", "grant": "authorization_code"})
    assert state["faults"] == ["token"]
    assert wire.token(code="garbage").status_code == 503
    assert wire.refresh("garbage").status_code == 400
    assert _post(entra, "faults/clear")["faults"] == []
    assert wire.token(code="garbage").status_code == 400


def test_any_fault_can_be_scripted_and_comes_once_unless_said(wire: Wire) -> None:
    sent = {"endpoint": "token", "status": 418, "body": "tea", "headers": {"X-Pot": "yes"}}
    _post(wire.entra, "faults", sent)
    answers = [wire.token(code="garbage") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [418, 400]
    assert (answers[0].text, answers[0].headers["X-Pot"]) == ("tea", "yes")
    _post(wire.entra, "faults", {"endpoint": "token", "status": 418, "times": None})
    assert [wire.token(code="garbage").status_code for _ in range(3)] == [418] * 3


def test_the_graph_is_switched(wire: Wire) -> None:
    claims = {"access_token": {"nbf": {"essential": True, "value": "1"}}}
    sent = {"challenge_style": "raw_json", "challenge_once": claims}
    _post(wire.entra, "graph", {**sent, "path": "/v1.0/me/messages", "context": "c3"})
    headers = {"Authorization": f"Bearer {wire.tokens()['access_token']}"}
    answer = wire.get(f"{wire.entra.origin}/v1.0/me", headers=headers)
    assert json.dumps(claims) in answer.headers["WWW-Authenticate"]
    assert _view(wire.entra, "state")["graph"] == {
        "challenge_style": "raw_json",
        "contexts": {"/v1.0/me/transfer": "c1", "/v1.0/me/messages": "c3"},
    }
    oid = wire.entra.people["alice"].oid
    call = {"method": "GET", "path": "/v1.0/me", "oid": oid, "status": 401}
    assert _view(wire.entra, "calls")["calls"] == [call]


def test_the_other_switches(entra: Emulator) -> None:
    sent = {"loop_detection": False, "ignores_claims": True, "grants_fewer_scopes": ["Mail.Read"]}
    state = _post(entra, "switches", sent)
    assert state["switches"] == {**sent, "always_challenges": False}
    assert entra.grants_fewer_scopes == frozenset({"Mail.Read"})


def test_requests_are_listed_without_what_they_carried(wire: Wire) -> None:
    wire.token(code="very-secret")
    answer = requests.get(f"{wire.entra.origin}/control/requests", timeout=10)
    token = answer.json()["requests"][-1]
    assert token["path"].endswith("/oauth2/v2.0/token")
    assert (token["grant_type"], token["status"]) == ("authorization_code", 400)
    assert "very-secret" not in answer.text
    assert wire.entra.client_secret not in answer.text


def test_a_reset_keeps_the_registration(wire: Wire) -> None:
    entra = wire.entra
    entra.application.redirect_uris = ["https://app.example/cb"]
    entra.optional_claims.add("sid")
    _post(entra, "policies", {"ready_made": "mfa"})
    entra.faults.add("token", Fault(500), times=None)
    entra.people["alice"].enabled = False
    entra.application.give_consent_for_all(entra.tenant_id, ["Mail.Read"])
    state = _post(entra, "reset")
    assert (state["policies"], state["faults"]) == ([], [])
    assert entra.application.redirect_uris == ["https://app.example/cb"]
    assert entra.application.tenant_consents == {}
    assert entra.optional_claims == {"sid"}
    assert entra.people["alice"].enabled


@pytest.mark.parametrize("action", ["", "nothing", "Policies", "state/", "policies/add"])
def test_unknown_addresses(entra: Emulator, action: str) -> None:
    url = f"{entra.origin}/control/{action}"
    json_type = {"Content-Type": "application/json"}
    assert requests.post(url, data="{}", headers=json_type, timeout=10).status_code == 404
    assert requests.get(url, timeout=10).status_code == 404


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:8000"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://localhost:{port}"},
        {"Origin": "http://localhost:{port}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "Cross-Site", "Origin": "http://localhost:{port}"},
    ],
)
def test_pages_of_other_origins_are_refused(
    entra: Emulator, action: str, headers: dict[str, str]
) -> None:
    filled = {name: value.format(port=entra.port) for name, value in headers.items()}
    before = _view(entra, "state")
    assert _post(entra, action, {"person": "alice"}, headers=filled, status=403)["error"]
    assert _view(entra, "state") == before


def test_its_own_pages_and_programs_are_not_refused(entra: Emulator) -> None:
    for origin in ({}, {"Origin": entra.origin}, {"Origin": f"http://LOCALHOST:{entra.port}"}):
        _post(entra, "policies/clear", headers={**origin, "Sec-Fetch-Site": "same-origin"})


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "text/plain; x=application/json"],
)
def test_what_a_form_of_another_site_can_send_is_refused(entra: Emulator, kind: str) -> None:
    assert _post(entra, "reset", headers={"Content-Type": kind}, status=415)["error"]


def test_a_name_that_resolves_to_loopback_is_refused(entra: Emulator) -> None:
    headers = {"Host": f"evil.example:{entra.port}", "Content-Type": "application/json"}
    answer = requests.post(f"{entra.origin}/control/reset", headers=headers, timeout=10)
    assert answer.status_code == 421


def test_a_preflight_gets_no_permission(entra: Emulator) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(f"{entra.origin}/control/reset", headers=headers, timeout=10)
    assert answer.status_code == 405
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def _page(wire: Wire) -> str:
    answer = wire.get(f"{wire.entra.origin}/control")
    assert answer.status_code == 200
    return answer.text


def _press(wire: Wire, button: str, value: str, **fields: Any) -> requests.Response:
    token = re.search(r'name="csrf" value="([^"]+)"', _page(wire))
    assert token
    data = {"csrf": token[1], "value": value, **fields.pop("data", {})}
    return wire.post(f"{wire.entra.origin}/control/press/{button}", data, **fields)


def test_the_page_is_linked_and_needs_no_script(wire: Wire) -> None:
    assert 'href="/control"' in wire.get(wire.entra.origin + "/").text
    answer = wire.get(wire.entra.origin + "/control")
    assert "script-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script|<style| style=| on\w+=", answer.text)
    assert Page(answer.text).kind == "control"


@pytest.mark.parametrize("name", READY_MADE)
def test_each_policy_has_a_button_on_and_off(wire: Wire, name: str) -> None:
    pressed = _press(wire, "on", name)
    assert (pressed.status_code, pressed.headers["Location"]) == (303, "/control")
    assert wire.entra.policies.all() == [READY_MADE[name]]
    assert _page(wire).count("Switch off") == 1
    _press(wire, "off", name)
    assert wire.entra.policies.all() == []
    assert "Switch off" not in _page(wire)


def test_policies_of_others_can_be_removed_on_the_page(wire: Wire) -> None:
    wire.entra.policies.add(Policy(name="<b>mine</b>", control="mfa"))
    assert "&lt;b&gt;mine&lt;/b&gt;" in _page(wire)
    assert "<b>mine" not in _page(wire)
    _press(wire, "remove", "<b>mine</b>")
    assert wire.entra.policies.all() == []


def test_buttons_for_revocation_trouble_and_reset(wire: Wire) -> None:
    tokens = wire.tokens()
    _press(wire, "revoke", "alice")
    assert wire.refresh(tokens["refresh_token"]).json()["error_codes"] == [50173]
    _press(wire, "throttle", "token")
    assert wire.token(code="garbage").headers["Retry-After"] == "30"
    assert "Trouble waits for requests to: token" in _page(wire)
    _press(wire, "calm", "")
    _press(wire, "outage", "503")
    assert wire.token(code="garbage").status_code == 503
    _press(wire, "reset", "")
    assert wire.token(code="garbage").status_code == 400


def test_the_page_s_forms_need_its_token(wire: Wire) -> None:
    for token in ("", "x", "é"):
        answer = _press(wire, "on", "mfa", data={"csrf": token})
        assert answer.status_code == 403
        assert 'role="alert"' in answer.text
    answer = _press(wire, "on", "mfa", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert wire.entra.policies.all() == []


def test_a_forged_value_is_answered_by_the_page(wire: Wire) -> None:
    answer = _press(wire, "on", "<script>")
    assert answer.status_code == 400
    assert "<script>" not in answer.text
    assert _press(wire, "nothing", "").status_code == 404
    assert wire.get(f"{wire.entra.origin}/control/press/on").status_code == 405
