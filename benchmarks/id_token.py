"""Times the validation of an ID token against PyJWT, which checks less, with a parsed key."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.measure import Timing, time_in_turns
from benchmarks.seed import TENANT_ID, make_id_token_claims
from django_entra_auth.oauth2.id_token import Expectation, validate_id_token
from django_entra_auth.oauth2.keys import SigningKey

PYJWT: Final = "PyJWT"
OURS: Final = "this project"
_LEEWAY: Final = 120


def measure_id_token(*, rounds: int) -> dict[str, Timing]:
    """Race both on the same token."""
    calls = build_calls()
    if calls[OURS]() != calls[PYJWT]():
        raise RuntimeError("the two do not read the same claims")
    return time_in_turns(calls, rounds=rounds)


def build_calls() -> dict[str, Callable[[], dict[str, Any]]]:
    """Return both, to be called with a token of their own."""
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public_key = private_key.public_key()
    claims = make_id_token_claims()
    token = jwt.encode(claims, private_key, "RS256", headers={"kid": "key-1"})
    keys = {"key-1": SigningKey("key-1", claims["iss"], public_key, "")}
    expected = Expectation(
        client_id=claims["aud"], issuer=claims["iss"], tenant_id=TENANT_ID, nonce=claims["nonce"]
    )

    def ours() -> dict[str, Any]:
        return validate_id_token(token, expected, find_key=keys.get, now=time.time())

    def pyjwt() -> dict[str, Any]:
        found: dict[str, Any] = jwt.decode(
            token,
            public_key,
            algorithms=["RS256"],
            audience=claims["aud"],
            issuer=claims["iss"],
            leeway=_LEEWAY,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
        return found

    return {PYJWT: pyjwt, OURS: ours}
