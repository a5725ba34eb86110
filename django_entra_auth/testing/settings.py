"""Settings for test runs: nothing secret in them, and nothing that reaches out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEST_TENANT_ID = "11111111-2222-4333-8444-555555555555"
TEST_CLIENT_ID = "22222222-3333-4444-8555-666666666666"

# What belongs to one deployment: its secrets, its addresses, its way to the network.
OF_A_DEPLOYMENT = frozenset(
    {
        "AUTHORITY",
        "CA_BUNDLE",
        "CLIENT_CREDENTIAL",
        "CLIENT_ID",
        "ENCRYPTION_KEYS",
        "LOCAL_EMULATOR",
        "PROXIES",
        "REDIRECT_URI",
        "TENANT_ID",
    }
)
_TENANT_SEGMENTS = frozenset({"common", "consumers", "organizations"})


def minimal_settings(
    entra_auth: Mapping[str, Any] | None = None, /, **overrides: Any
) -> dict[str, Any]:
    """`ENTRA_AUTH` for a test run: the given one without its secrets, complete and valid.

    What decides who may do what (roles, groups, guests, tenants) stays as it is; client, credential
    and addresses become made-up ones, so a test run needs no variable and can reach nobody.
    `overrides` are further keys. Importing it needs no settings, so a settings module can.
    """
    given = dict(entra_auth or {})
    kept = {key: value for key, value in given.items() if key not in OF_A_DEPLOYMENT}
    return {
        **kept,
        "CLIENT_ID": TEST_CLIENT_ID,
        "CLIENT_CREDENTIAL": "no-secret",
        "TENANT_ID": find_segment(given) or TEST_TENANT_ID,
        # Django's test client speaks http to "testserver": no redirect URI of a real registration.
        "LOCAL_EMULATOR": True,
        **overrides,
    }


def find_segment(entra_auth: Mapping[str, Any]) -> str:
    """Which audience a site of several tenants is for ("organizations"); "" for one tenant's."""
    authority = str(entra_auth.get("AUTHORITY") or "").rstrip("/").removesuffix("/v2.0")
    segment = authority.rpartition("/")[2] or str(entra_auth.get("TENANT_ID") or "")
    return segment.lower() if segment.lower() in _TENANT_SEGMENTS else ""
