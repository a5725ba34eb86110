"""Forged and unfit ID tokens: refused, nothing stored, nobody created."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import cache

from django_entra_auth.emulator import CLIENT_SECRET, FABRIKAM_TENANT_ID, OTHER_CLIENT_ID
from django_entra_auth.models import EntraIdentity, EntraSignIn
from tests.visitor import Visitor, text_of

pytestmark = pytest.mark.django_db

Claims = dict[str, Any]
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _sign(header: dict[str, Any], claims: Claims, key: Any) -> str:
    return jwt.encode(claims, key, algorithm="RS256", headers=header)


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _hs256(header: dict[str, Any], claims: Claims, secret: bytes) -> str:
    """By hand, since PyJWT declines to use a public key as an HMAC secret."""
    message = f"{_part({**header, 'alg': 'HS256'})}.{_part(claims)}"
    tag = hmac.digest(secret, message.encode(), hashlib.sha256)
    return f"{message}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


def _with(**changes: Any) -> Callable[..., str]:
    """A properly signed token with claims replaced; None removes one."""

    def mutate(header: dict[str, Any], claims: Claims, key: Any) -> str:
        changed = {**claims, **{k: v(claims) if callable(v) else v for k, v in changes.items()}}
        return _sign(header, {k: v for k, v in changed.items() if v is not None}, key)

    return mutate


def _pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _cut(part: int) -> Callable[..., str]:
    def mutate(header: dict[str, Any], claims: Claims, key: Any) -> str:
        parts = _sign(header, claims, key).split(".")
        parts[part] = parts[part][: len(parts[part]) // 2]
        return ".".join(parts)

    return mutate


def _swapped_payload(header: dict[str, Any], claims: Claims, key: Any) -> str:
    head, _, signature = _sign(header, claims, key).split(".")
    return f"{head}.{_part({**claims, 'oid': claims['tid']})}.{signature}"


FORGERIES: dict[str, Callable[..., Any]] = {
    "signature of another key": lambda h, c, k: _sign(h, c, FOREIGN_KEY),
    "payload swapped under the signature": _swapped_payload,
    "alg none": lambda h, c, k: f"{_part({**h, 'alg': 'none'})}.{_part(c)}.",
    "alg none with a signature": lambda h, c, k: (
        f"{_part({**h, 'alg': 'none'})}.{_part(c)}.{_sign(h, c, k).split('.')[2]}"
    ),
    "HS256 with the client secret": lambda h, c, k: _hs256(h, c, CLIENT_SECRET.encode()),
    "HS256 with the public key": lambda h, c, k: _hs256(h, c, _pem(k)),
    "PS256": lambda h, c, k: jwt.encode(c, k, algorithm="PS256", headers={"kid": h["kid"]}),
    "unknown kid": lambda h, c, k: _sign({**h, "kid": "nobody"}, c, k),
    "no kid": lambda h, c, k: jwt.encode(c, k, algorithm="RS256"),
    "key in the header": lambda h, c, k: _sign(
        {"kid": "mine", "jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN_KEY))},
        c,
        FOREIGN_KEY,
    ),
    "iss of another tenant": _with(iss=lambda c: c["iss"].replace(c["tid"], FABRIKAM_TENANT_ID)),
    "iss of another host": _with(iss=lambda c: f"https://evil.example/{c['tid']}/v2.0"),
    "iss with a trailing slash": _with(iss=lambda c: c["iss"] + "/"),
    "iss missing": _with(iss=None),
    "aud of another client": _with(aud=OTHER_CLIENT_ID),
    "aud a list without us": _with(aud=[OTHER_CLIENT_ID]),
    "aud a list with others beside us": _with(aud=lambda c: [c["aud"], OTHER_CLIENT_ID]),
    "aud missing": _with(aud=None),
    "azp of another client": _with(azp=OTHER_CLIENT_ID),
    "aud a list and azp foreign": _with(aud=lambda c: [c["aud"]], azp=OTHER_CLIENT_ID),
    "expired": _with(exp=lambda c: int(time.time()) - 600),
    "exp missing": _with(exp=None),
    "exp not a number": _with(exp="9999999999"),
    "exp infinite": _with(exp=float("inf")),
    "not valid yet": _with(nbf=lambda c: int(time.time()) + 600),
    "issued in the future": _with(iat=lambda c: int(time.time()) + 600),
    "iat missing": _with(iat=None),
    "nonce wrong": _with(nonce="0" * 43),
    "nonce missing": _with(nonce=None),
    "nonce a number": _with(nonce=1),
    "tid missing": _with(tid=None),
    "tid of another tenant": _with(tid=FABRIKAM_TENANT_ID),
    "tid and iss of another tenant": _with(
        tid=FABRIKAM_TENANT_ID, iss=lambda c: c["iss"].replace(c["tid"], FABRIKAM_TENANT_ID)
    ),
    "tid not a GUID": _with(tid="contoso"),
    "oid missing": _with(oid=None),
    "oid empty": _with(oid=""),
    "oid not a GUID": _with(oid="admin"),
    "oid a list": _with(oid=["a"]),
    "sub missing": _with(sub=None),
    "oversized": _with(padding="x" * 70_000),
    "truncated payload": _cut(1),
    "truncated signature": _cut(2),
    "truncated header": _cut(0),
    "two parts": lambda h, c, k: ".".join(_sign(h, c, k).split(".")[:2]),
    "empty": lambda h, c, k: "",
    "not a token": lambda h, c, k: "eyJ",
    "claims not an object": lambda h, c, k: jwt.api_jws.encode(b"[1]", k, "RS256", headers=h),
    "encrypted": lambda h, c, k: ".".join([*_sign(h, c, k).split("."), "a", "b"]),
}


@pytest.fixture
def visitor(entra, entra_settings):
    return Visitor(entra)


def _assert_refused(visitor: Visitor, response: Any) -> None:
    assert 400 <= response.status_code < 600
    assert "You are not signed in" in text_of(response) or "verified" in text_of(response)
    assert get_user_model().objects.count() == 0
    assert EntraIdentity.objects.count() == EntraSignIn.objects.count() == 0
    assert Session.objects.count() == 0
    assert not visitor.is_signed_in()


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_refused(visitor, forge):
    visitor.entra.mutate_id_token = forge
    response = visitor.sign_in()
    _assert_refused(visitor, response)
    assert response.status_code == 403
    # The person can still get where they were going.
    visitor.entra.mutate_id_token = None
    assert visitor.sign_in()["Location"] == "/private/"


def test_untouched_token_is_accepted_through_the_same_hook(visitor):
    """The forgeries above fail for what they change, not for passing through the hook."""
    visitor.entra.mutate_id_token = _sign
    assert visitor.sign_in()["Location"] == "/private/"


def test_key_of_another_issuer(visitor):
    key = visitor.entra.publish_key(issuer=f"{visitor.entra.origin}/{FABRIKAM_TENANT_ID}/v2.0")
    visitor.entra.mutate_id_token = lambda h, c, k: _sign({**h, "kid": key.kid}, c, key.private_key)
    _assert_refused(visitor, visitor.sign_in())


def test_token_of_an_earlier_sign_in_is_refused_as_replay(visitor):
    kept: list[str] = []

    def keep(header: dict[str, Any], claims: Claims, key: Any) -> str:
        kept.append(_sign(header, claims, key))
        return kept[0]

    visitor.entra.mutate_id_token = keep
    assert visitor.sign_in()["Location"] == "/private/"
    thief = Visitor(visitor.entra)
    assert thief.sign_in().status_code == 403
    assert not thief.is_signed_in()
    assert EntraSignIn.objects.count() == 1


def test_no_id_token_at_all(visitor):
    visitor.entra.mutate_token_response = lambda answer: {
        name: value for name, value in answer.items() if name != "id_token"
    }
    _assert_refused(visitor, visitor.sign_in())


def test_tenant_not_in_the_allow_list(visitor, settings):
    settings.ENTRA_AUTH = {
        **settings.ENTRA_AUTH,
        "AUTHORITY": f"{visitor.entra.origin}/organizations",
        "ALLOWED_TENANTS": [visitor.entra.tenant_id],
    }
    visitor.entra.application.multi_tenant = True
    response = visitor.sign_in("grace")
    assert response.status_code == 403
    assert get_user_model().objects.count() == 0
    assert not visitor.is_signed_in()
    assert visitor.sign_in("alice")["Location"] == "/private/"


def test_guests_can_be_kept_out(visitor, settings):
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "BLOCK_GUESTS": True}
    assert visitor.sign_in("carol").status_code == 403
    assert get_user_model().objects.count() == 0
    assert visitor.sign_in("alice")["Location"] == "/private/"


def test_refused_sign_in_leaves_nothing_but_counters_and_claims_in_the_cache(visitor):
    visitor.entra.mutate_id_token = FORGERIES["nonce wrong"]
    visitor.sign_in()
    kinds = {key.split(":")[4] for key in cache._cache}
    assert kinds <= {"flow", "handle", "failures", "http"}, kinds
