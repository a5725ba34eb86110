"""Client assertions at the local Entra: accepted only when they prove what they have to."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from jwt.utils import base64url_encode

from django_entra_auth.emulator.registered_credentials import FederatedCredential
from tests.credentials.material import ISSUER, SUBJECT, Pair, make_cluster_token, make_pair

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def pair() -> Pair:
    return make_pair()


@pytest.fixture(scope="module")
def other() -> Pair:
    return make_pair()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """The one a platform signs its tokens with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def registered(entra: Any, pair: Pair) -> Any:
    entra.application.credentials.certificates.append(pair.certificate)
    return entra


def endpoint(entra: Any) -> str:
    return f"{entra.authority}/oauth2/v2.0/token"


def thumbprint(pair: Pair, digest: Any = None) -> str:
    return base64url_encode(pair.certificate.fingerprint(digest or SHA256())).decode()


def sign(entra: Any, pair: Pair, algorithm: str = "PS256", **changes: Any) -> str:
    headers = changes.pop("headers", {"x5t#S256": thumbprint(pair)})
    now = int(time.time())
    claims = {
        "aud": endpoint(entra),
        "iss": entra.client_id,
        "sub": entra.client_id,
        "jti": str(uuid.uuid4()),
        "nbf": now,
        "exp": now + 600,
    }
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(claims, pair.key, algorithm, headers=headers)


def send(entra: Any, assertion: str, **changes: str) -> Any:
    form = {
        "grant_type": "client_credentials",
        "client_id": entra.client_id,
        "scope": "https://graph.microsoft.com/.default",
        "client_assertion_type": TYPE,
        "client_assertion": assertion,
    }
    return requests.post(endpoint(entra), data={**form, **changes}, timeout=10)


def number(answer: Any) -> int:
    assert answer.json()["error"] == "invalid_client"
    assert answer.status_code == 401
    return int(answer.json()["error_codes"][0])


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_a_registered_certificate_proves_the_client(
    registered: Any, pair: Pair, algorithm: str
) -> None:
    assert "access_token" in send(registered, sign(registered, pair, algorithm)).json()


def test_the_old_thumbprint_and_the_issuer_as_audience_count_as_well(
    registered: Any, pair: Pair
) -> None:
    audience = f"{registered.authority}/v2.0"
    assertion = sign(registered, pair, aud=audience, headers={"x5t": thumbprint(pair, SHA1())})
    assert "access_token" in send(registered, assertion).json()


def test_of_several_certificates_the_named_one_counts(
    registered: Any, pair: Pair, other: Pair
) -> None:
    registered.application.credentials.certificates.append(other.certificate)
    for one in (pair, other):
        assert "access_token" in send(registered, sign(registered, one)).json()


def test_it_counts_once(registered: Any, pair: Pair) -> None:
    assertion = sign(registered, pair)
    assert send(registered, assertion).ok
    assert number(send(registered, assertion)) == 50027


NOW = time.time()


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        (700023, {"aud": "https://elsewhere.example/token"}),
        (700024, {"nbf": int(NOW - 9000), "exp": int(NOW - 600)}),
        (700024, {"nbf": int(NOW + 9000), "exp": int(NOW + 9600)}),
        (50048, {"sub": "somebody-else"}),
        (50027, {"exp": None}),
        (50027, {"jti": None}),
        (700027, {"iss": "somebody-else"}),
        (700027, {"headers": {}}),
        (700027, {"headers": {"x5t#S256": "unknown"}}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_what_is_wrong_is_refused(
    registered: Any, pair: Pair, expected: int, changes: dict[str, Any]
) -> None:
    assert number(send(registered, sign(registered, pair, **changes))) == expected


def test_another_key_cannot_sign_for_the_certificate(
    registered: Any, pair: Pair, other: Pair
) -> None:
    forged = sign(registered, other, headers={"x5t#S256": thumbprint(pair)})
    assert number(send(registered, forged)) == 700027


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_other_algorithms_are_no_signature(registered: Any, pair: Pair, algorithm: str) -> None:
    key = None if algorithm == "none" else "x" * 32
    claims = jwt.decode(sign(registered, pair), options={"verify_signature": False})
    forged = jwt.encode(claims, key, algorithm, headers={"x5t#S256": thumbprint(pair)})
    assert number(send(registered, forged)) == 700027


def test_rubbish_is_refused(registered: Any, pair: Pair) -> None:
    assert number(send(registered, "no.jwt.atall")) == 50027
    answer = send(registered, sign(registered, pair), client_assertion_type="password")
    assert answer.json()["error_codes"] == [90023]


def test_without_a_registered_key_none_is_accepted(entra: Any, pair: Pair) -> None:
    assert number(send(entra, sign(entra, pair))) == 700027


class TestFederation:
    @pytest.fixture
    def federated(self, entra: Any, key: rsa.RSAPrivateKey) -> Any:
        known = FederatedCredential(ISSUER, SUBJECT, key.public_key())
        entra.application.credentials.federated.append(known)
        return entra

    def test_a_token_of_the_platform_counts_until_it_ends(self, federated: Any, key: Any) -> None:
        token = make_cluster_token(key)
        for _ in range(2):
            assert send(federated, token).ok
        assert number(send(federated, make_cluster_token(key, exp=1))) == 700024

    @pytest.mark.parametrize(
        ("expected", "changes"),
        [
            (700213, {"sub": "system:serviceaccount:shop:other"}),
            (700213, {"iss": "https://other.example/"}),
            (700023, {"aud": "api://something-else"}),
        ],
    )
    def test_another_one_does_not(
        self, federated: Any, key: Any, expected: int, changes: dict[str, Any]
    ) -> None:
        assert number(send(federated, make_cluster_token(key, **changes))) == expected

    def test_nor_one_that_somebody_else_signed(self, federated: Any, other: Pair) -> None:
        assert number(send(federated, make_cluster_token(other.key))) == 700027


def test_an_expired_secret_has_a_number_of_its_own(entra: Any) -> None:
    entra.application.credentials.expired_secrets.add("old")
    answer = send(entra, "", client_secret="old")
    assert number(answer) == 7000222
