"""Turns ID-token claims into rows that people can read."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from django.utils.formats import date_format

MEANINGS = {
    "name": "Name",
    "preferred_username": "User name, for display only",
    "email": "E-mail address",
    "oid": "Object id of the person in the tenant",
    "tid": "Tenant id",
    "roles": "App roles",
    "auth_time": "When the person last proved who they are",
    "acrs": "Authentication contexts that were satisfied",
    "acct": "Kind of account: 0 member, 1 guest",
    "idp": "Where the person's account lives",
    "sid": "Session at the provider, for sign-out",
    "login_hint": "Skips the account picker at sign-out",
}


class ClaimRow(NamedTuple):
    """One line of the claims table."""

    name: str
    meaning: str
    value: str


def build_claim_rows(claims: Mapping[str, Any]) -> list[ClaimRow]:
    """All claims as rows: those with a known meaning first, in the order of `MEANINGS`."""
    names = [name for name in MEANINGS if name in claims]
    names += sorted(claims.keys() - MEANINGS.keys())
    return [
        ClaimRow(name, MEANINGS.get(name, ""), format_claim(name, claims[name])) for name in names
    ]


def format_claim(name: str, value: Any) -> str:
    """A claim's value as text: instants as dates in UTC, lists with commas."""
    if name == "auth_time" and isinstance(value, int):
        return date_format(datetime.fromtimestamp(value, tz=timezone.utc), "j F Y, H:i:s e")
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)
