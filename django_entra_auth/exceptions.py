"""What can go wrong, as exceptions.

::

    EntraAuthError
    ├── SignInFailed            a sign-in was refused; `reason` is one word of a closed list
    ├── TokenError              a token could not be had; `result` is the error dict
    │   ├── InteractionRequired     a person has to be prompted
    │   ├── TokenThrottled          Entra asked to wait `retry_after` seconds
    │   └── TemporarilyUnavailable  the cache or Entra is down and no valid token is at hand
    └── ConfigurationRejected   an operator has to act

Below this line, in `oauth2`, what Entra or the network did is a dict; `ValueError` is misuse.
No exception carries a token, a code, a secret or a cookie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django_entra_auth.oauth2 import classify

__all__ = [
    "ConfigurationRejected",
    "EntraAuthError",
    "InteractionRequired",
    "SignInFailed",
    "TemporarilyUnavailable",
    "TokenError",
    "TokenThrottled",
    "build_token_error",
]

LOOP_DETECTED = 50196  # Entra's own loop detection: asking again at once makes it worse


class EntraAuthError(Exception):
    """Anything this app raises on purpose."""


class SignInFailed(EntraAuthError):
    """A sign-in was refused.

    `result` is the error dict of the provider, where there is one; `next_url` the checked
    local path the person was on the way to; `retry_after` the seconds to wait, if any.
    """

    def __init__(
        self,
        reason: str,
        *,
        result: Mapping[str, Any] | None = None,
        next_url: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.result: dict[str, Any] = dict(result or {})
        self.next_url = next_url
        self.retry_after: int | None = retry_after or self.result.get("retry_after")
        self.flow: Any = None  # what the person was doing, when it was more than signing in


class TokenError(EntraAuthError):
    """A token could not be had; `result` is the error dict as MSAL documents it."""

    def __init__(self, result: Mapping[str, Any] | None = None) -> None:
        self.result: dict[str, Any] = dict(result or {})
        super().__init__(str(self.result.get("error", type(self).__name__)))


class InteractionRequired(TokenError):
    """A person has to be prompted; raise it anywhere below a view.

    `claims` is the claims challenge as JSON text, `max_age` is in seconds. `source` says where
    the need was found: "site" (a rule of this site), "token" (the token endpoint), "api".
    """

    source: str = "site"

    def __init__(
        self,
        result: Mapping[str, Any] | None = None,
        *,
        scopes: Sequence[str] = (),
        claims: str | None = None,
        auth_context: str | None = None,
        max_age: int | None = None,
    ) -> None:
        super().__init__(result or {"error": "interaction_required"})
        self.scopes: tuple[str, ...] = tuple(scopes)
        self.claims = claims
        self.auth_context = auth_context
        self.max_age = max_age


class TokenThrottled(TokenError):
    """Entra asked to wait; `retry_after` is in seconds."""

    def __init__(self, result: Mapping[str, Any] | None = None, *, retry_after: int = 5) -> None:
        super().__init__(result or {"error": "throttled"})
        self.retry_after = retry_after


class TemporarilyUnavailable(TokenError):
    """The cache or Entra is down and nothing valid is at hand; nobody is signed out for it."""

    retry_after = 5

    def __init__(self, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(result or {"error": "temporarily_unavailable"})


class ConfigurationRejected(EntraAuthError):
    """An operator has to act; the text is for the log, never for a page.

    `result` is the error dict, where Entra sent one.
    """

    def __init__(self, text: str = "", *, result: Mapping[str, Any] | None = None) -> None:
        self.result: dict[str, Any] = dict(result or {})
        super().__init__(text or str(self.result.get("error", "configuration")))


def build_token_error(
    result: Mapping[str, Any] | None,
    *,
    scopes: Sequence[str] = (),
    claims_challenge: str | None = None,
) -> EntraAuthError:
    """The exception for an error dict as MSAL returns it, or for None (nothing to work with).

    `claims_challenge` (JSON text) is what was asked with; Entra's own claims go before it.
    """
    found = classify(result or {"error": "interaction_required"})
    if found.category == "throttled" and found.number != LOOP_DETECTED:
        return TokenThrottled(result, retry_after=int((result or {}).get("retry_after") or 5))
    if found.category in {"transient", "invalid_answer"}:
        return TemporarilyUnavailable(result)
    if found.category == "configuration":
        return ConfigurationRejected(result=result)
    claims = (result or {}).get("claims") or claims_challenge
    needed = InteractionRequired(result, scopes=scopes, claims=claims)
    needed.source = "token"
    return needed
