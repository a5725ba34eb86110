"""Builds the address at which an administrator allows an application's permissions for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode

from .authority import parse_authority

_NEEDS_TENANT: Final = "common"


def build_admin_consent_uri(
    authority: str,
    client_id: str,
    scopes: Iterable[str],
    *,
    redirect_uri: str,
    state: str,
    tenant_id: str | None = None,
    allow_loopback: bool = False,
) -> str:
    """Return the admin consent address of an authority URL for ``scopes`` written in full.

    ``tenant_id`` names the tenant where the authority serves many. The answer comes to
    ``redirect_uri`` in the query and is not signed: only that it has no error means anything,
    and even that is for display. Microsoft identity platform: "Admin consent".
    """
    parsed = parse_authority(authority, allow_loopback=allow_loopback)
    named = "organizations" if parsed.tenant.lower() == _NEEDS_TENANT else parsed.tenant
    query = {
        "client_id": client_id,
        "scope": " ".join(scopes),
        "redirect_uri": redirect_uri,
        "state": state,
    }
    return f"{parsed.origin}/{tenant_id or named}/v2.0/adminconsent?{urlencode(query)}"
