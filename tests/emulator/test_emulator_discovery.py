"""Discovery documents, key set, instance discovery, key rotation."""

from __future__ import annotations

import base64

import jwt
import pytest
from cryptography import x509

from django_entra_auth.emulator import FABRIKAM_TENANT_ID, TENANT_ID, Emulator
from tests.emulator.wire import Wire, claims_of

CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
NOT_ADVERTISED = (
    "code_challenge_methods_supported authorization_response_iss_parameter_supported "
    "backchannel_logout_supported backchannel_logout_session_supported "
    "frontchannel_logout_session_supported check_session_iframe introspection_endpoint "
    "revocation_endpoint registration_endpoint acr_values_supported claims_parameter_supported "
    "grant_types_supported pushed_authorization_request_endpoint dpop_signing_alg_values_supported"
)


def _document(wire: Wire, segment: str, query: str = "") -> dict[str, object]:
    url = f"{wire.entra.origin}/{segment}/v2.0/.well-known/openid-configuration{query}"
    answer = wire.get(url)
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.mark.parametrize(
    ("segment", "issuer_tenant"),
    [
        (TENANT_ID, TENANT_ID),
        (TENANT_ID.upper(), TENANT_ID),
        ("contoso.example", TENANT_ID),
        ("contoso.onmicrosoft.com", TENANT_ID),
        ("fabrikam.example", FABRIKAM_TENANT_ID),
        ("organizations", "{tenantid}"),
        ("common", "{tenantid}"),
        ("consumers", CONSUMERS),
    ],
)
def test_the_issuer_has_the_guid_and_the_endpoints_the_segment(
    wire: Wire, segment: str, issuer_tenant: str
) -> None:
    document = _document(wire, segment)
    base = f"{wire.entra.origin}/{segment}"
    assert document["issuer"] == f"{wire.entra.origin}/{issuer_tenant}/v2.0"
    assert document["authorization_endpoint"] == f"{base}/oauth2/v2.0/authorize"
    assert document["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert document["end_session_endpoint"] == f"{base}/oauth2/v2.0/logout"
    assert document["jwks_uri"] == f"{base}/discovery/v2.0/keys"


def test_region_is_null_for_audiences_of_many_tenants(wire: Wire) -> None:
    assert _document(wire, "common")["tenant_region_scope"] is None
    assert _document(wire, "contoso.example")["tenant_region_scope"] == "WW"


def test_what_entra_does_not_advertise_is_absent(wire: Wire) -> None:
    assert not set(NOT_ADVERTISED.split()) & set(_document(wire, TENANT_ID))


def test_an_app_id_in_the_query_comes_back_in_the_key_address(wire: Wire) -> None:
    document = _document(wire, TENANT_ID, "?appid=abc")
    assert str(document["jwks_uri"]).endswith("/discovery/v2.0/keys?appid=abc")


def test_headers_of_public_documents(wire: Wire) -> None:
    url = f"{wire.entra.authority}/v2.0/.well-known/openid-configuration"
    answer = wire.get(url)
    assert answer.headers["Cache-Control"] == "max-age=86400, private"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    # HSTS on localhost would outlive the emulator, for every port.
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("path", ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"])
def test_an_unknown_tenant_is_a_400(wire: Wire, path: str) -> None:
    answer = wire.get(f"{wire.entra.origin}/nobody.example/{path}")
    body = answer.json()
    assert answer.status_code == 400
    assert body["error"] == "invalid_tenant"
    assert body["error_codes"] == [90002]
    assert body["error_uri"].endswith("/error?code=90002")
    assert body["error_description"].startswith("AADSTS90002: ")


def _keys(wire: Wire) -> list[dict[str, object]]:
    return list(wire.get(f"{wire.entra.authority}/discovery/v2.0/keys").json()["keys"])


def test_keys_name_their_issuer_and_carry_a_certificate_but_no_algorithm(wire: Wire) -> None:
    keys = _keys(wire)
    assert len(keys) == 2
    for key in keys:
        assert key["issuer"] == f"{wire.entra.origin}/{{tenantid}}/v2.0"
        assert "alg" not in key
        certificate = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))  # type: ignore[index]
        numbers = jwt.PyJWK(key, algorithm="RS256").key.public_numbers()
        assert certificate.public_key().public_numbers() == numbers  # type: ignore[union-attr]


def test_a_published_key_may_belong_to_another_issuer(wire: Wire) -> None:
    key = wire.entra.publish_key(issuer="https://elsewhere.example/v2.0")
    published = {entry["kid"]: entry["issuer"] for entry in _keys(wire)}
    assert published[key.kid] == "https://elsewhere.example/v2.0"


def test_rotation_signs_with_a_new_key_and_keeps_the_old_published(wire: Wire) -> None:
    before = jwt.get_unverified_header(wire.tokens()["id_token"])["kid"]
    wire.entra.rotate_keys()
    after = jwt.get_unverified_header(wire.tokens()["id_token"])["kid"]
    assert after != before
    assert {before, after} <= {key["kid"] for key in _keys(wire)}


def test_emergency_rotation_withdraws_every_other_key(wire: Wire) -> None:
    before = {key["kid"] for key in _keys(wire)}
    wire.entra.rotate_keys(drop_old=True)
    assert len(_keys(wire)) == 1
    assert not before & {key["kid"] for key in _keys(wire)}


def test_id_tokens_verify_with_the_published_key(wire: Wire) -> None:
    token = wire.tokens()["id_token"]
    header = jwt.get_unverified_header(token)
    assert set(header) == {"alg", "kid", "typ"}
    entry = next(key for key in _keys(wire) if key["kid"] == header["kid"])
    key = jwt.PyJWK(entry, algorithm="RS256")
    checked = jwt.decode(token, key, algorithms=["RS256"], audience=wire.entra.client_id)
    assert checked == claims_of(token)


def test_instance_discovery_knows_its_own_host_only(entra: Emulator, wire: Wire) -> None:
    base = f"{entra.origin}/common/discovery/instance?api-version=1.1&authorization_endpoint="
    own = wire.get(f"{base}{entra.authority}/oauth2/v2.0/authorize").json()
    expected = f"{entra.authority}/v2.0/.well-known/openid-configuration"
    assert own["tenant_discovery_endpoint"] == expected
    other = wire.get(f"{base}https://login.example/common/oauth2/v2.0/authorize")
    assert (other.status_code, other.json()["error"]) == (400, "invalid_instance")
