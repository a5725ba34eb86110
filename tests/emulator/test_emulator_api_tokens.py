"""Access tokens for an application's own API: what it reads there, as of the real ones."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from django_entra_auth.emulator import (
    B2C_DOMAINS,
    B2C_POLICY,
    CLIENT_ID,
    CUSTOMERS_DOMAINS,
    TENANT_ID,
)
from tests.credentials.material import make_pair
from tests.emulator.test_emulator_assertions import TYPE, sign
from tests.emulator.wire import Wire, claims_of

OWN = f"openid api://{CLIENT_ID}/access"


def _claims(wire: Wire, person: str = "alice", **options: Any) -> dict[str, Any]:
    return claims_of(wire.tokens(person, **{"scope": OWN, **options})["access_token"])


def test_the_roles_of_the_person(wire: Wire) -> None:
    assert _claims(wire, "erin")["roles"] == ["Admin"]
    assert "roles" not in _claims(wire, "alice", prompt="login")
    assert "roles" not in _claims(wire, "erin", prompt="login", scope="openid User.Read")
    assert "roles" not in _claims(wire, "erin", scope="openid api://thing/Read")


def test_optional_claims_when_they_are_switched_on(wire: Wire) -> None:
    plain = set(_claims(wire))
    wire.entra.optional_claims |= {"groups", "login_hint", "email"}
    claims = _claims(wire)
    assert set(claims) - plain == {"groups", "login_hint", "email"}
    assert claims["groups"] == wire.entra.people["alice"].groups
    assert set(_claims(wire, scope="openid User.Read")) == plain


def test_too_many_groups_are_only_pointed_at(wire: Wire) -> None:
    wire.entra.optional_claims.add("groups")
    claims = _claims(wire, "frank")
    assert "groups" not in claims
    assert claims["_claim_names"] == {"groups": "src1"}


def test_contexts_that_the_session_has_and_that_are_asked_for(wire: Wire) -> None:
    wire.entra.optional_claims.add("acrs")
    wire.sign_in(claims='{"id_token":{"acrs":{"value":"c1"}}}')
    assert _claims(wire)["acrs"] == ["c1"]
    asked = '{"access_token":{"acrs":{"value":"c2"}}}'
    code = wire.sign_in(scope=OWN)["code"]
    body = wire.token(code=code, claims=asked).json()
    assert claims_of(body["access_token"])["acrs"] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("person", "segment"),
    [
        ("alice", TENANT_ID),
        ("mia", "common"),
        ("olga", CUSTOMERS_DOMAINS[0]),
        ("paul", f"{B2C_DOMAINS[0]}/{B2C_POLICY}"),
    ],
)
def test_an_api_can_verify_them_by_discovery(wire: Wire, person: str, segment: str) -> None:
    url = f"{wire.entra.origin}/{segment}/v2.0/.well-known/openid-configuration"
    known = wire.get(url).json()
    token = wire.tokens(person, segment=segment, scope=OWN)["access_token"]
    keys = {
        key.key_id: key for key in jwt.PyJWKSet(wire.get(known["jwks_uri"]).json()["keys"]).keys
    }
    claims = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]].key,
        algorithms=["RS256"],
        audience=CLIENT_ID,
        issuer=known["issuer"].replace("{tenantid}", claims_of(token)["tid"]),
        options={"verify_nbf": False, "verify_iat": False},
    )
    assert claims["oid"] == wire.entra.people[person].oid


def _for_the_application(wire: Wire, **proof: str | None) -> dict[str, Any]:
    scope = f"api://{CLIENT_ID}/.default"
    answer = wire.token(
        **{"grant_type": "client_credentials", "scope": scope, "redirect_uri": None, **proof}
    )
    assert answer.status_code == 200, answer.text
    return claims_of(answer.json()["access_token"])


def test_a_token_without_a_person_says_so_when_that_is_switched_on(wire: Wire) -> None:
    assert "idtyp" not in _for_the_application(wire)
    wire.entra.optional_claims.add("idtyp")
    assert _for_the_application(wire)["idtyp"] == "app"
    assert "idtyp" not in _claims(wire)


def test_how_the_client_proved_itself(wire: Wire) -> None:
    pair = make_pair()
    wire.entra.application.credentials.certificates.append(pair.certificate)
    signed: dict[str, str | None] = {
        "client_secret": None,
        "client_assertion_type": TYPE,
        "client_assertion": sign(wire.entra, pair),
    }
    assert _for_the_application(wire)["azpacr"] == "1"
    assert _for_the_application(wire, **signed)["azpacr"] == "2"


def test_the_address_of_userinfo_is_one_that_knows_the_token(wire: Wire) -> None:
    url = f"{wire.entra.authority}/v2.0/.well-known/openid-configuration"
    address = wire.get(url).json()["userinfo_endpoint"]
    tokens = wire.tokens()
    answer = wire.get(address, headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.json()["sub"] == claims_of(tokens["id_token"])["sub"]
