"""Access tokens that come back: whether this emulator signed them, and for which API."""

from collections.abc import Collection
from typing import Any

import jwt

from .shapes import find_issuer
from .state import State
from .tokens import issuer_of


class InvalidAccessTokenError(Exception):
    """The token is missing, forged, expired or meant for another API; the text says which."""


def verify_token(
    state: State, token: str, audiences: Collection[str] | None = None
) -> dict[str, Any]:
    """The claims of a token with one of `audiences` (None: any); whether it has expired is left.

    Raises InvalidAccessTokenError.
    """
    try:
        claims = _decode(state, token, audiences)
    except jwt.InvalidAudienceError:
        raise InvalidAccessTokenError("The access token is meant for another API.") from None
    except jwt.PyJWTError:
        raise InvalidAccessTokenError("The access token cannot be verified.") from None
    if claims["iss"] not in _issuers(state, claims):
        raise InvalidAccessTokenError("The access token was issued by somebody else.")
    return claims


def _decode(state: State, token: str, audiences: Collection[str] | None) -> dict[str, Any]:
    kid = jwt.get_unverified_header(token).get("kid")
    key = next((key for key in state.keys.published if key.kid == kid), None)
    if key is None:
        raise InvalidAccessTokenError("The access token is signed with an unknown key.")
    claims: dict[str, Any] = jwt.decode(
        token,
        key.private_key.public_key(),
        algorithms=["RS256"],
        audience=audiences,
        options={
            "require": ["exp", "iat", "aud", "iss", "tid"],
            "verify_aud": audiences is not None,
            # Times are judged by the emulator's own clock, which tests move.
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
        },
    )
    return claims


def _issuers(state: State, claims: dict[str, Any]) -> tuple[str, str]:
    tid, policy = str(claims["tid"]), str(claims.get("tfp", ""))
    # An application's own token names the plain issuer, in directories of customers too.
    return (
        find_issuer(state.origin, state.find_tenant(tid), tid, policy),
        issuer_of(state.origin, tid),
    )
