"""Tokens of one request for the `auth=` of its calls to APIs, and what stands in their way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from django_entra_auth.exceptions import InteractionRequired, build_token_error

Result = dict[str, Any]


class Silent(Protocol):
    """What gets tokens without asking anybody: `request.entra`."""

    def acquire_token_silent(
        self, scopes: Sequence[str], *, claims_challenge: str | None = None
    ) -> Result | None:
        """Return a dict as MSAL does, None when there is nothing to work with."""


class RequestTokens:
    """Tokens of a request for `downstream.TokenAuth`.

    `forget` makes the next token come from the shared cache, or from Entra.
    """

    def __init__(self, silent: Silent, forget: Callable[[], None]) -> None:
        """Take tokens from `silent`."""
        self._silent = silent
        self._forget = forget

    def token(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        refused_token: str | None = None,
    ) -> str:
        """A token; after a challenge first one that somebody else has got since."""
        if claims_challenge is None:
            return read_token(self._silent.acquire_token_silent(scopes), scopes)
        self._forget()
        newer = self._silent.acquire_token_silent(scopes) or {}
        # One that Entra has issued just now, without the claims, would only be challenged again.
        if newer.get("token_source") == "cache" and newer["access_token"] != refused_token:
            return str(newer["access_token"])
        result = self._silent.acquire_token_silent(scopes, claims_challenge=claims_challenge)
        try:
            return read_token(result, scopes, claims_challenge)
        except InteractionRequired as needed:
            needed.source = "api"
            raise

    def challenge(self, scopes: Sequence[str], claims: str) -> InteractionRequired:
        """For a challenge that a new token did not settle."""
        return need_person(scopes, claims)


def read_token(
    result: Result | None, scopes: Sequence[str], claims_challenge: str | None = None
) -> str:
    """The access token of a result, or the exception for what is in the way.

    `claims_challenge` (JSON text) is what was asked with.
    """
    if result is None or "access_token" not in result:
        raise build_token_error(result, scopes=scopes, claims_challenge=claims_challenge)
    return str(result["access_token"])


def need_person(scopes: Sequence[str], claims: str) -> InteractionRequired:
    """The exception for an API's claims challenge (JSON text)."""
    result = {"error": "insufficient_claims", "category": "interaction"}
    needed = InteractionRequired(result, scopes=scopes, claims=claims)
    needed.source = "api"
    return needed
