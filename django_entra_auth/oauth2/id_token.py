"""Validates ID tokens: signature, issuer, audience, times, nonce and identity."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from jwt import PyJWS
from jwt.exceptions import InvalidSignatureError, PyJWTError
from jwt.utils import base64url_decode

from .authority import CONSUMER_TENANT, TENANT_TEMPLATE, is_guid

LEEWAY: Final = 120
"""Seconds that the provider's clock and ours may differ."""
MAX_TOKEN: Final = 65_536
"""Characters; people in many groups have large tokens, but nobody has one like this."""

Check = Literal[
    "size",
    "malformed",
    "alg",
    "kid",
    "signature",
    "tid",
    "iss",
    "key_issuer",
    "aud",
    "azp",
    "exp",
    "nbf",
    "iat",
    "nonce",
    "oid",
    "sub",
    "auth_time",
]

SENTENCES: Final[Mapping[Check, str]] = {
    "size": "The ID token is too large.",
    "malformed": "The ID token cannot be read.",
    "alg": "The ID token is not signed with RS256.",
    "kid": "The ID token names a signing key that the provider does not publish.",
    "signature": "The signature of the ID token is wrong.",
    "tid": "The ID token names no tenant, or one that may not sign in here.",
    "iss": "The ID token comes from another issuer.",
    "key_issuer": "The key that signed the ID token belongs to another issuer.",
    "aud": "The ID token is meant for another application.",
    "azp": "The ID token was issued to another application.",
    "exp": "The ID token has expired; compare the clocks if this happens often.",
    "nbf": "The ID token is not valid yet; compare the clocks if this happens often.",
    "iat": "The ID token was issued in the future; compare the clocks.",
    "nonce": "The ID token does not belong to this sign-in.",
    "oid": "The ID token does not say who signed in (oid).",
    "sub": "The ID token does not say who signed in (sub).",
    "auth_time": "The sign-in is older than asked for, or the provider does not say how old it is.",
}

_jws = PyJWS(algorithms=["RS256"])


class InvalidIdToken(Exception):
    """The token was refused; ``check`` names the first check it failed, the text says it."""

    def __init__(self, check: Check) -> None:
        super().__init__(SENTENCES[check])
        self.check = check


class VerifyingKey(Protocol):
    """A published key; ``issuer`` may contain ``{tenantid}``."""

    @property
    def issuer(self) -> str | None:
        """Microsoft's member that says for which issuer the key may sign."""

    @property
    def public_key(self) -> Any:
        """The RSA public key."""


@dataclass(frozen=True)
class Expectation:
    """What a token must say.

    ``issuer`` is the metadata's (a template for shared authorities, then ``tenant_id`` is
    ``None``). ``nonce`` ``None`` means that none is expected, as with refreshed tokens.
    ``max_age`` is in seconds. ``tenant_from_issuer`` is for B2C, whose tokens have no ``tid``.
    """

    client_id: str
    issuer: str
    tenant_id: str | None
    nonce: str | None = None
    max_age: int | None = None
    accepts_consumers: bool = True
    requires_key_issuer: bool = False
    tenant_from_issuer: bool = False


def validate_id_token(
    token: str,
    expected: Expectation,
    *,
    find_key: Callable[[str], VerifyingKey | None],
    now: float,
) -> dict[str, Any]:
    """Return the claims of ``token`` when every check passes, else raise ``InvalidIdToken``.

    ``now`` is Unix time. ``find_key`` gets the ``kid`` of the token's header. OpenID Connect
    Core 1.0 section 3.1.3.7, with Microsoft's rules on ``tid`` and on each key's issuer.
    """
    key = _choose_key(token, find_key)
    claims = _verify_signature(token, key)
    issuer = _check_issuer(claims, expected)
    _check_key_issuer(key, issuer, claims["tid"], expected)
    _check_audience(claims, expected.client_id)
    _check_times(claims, now)
    _check_nonce(claims, expected.nonce)
    _require(_is_text(claims.get("oid")), "oid")
    _require(_is_text(claims.get("sub")), "sub")
    _check_auth_time(claims, expected.max_age, now)
    return claims


