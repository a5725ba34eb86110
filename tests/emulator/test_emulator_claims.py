"""What ID tokens say: lean by default, more only when it is switched on."""

from __future__ import annotations

import base64
import json
import time
import uuid

import pytest

from django_entra_auth.emulator import FABRIKAM_TENANT_ID, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET
from django_entra_auth.emulator.tokens import OPTIONAL_CLAIMS
from tests.emulator.wire import ALL_SCOPES, Wire, claims_of

PLAIN = {"aud", "exp", "iat", "iss", "nbf", "nonce", "rh", "sub", "tid", "uti", "ver"}
PROFILE = {"name", "oid", "preferred_username"}


def _claims(wire: Wire, person: str = "alice", **options: str) -> dict[str, object]:
    return claims_of(wire.tokens(person, **options)["id_token"])


def test_a_token_is_lean(wire: Wire) -> None:
    assert set(_claims(wire, scope="openid")) == PLAIN
    assert set(_claims(wire, scope="openid profile")) == PLAIN | PROFILE
    assert set(_claims(wire, scope="openid email")) == PLAIN | {"email"}


def test_the_plain_claims(wire: Wire) -> None:
    claims = _claims(wire)
    alice = wire.entra.people["alice"]
    assert claims["aud"] == wire.entra.client_id
    assert claims["iss"] == f"{wire.entra.authority}/v2.0"
    assert (claims["tid"], claims["oid"]) == (wire.entra.tenant_id, alice.oid)
    assert claims["ver"] == "2.0"
    assert claims["preferred_username"] == "alice@contoso.example"


def test_the_times(wire: Wire) -> None:
    now = time.time()
    wire.entra.clock = lambda: now
    claims = _claims(wire)
    assert claims["iat"] == claims["nbf"] == int(now) - 300
    assert claims["exp"] == int(now) + 3600


def test_people_without_mail_have_no_email_claim(wire: Wire) -> None:
    wire.entra.people["alice"].mail = None
    wire.entra.optional_claims.add("email")
    assert "email" not in _claims(wire)


@pytest.mark.parametrize("name", sorted(OPTIONAL_CLAIMS))
def test_optional_claims_come_when_switched_on(wire: Wire, name: str) -> None:
    asked = '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}' if name == "acrs" else ""
    before = _claims(wire, scope="openid")
    assert name not in before
    wire.sign_in(claims=asked)
    wire.entra.optional_claims.add(name)
    assert set(_claims(wire, scope="openid")) == set(before) | {name}


def test_values_of_optional_claims(wire: Wire) -> None:
    wire.entra.optional_claims |= {"given_name", "family_name", "acct", "sid", "auth_time"}
    now = int(time.time())
    claims = _claims(wire)
    assert (claims["given_name"], claims["family_name"]) == ("Alice", "Adams")
    assert claims["acct"] == 0
    assert str(uuid.UUID(str(claims["sid"]))) == claims["sid"]
    assert now - 5 <= int(str(claims["auth_time"])) <= now + 5


def test_unknown_optional_claims_do_nothing(wire: Wire) -> None:
    wire.entra.optional_claims.add("amr")
    assert "amr" not in _claims(wire)


def test_one_sid_per_session_and_a_session_state_that_differs(wire: Wire) -> None:
    wire.entra.optional_claims.add("sid")
    sids = {str(_claims(wire)["sid"]) for _ in range(2)}
    assert len(sids) == 1
    assert wire.sign_in()["session_state"] not in sids


def test_the_subject_differs_per_client_and_the_object_id_does_not(wire: Wire) -> None:
    ours = _claims(wire)
    code = wire.sign_in(client_id=OTHER_CLIENT_ID)["code"]
    other = {"client_id": OTHER_CLIENT_ID, "client_secret": OTHER_CLIENT_SECRET}
    theirs = claims_of(wire.token(code=code, **other).json()["id_token"])
    assert theirs["oid"] == ours["oid"]
    assert theirs["sub"] != ours["sub"]
    assert theirs["aud"] == OTHER_CLIENT_ID


def test_a_guest(wire: Wire) -> None:
    wire.entra.optional_claims.add("acct")
    fields = wire.sign_in("carol", client_info="1")
    claims = claims_of(wire.token(code=fields["code"]).json()["id_token"])
    client_info = fields["client_info"] + "=" * (-len(fields["client_info"]) % 4)
    home = json.loads(base64.urlsafe_b64decode(client_info))
    assert claims["tid"] == wire.entra.tenant_id
    assert claims["idp"] == f"https://sts.windows.net/{FABRIKAM_TENANT_ID}/"
    assert claims["acct"] == 1
    assert home["utid"] == FABRIKAM_TENANT_ID
    assert home["uid"] != claims["oid"]


def test_roles(wire: Wire) -> None:
    assert _claims(wire, "erin")["roles"] == ["Admin"]


def test_a_few_groups_are_listed(wire: Wire) -> None:
    wire.entra.optional_claims.add("groups")
    assert _claims(wire)["groups"] == wire.entra.people["alice"].groups


def test_many_groups_are_only_pointed_at(wire: Wire) -> None:
    wire.entra.optional_claims.add("groups")
    frank = wire.entra.people["frank"]
    claims = _claims(wire, "frank")
    endpoint = (
        f"https://graph.windows.net/{wire.entra.tenant_id}/users/{frank.oid}/getMemberObjects"
    )
    assert "groups" not in claims
    assert claims["_claim_names"] == {"groups": "src1"}
    assert claims["_claim_sources"] == {"src1": {"endpoint": endpoint}}
    frank.groups = frank.groups[:200]
    assert len(list(_claims(wire, "frank")["groups"])) == 200  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "asked",
    [
        {"id_token": {"acrs": {"essential": True, "value": "c1"}}},
        {"id_token": {"acrs": {"values": ["c1"]}}, "access_token": {"xms_cc": {"values": ["cp1"]}}},
    ],
)
def test_an_asked_context_is_in_the_id_token(wire: Wire, asked: dict[str, object]) -> None:
    assert _claims(wire, claims=json.dumps(asked))["acrs"] == ["c1"]


@pytest.mark.parametrize(
    "asked",
    [
        {"access_token": {"acrs": {"value": "c1"}}},
        {"id_token": {"acrs": "c1"}},
        {"id_token": {"acrs": {"value": 1}}},
        {"id_token": []},
    ],
)
def test_odd_claims_requests_give_no_context(wire: Wire, asked: dict[str, object]) -> None:
    assert "acrs" not in _claims(wire, claims=json.dumps(asked))


def test_contexts_of_an_access_token_are_asked_for_at_the_token_endpoint(wire: Wire) -> None:
    asked = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c2"}}})
    code = wire.sign_in(scope=ALL_SCOPES)["code"]
    body = wire.token(code=code, claims=asked).json()
    assert claims_of(body["access_token"])["acrs"] == ["c2"]
    assert "acrs" not in claims_of(body["id_token"])


def test_contexts_do_not_stay_with_the_refresh_token(wire: Wire) -> None:
    asked = json.dumps({"id_token": {"acrs": {"essential": True, "value": "c1"}}})
    refresh_token = wire.tokens(claims=asked)["refresh_token"]
    assert "acrs" not in claims_of(wire.refresh(refresh_token).json()["id_token"])


def test_extra_claims_of_a_person(wire: Wire) -> None:
    wire.entra.people["alice"].extra_claims["email"] = "bob@contoso.example"
    assert _claims(wire)["email"] == "bob@contoso.example"
