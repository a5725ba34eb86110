"""On behalf of a person: an API exchanges the access token it received for one of another API."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
import requests

from django_entra_auth.emulator import (
    CLIENT_ID,
    FABRIKAM_TENANT_ID,
    OTHER_CLIENT_ID,
    OTHER_CLIENT_SECRET,
    Fault,
)
from django_entra_auth.emulator.policies import Policy
from tests.emulator import policy_cases as case
from tests.emulator.wire import Wire, claims_of

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
API = f"api://{CLIENT_ID}/access_as_user"
OTHER = {"client_id": OTHER_CLIENT_ID, "client_secret": OTHER_CLIENT_SECRET}
DECORATED = "openid profile offline_access User.Read"
MFA_FOR_GRAPH = Policy(name="MFA for Graph", control="mfa", resource=case.GRAPH)


def receive(wire: Wire, person: str = "alice", scope: str = API, **options: Any) -> dict[str, Any]:
    """What the calling application, another one than the API, gets for a person."""
    claims = options.get("claims")
    fields = wire.sign_in(person, scope=f"openid {scope}", client_id=OTHER_CLIENT_ID, **options)
    answer = wire.token(code=fields["code"], claims=claims, **OTHER)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def exchange(wire: Wire, assertion: str | None, **changes: str | None) -> requests.Response:
    fields: dict[str, str | None] = {
        "grant_type": GRANT,
        "assertion": assertion,
        "requested_token_use": "on_behalf_of",
        "scope": "User.Read",
        "redirect_uri": None,
    }
    return wire.token(**(fields | changes))


def test_the_token_is_for_the_other_api_and_of_the_same_person(wire: Wire) -> None:
    received = claims_of(receive(wire)["access_token"])
    answer = exchange(wire, receive(wire)["access_token"])
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {
        *("token_type", "scope", "expires_in", "ext_expires_in", "access_token"),
    }
    claims = claims_of(answer.json()["access_token"])
    assert (received["azp"], received["aud"]) == (OTHER_CLIENT_ID, CLIENT_ID)
    assert (claims["azp"], claims["scp"]) == (CLIENT_ID, "User.Read")
    assert claims["oid"] == received["oid"] == wire.entra.people["alice"].oid
    url = f"{wire.entra.origin}/v1.0/me"
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert requests.get(url, headers=token, timeout=10).json()["id"] == claims["oid"]


def test_what_else_was_asked_for_comes_along(wire: Wire) -> None:
    body = exchange(wire, receive(wire)["access_token"], scope=DECORATED).json()
    claims = claims_of(body["id_token"])
    assert (claims["aud"], "nonce" in claims) == (CLIENT_ID, False)
    assert wire.refresh(body["refresh_token"], scope="User.Read").status_code == 200


def test_a_chain_of_apis(wire: Wire) -> None:
    first = receive(wire)["access_token"]
    second = exchange(wire, first, scope=f"api://{OTHER_CLIENT_ID}/Read").json()["access_token"]
    third = exchange(wire, second, **OTHER)
    assert claims_of(third.json()["access_token"])["azp"] == OTHER_CLIENT_ID


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        (("invalid_request", 900144), {"assertion": None}),
        (("invalid_request", 900144), {"requested_token_use": None}),
        (("invalid_request", 90023), {"requested_token_use": "else"}),
        (("invalid_request", 900144), {"scope": None}),
        (("invalid_scope", 70011), {"scope": "User.Read api://x/y"}),
        (("invalid_grant", 50013), {"assertion": "garbage"}),
        (("invalid_grant", 50013), {"segment": FABRIKAM_TENANT_ID}),
        (("invalid_grant", 50013), OTHER),
    ],
)
def test_what_is_refused(
    wire: Wire, expected: tuple[str, int], changes: dict[str, str | None]
) -> None:
    fields = {"assertion": receive(wire)["access_token"], **changes}
    assert case.refused(exchange(wire, **fields))[:2] == expected


def test_a_token_of_another_api_an_id_token_and_one_without_a_person(wire: Wire) -> None:
    graph = wire.tokens()["access_token"]
    id_token = wire.tokens()["id_token"]
    assert case.refused(exchange(wire, graph)) == ("invalid_grant", 50013, None)
    assert case.refused(exchange(wire, id_token)) == ("invalid_request", 240002, None)
    alone = wire.token(
        grant_type="client_credentials", scope=f"api://{CLIENT_ID}/.default", redirect_uri=None
    )
    answer = exchange(wire, alone.json()["access_token"])
    assert case.refused(answer) == ("unauthorized_client", 7000114, None)


@pytest.mark.parametrize("changes", [{"iss": "https://evil.example/"}, {"uti": "unknown"}])
def test_a_token_whose_sign_in_is_not_known(wire: Wire, changes: dict[str, str]) -> None:
    claims = claims_of(receive(wire)["access_token"]) | changes
    key = wire.entra.keys.signing
    forged = jwt.encode(claims, key.private_key, "RS256", {"kid": key.kid})
    assert case.refused(exchange(wire, forged)) == ("invalid_grant", 50013, None)


def test_the_signature_is_checked(wire: Wire) -> None:
    head, payload, signature = receive(wire)["access_token"].split(".")
    turned = signature[:-10] + signature[-10:][::-1]
    assert case.refused(exchange(wire, f"{head}.{payload}.{turned}"))[1] == 50013
    wire.entra.rotate_keys(drop_old=True)
    assert case.refused(exchange(wire, f"{head}.{payload}.{signature}"))[1] == 50013


def test_an_expired_assertion(wire: Wire) -> None:
    token = receive(wire)["access_token"]
    wire.entra.clock = lambda: time.time() + 2 * 3600
    assert case.refused(exchange(wire, token)) == ("invalid_grant", 500133, None)


def test_a_person_who_was_revoked_disabled_or_deleted(wire: Wire) -> None:
    token = receive(wire)["access_token"]
    wire.entra.people["alice"].enabled = False
    assert case.refused(exchange(wire, token))[1] == 50057
    wire.entra.people["alice"].enabled = True
    wire.entra.revoke_sign_ins("alice")
    assert case.refused(exchange(wire, token)) == ("invalid_grant", 50173, "bad_token")
    del wire.entra.people["alice"]
    assert case.refused(exchange(wire, token))[1] == 500341


def test_consent_of_the_api_itself_is_needed(wire: Wire) -> None:
    token = receive(wire)["access_token"]
    wire.entra.application.require_consent = True
    expected = ("invalid_grant", 65001, "consent_required")
    assert case.refused(exchange(wire, token)) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (MFA_FOR_GRAPH, ("interaction_required", 50076, "basic_action")),
        (case.DEVICE, ("interaction_required", 53000, "additional_action")),
        (case.TERMS, ("interaction_required", 50158, None)),
        (case.BLOCK, ("invalid_grant", 53003, "message_only")),
        (case.ASSIGNMENT, ("invalid_grant", 50105, None)),
        (case.APP, ("unauthorized_client", 53005, "protection_policy_required")),
        (case.USER_CONSENT, ("invalid_grant", 65001, "consent_required")),
    ],
)
def test_policies_are_enforced(wire: Wire, policy: Policy, expected: tuple[object, ...]) -> None:
    token = receive(wire)["access_token"]
    wire.entra.policies.add(policy)
    assert case.refused(exchange(wire, token, scope="Mail.Read")) == expected


def test_a_sign_in_that_is_too_old(wire: Wire) -> None:
    token = receive(wire)["access_token"]
    wire.entra.policies.add(case.FREQUENCY)
    wire.entra.clock = lambda: time.time() + 61
    assert case.refused(exchange(wire, token))[:2] == ("interaction_required", 70044)


def test_the_claims_of_the_refusal_bring_the_person_through(wire: Wire) -> None:
    token = receive(wire)["access_token"]
    wire.entra.policies.add(MFA_FOR_GRAPH)
    claims = exchange(wire, token).json()["claims"]
    assert json.loads(claims) == {
        "access_token": {"capolids": {"essential": True, "values": [MFA_FOR_GRAPH.policy_id]}}
    }
    # For the API alone nobody is asked for a second factor; for these claims they are.
    assert case.ask(wire, scope=API, client_id=OTHER_CLIENT_ID) == "redirect"
    assert case.ask(wire, scope=API, client_id=OTHER_CLIENT_ID, claims=claims) == "mfa"
    again = receive(wire, claims=claims)["access_token"]
    assert exchange(wire, again).status_code == 200


def test_claims_ask_nobody_whom_the_policy_is_not_about(wire: Wire) -> None:
    policy = Policy(
        name="MFA of Bob", control="mfa", resource=case.GRAPH, people=frozenset({"bob"})
    )
    wire.entra.policies.add(policy)
    claims = json.dumps({"access_token": {"capolids": {"values": [policy.policy_id]}}})
    receive(wire)
    assert case.ask(wire, scope=API, client_id=OTHER_CLIENT_ID, claims=claims) == "redirect"
    wire.entra.policies.add(MFA_FOR_GRAPH)
    wire.entra.ignores_claims = True
    claims = json.dumps({"access_token": {"capolids": {"values": [MFA_FOR_GRAPH.policy_id]}}})
    assert case.ask(wire, scope=API, client_id=OTHER_CLIENT_ID, claims=claims) == "redirect"


def test_a_context_asked_for_in_the_exchange(wire: Wire) -> None:
    wire.entra.policies.add(case.C1_MFA)
    claims = case.claims_for("access_token", "c1")
    answer = exchange(wire, receive(wire)["access_token"], claims=claims)
    assert case.refused(answer)[:2] == ("interaction_required", 50076)
    again = receive(wire, claims=answer.json()["claims"])["access_token"]
    body = exchange(wire, again, claims=claims).json()
    assert claims_of(body["access_token"])["acrs"] == ["c1"]


def test_trouble_scripted_for_one_person(wire: Wire) -> None:
    tokens = [receive(wire, who, prompt="login")["access_token"] for who in ("alice", "erin")]
    wire.entra.faults.add("token", Fault(status=503), grant=GRANT, person="erin", times=2)
    assert [exchange(wire, token).status_code for token in tokens] == [200, 503]
    assert exchange(wire, "garbage").status_code == 400
