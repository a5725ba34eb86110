"""Gets new tokens for an account with its refresh token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .errors import ProtocolFailure, Result, make_error
from .provider import Provider, refuse_id_token
from .scopes import decorate_scopes
from .token_cache import CachedAccount, TokenCache, kept_if_possible


def refresh_account(
    provider: Provider,
    cache: TokenCache,
    home_account_id: str,
    scopes: Iterable[str],
    claims: str | None,
) -> Result:
    """Return a new token response for an account, asked at the account's own tenant.

    A new refresh token replaces the old one; ``bad_token`` drops it, while any other refusal
    may concern this resource only and keeps it. Raises ``ProtocolFailure``.
    """
    account = cache.load_account(home_account_id)
    if account is None or account.refresh_token is None:
        raise ProtocolFailure(make_error("interaction_required", "The person has signed out."))
    grant = {
        "grant_type": "refresh_token",
        "refresh_token": account.refresh_token,
        "scope": " ".join(decorate_scopes(scopes)),
        "claims": claims,
    }
    try:
        result = provider.request_tokens(grant, tenant_id=account.tenant_id)
        _check_same_person(result, account)
    except ProtocolFailure as failure:
        if failure.result.get("suberror") == "bad_token":
            with kept_if_possible():
                cache.update_refresh_token(home_account_id, account.refresh_token, None)
        raise
    if result.get("refresh_token"):
        with kept_if_possible():
            new = result["refresh_token"]
            cache.update_refresh_token(home_account_id, account.refresh_token, new)
    return result


def _check_same_person(result: Mapping[str, Any], account: CachedAccount) -> None:
    """Refuse tokens of anybody else (OpenID Connect Core 1.0 section 12.2)."""
    claims = result.get("id_token_claims")
    if claims is None:
        return
    if claims["tid"].lower() != account.tenant_id.lower():
        raise refuse_id_token("tid")
    if claims["oid"] != account.object_id:
        raise refuse_id_token("oid")
