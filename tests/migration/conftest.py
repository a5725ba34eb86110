"""The local Entra that all projects of this folder sign in at: https, as most packages insist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from django_entra_auth.emulator import CLIENT_ID, TENANT_ID, Emulator

# Where the packages want Entra's answer, as they are registered before a project moves.
OLD_CALLBACKS = (
    "/oauth2/callback",
    "/oidc/callback/",
    "/signin/response",
    "/accounts/oidc/entra/login/callback/",
    "/accounts/microsoft/login/callback/",
    "/getAToken",
)


@pytest.fixture(scope="session")
def tls_entra() -> Iterator[Any]:
    """One local Entra for all projects, with people who have roles."""
    with Emulator(tls=True) as entra:
        entra.application.redirect_uris += [f"http://127.0.0.1{path}" for path in OLD_CALLBACKS]
        entra.people["alice"].roles = ["Editor"]
        entra.people["erin"].roles = ["Editor", "Admin"]
        entra.mutate_token_response = lambda body: _complete(body, entra)
        yield entra


def _complete(body: dict[str, Any], entra: Any) -> dict[str, Any]:
    """Give access tokens for the project itself the claims a registration can add to them."""
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    if claims["aud"] != CLIENT_ID:
        return body
    person = next(p for p in entra.people.values() if (p.tid, p.oid) == (TENANT_ID, claims["oid"]))
    given, _, family = person.name.partition(" ")
    claims |= {
        "upn": person.username,
        "email": person.mail,
        "given_name": given,
        "family_name": family,
        "roles": person.roles,
    }
    key = entra.keys.signing
    token = jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.kid})
    return {**body, "access_token": token}