def _require(holds: bool, check: Check) -> None:
    if not holds:
        raise InvalidIdToken(check)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _choose_key(token: str, find_key: Callable[[str], VerifyingKey | None]) -> VerifyingKey:
    _require(isinstance(token, str) and token.isascii(), "malformed")
    _require(len(token) <= MAX_TOKEN, "size")
    header = _read_header(token)
    # The allow list comes first, so that no other algorithm ever meets a key.
    _require(header.get("alg") == "RS256", "alg")
    _require("crit" not in header and "b64" not in header, "malformed")
    kid = header.get("kid")
    key = find_key(kid) if isinstance(kid, str) and kid else None
    if key is None:
        raise InvalidIdToken("kid")
    return key


def _read_header(token: str) -> dict[str, Any]:
    _require(token.count(".") == 2, "malformed")
    try:
        header = json.loads(base64url_decode(token.split(".", 1)[0]))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise InvalidIdToken("malformed")
    return header


def _verify_signature(token: str, key: VerifyingKey) -> dict[str, Any]:
    try:
        payload = _jws.decode(token, key.public_key, algorithms=["RS256"])
        claims = json.loads(payload)
    except InvalidSignatureError:
        raise InvalidIdToken("signature") from None
    except (PyJWTError, ValueError, RecursionError):
        raise InvalidIdToken("malformed") from None
    if not isinstance(claims, dict):
        raise InvalidIdToken("malformed")
    return claims


def _check_issuer(claims: dict[str, Any], expected: Expectation) -> str:
    """Return the validated issuer; afterwards ``claims["tid"]`` is a GUID that belongs to it."""
    if expected.tenant_from_issuer and "tid" not in claims and claims.get("iss") == expected.issuer:
        claims["tid"] = expected.tenant_id
    tid = claims.get("tid")
    if not is_guid(tid):
        raise InvalidIdToken("tid")
    issuer = expected.issuer.replace(TENANT_TEMPLATE, str(tid))
    _require(claims.get("iss") == issuer, "iss")
    _require(expected.tenant_id in (None, str(tid).lower()), "tid")
    _require(expected.accepts_consumers or str(tid).lower() != CONSUMER_TENANT, "tid")
    return issuer


def _check_key_issuer(key: VerifyingKey, issuer: str, tid: str, expected: Expectation) -> None:
    """A key for personal accounts must not vouch for an organization, nor the reverse."""
    if key.issuer is None:
        _require(not expected.requires_key_issuer, "key_issuer")
    else:
        _require(key.issuer.replace(TENANT_TEMPLATE, tid) == issuer, "key_issuer")


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    _require(claims.get("aud") in (client_id, [client_id]), "aud")
    _require(claims.get("azp", client_id) == client_id, "azp")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    exp, nbf, iat = claims.get("exp"), claims.get("nbf"), claims.get("iat")
    _require(_is_time(exp) and now < exp + LEEWAY, "exp")  # type: ignore[operator]
    _require(nbf is None or (_is_time(nbf) and nbf - LEEWAY <= now), "nbf")
    _require(_is_time(iat) and iat - LEEWAY <= now, "iat")  # type: ignore[operator]


def _check_nonce(claims: Mapping[str, Any], nonce: str | None) -> None:
    if nonce is None:
        return
    received = claims.get("nonce")
    _require(isinstance(received, str), "nonce")
    _require(hmac.compare_digest(str(received).encode(errors="replace"), nonce.encode()), "nonce")


def _check_auth_time(claims: Mapping[str, Any], max_age: int | None, now: float) -> None:
    if max_age is None:
        return
    auth_time = claims.get("auth_time")
    if not isinstance(auth_time, int) or isinstance(auth_time, bool):
        raise InvalidIdToken("auth_time")
    _require(auth_time - LEEWAY <= now <= auth_time + max_age + LEEWAY, "auth_time")
