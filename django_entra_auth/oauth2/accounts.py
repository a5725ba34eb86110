"""Reads who signed in from a token response, and shows accounts as MSAL does."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .answers import parse_object
from .authority import Authority
from .token_cache import CachedAccount


def read_account(
    result: Mapping[str, Any], claims: Mapping[str, Any], authority: Authority
) -> CachedAccount:
    """Return the account of a token response whose ID token ``claims`` were validated.

    ``client_info`` says who a guest is at home; it comes from the token endpoint here, never
    from the browser, and only names the cache entry.
    """
    home_account_id = read_home_account_id(result) or f"{claims['oid']}.{claims['tid']}"
    return CachedAccount(
        home_account_id=home_account_id,
        tenant_id=claims["tid"],
        object_id=claims["oid"],
        username=_read_username(claims),
        environment=urlsplit(authority.url).netloc,
        refresh_token=result.get("refresh_token"),
    )


def read_home_account_id(result: Mapping[str, Any]) -> str | None:
    """Return ``{uid}.{utid}`` from a token response's ``client_info``, ``None`` if unreadable."""
    encoded = str(result.get("client_info", "")).strip().rstrip("=")
    try:
        text = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    info = parse_object(text) or {}
    uid, utid = info.get("uid"), info.get("utid")
    if not (isinstance(uid, str) and isinstance(utid, str) and uid and utid):
        return None
    return f"{uid}.{utid}"


def show_account(account: CachedAccount) -> dict[str, str]:
    """Return an account as the dictionary that MSAL documents."""
    return {
        "home_account_id": account.home_account_id,
        "environment": account.environment,
        "realm": account.tenant_id,
        "local_account_id": account.object_id,
        "username": account.username,
        "authority_type": "MSSTS",
    }


def _read_username(claims: Mapping[str, Any]) -> str:
    names = (claims.get(name) for name in ("preferred_username", "upn", "email"))
    return next((name for name in names if isinstance(name, str)), "")
