"""What the tests of tenants and clouds ask the local Entra and the site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt

from django_entra_auth.models import EntraIdentity

Claims = dict[str, Any]


def with_claims(**changes: Any) -> Callable[..., str]:
    """A hook that signs ID tokens with these claims instead; None takes one away."""

    def mutate(header: Claims, claims: Claims, key: Any) -> str:
        kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(kept, key, algorithm="RS256", headers=header)

    return mutate


def refreshes(entra: Any) -> list[str]:
    """The addresses at which refresh tokens were redeemed."""
    return [
        one.path
        for one in list(entra.requests)
        if one.form.get("grant_type") == "refresh_token" and one.status == 200
    ]


def identities() -> set[tuple[str, str]]:
    """Tenant and object id of everybody the site knows."""
    return set(EntraIdentity.objects.values_list("tid", "oid"))
