"""What a view or an API asks of a sign-in, and whether a sign-in meets it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.oauth2 import merge_claims
from django_entra_auth.oauth2.scopes import covers, decorate_scopes, find_resource, normalize_scopes

AUTH_TIME_LEEWAY = 30

Unmet = Literal["auth_context", "max_age", "scopes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What has to be true of a sign-in.

    `scopes` are of one resource; `claims` is a claims challenge as JSON text; `auth_context` is
    an authentication context's id such as "c1"; `max_age` is in seconds.
    """

    scopes: tuple[str, ...] = ()
    claims: str | None = None
    auth_context: str | None = None
    max_age: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked beyond being signed in."""
        return self != Requirement()

    def unmet(
        self, claims: Mapping[str, Any], now: float, *, contexts: Collection[str]
    ) -> Unmet | None:
        """What the ID token's `claims` and the `contexts` that still count do not satisfy.

        Scopes and the claims of an API cannot be seen in an ID token; they are left out.
        """
        if self.auth_context is not None and self.auth_context not in contexts:
            return "auth_context"
        if not self.is_recent(claims.get("auth_time"), now):
            return "max_age"
        return None

    def is_granted(self, granted: str | None) -> bool:
        """Whether the `scope` member of a token response has what was asked (RFC 6749 §3.3)."""
        if granted is None:
            return True  # the same as asked for
        return covers(normalize_scopes(granted.split()), normalize_scopes(self.scopes))

    def build_claims(self) -> str | None:
        """The claims to ask for, as JSON text: the challenge and the authentication context."""
        if self.auth_context is None:
            return self.claims
        wanted = json.loads(self.claims) if self.claims else {}
        section = wanted.get("id_token") or {}  # null is the same as none (OIDC Core 5.5)
        acrs = _ask_for_context(section.get("acrs"), self.auth_context)
        wanted["id_token"] = {**section, "acrs": acrs}
        return json.dumps(wanted, separators=(",", ":"))

    def is_recent(self, auth_time: Any, now: float) -> bool:
        """Whether credentials were last given (epoch seconds) within `max_age`."""
        if self.max_age is None:
            return True
        return isinstance(auth_time, int) and now - auth_time <= self.max_age + AUTH_TIME_LEEWAY


NOTHING = Requirement()


def read_requirement(exc: InteractionRequired) -> Requirement:
    """What an exception asks for; claims that cannot be asked for are left out."""
    wanted = make_requirement(scopes=exc.scopes, auth_context=exc.auth_context, max_age=exc.max_age)
    if not is_claims(exc.claims):
        return wanted
    asked = replace(wanted, claims=exc.claims)
    return asked if is_claims(asked.build_claims()) else wanted


def make_requirement(
    *,
    scopes: Sequence[str] = (),
    claims: str | None = None,
    auth_context: str | None = None,
    max_age: int | None = None,
) -> Requirement:
    """Check what a developer wrote; raises ValueError."""
    decorate_scopes(scopes)  # what it refuses could not be asked for later either
    if len({find_resource([scope]) for scope in scopes}) > 1:
        raise ValueError("scopes must be of one API, because a token is for one")
    if auth_context is not None and not (isinstance(auth_context, str) and auth_context):
        raise ValueError('auth_context must be the id of an authentication context, such as "c1"')
    if max_age is not None and (type(max_age) is not int or max_age < 0):
        raise ValueError("max_age must be a whole number of seconds, 0 or more")
    return Requirement(
        scopes=tuple(scopes), claims=claims, auth_context=auth_context, max_age=max_age
    )


def is_claims(text: str | None) -> bool:
    """Whether a text can be sent as `claims`: an object that our own wishes can be merged with."""
    if not text:
        return False
    try:
        value = json.loads(merge_claims(("cp1",), text) or "")
    except ValueError:
        return False
    return value.get("id_token") is None or isinstance(value["id_token"], dict)


def _ask_for_context(asked: Any, context: str) -> dict[str, Any]:
    """The `acrs` request for a context, beside another one that an API asks for."""
    named = asked if isinstance(asked, dict) else {}
    values = named.get("values")
    values = [named.get("value"), *(values if isinstance(values, list) else [])]
    others = [value for value in values if isinstance(value, str) and value != context]
    if others:
        return {"essential": True, "values": [*others, context]}
    return {"essential": True, "value": context}
