"""What the session keeps of a sign-in: small, and nothing that is worth stealing but its id."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

SESSION_KEY = "_entra"
BESIDE = "beside"  # in a successor's entry: what a prompt has left in the session beside it
SESSION_MAX_BYTES = 1500
TEXT_MAX_CHARS = 512
ROLES_MAX_BYTES = 1024
CONTEXTS = 16  # of the 99 there can be, those satisfied last
CONTEXT_MAX_CHARS = 16  # Entra's own are "c1" to "c99"

# Kept from the ID token, in the order in which they are given up when the session would grow
# too large: the last are dropped first. Groups are never kept.
KEPT_CLAIMS = (
    "tid",
    "oid",
    "preferred_username",
    "auth_time",
    "acrs",
    "acct",
    "sid",
    "name",
    "login_hint",
    "email",
    "idp",
    "roles",
)

Entry = dict[str, Any]


def build_entry(
    claims: Mapping[str, Any],
    *,
    sign_in_id: str,
    home_account_id: str,
    backend: str,
    contexts: Mapping[str, int] | None = None,
    now: float | None = None,
) -> Entry:
    """The session's entry for a sign-in; at most SESSION_MAX_BYTES as JSON.

    `contexts` are those an earlier prompt of the same sign-in satisfied, with the time (epoch
    seconds) of it; `now` is the time of this one, and of the last check with Entra.
    """
    checked = int(time.time() if now is None else now)
    satisfied = {**(contexts or {}), **dict.fromkeys(read_contexts(claims), checked)}
    latest = sorted(satisfied.items(), key=lambda item: item[1])[-CONTEXTS:]
    entry: Entry = {
        "id": sign_in_id,
        "home": home_account_id,
        "backend": backend,
        "checked": checked,
        "contexts": dict(latest),
        "claims": _select(claims),
    }
    return _shrink(entry)


def renew_entry(entry: Entry, claims: Mapping[str, Any], *, now: float) -> Entry:
    """The entry after Entra was asked again without a prompt; `claims` may be empty."""
    kept = {**entry["claims"], **_select(claims)}
    if claims and "roles" not in claims:
        kept.pop("roles", None)
    # A refresh proves nothing about the person: age and contexts stay those of the prompt.
    for name in ("auth_time", "acrs"):
        kept.pop(name, None)
        if name in entry["claims"]:
            kept[name] = entry["claims"][name]
    return _shrink({**entry, "claims": kept, "checked": int(now)})


def read_contexts(claims: Mapping[str, Any]) -> list[str]:
    """The authentication contexts of an ID token: `acrs` is a list, in older samples one text."""
    value = claims.get("acrs")
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str) and _is_context(item)]


def _is_context(text: str) -> bool:
    return text.isascii() and len(text) <= CONTEXT_MAX_CHARS


def _select(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: claims[name] for name in KEPT_CLAIMS if _is_small(name, claims.get(name))}


def _shrink(entry: Entry) -> Entry:
    for name in reversed(KEPT_CLAIMS[2:]):
        if len(json.dumps(entry)) <= SESSION_MAX_BYTES:
            break
        entry["claims"].pop(name, None)
    return entry


def _is_small(name: str, value: Any) -> bool:
    if name == "roles":
        return isinstance(value, list) and len(json.dumps(value)) <= ROLES_MAX_BYTES
    if isinstance(value, str):
        return len(value) <= TEXT_MAX_CHARS
    return isinstance(value, int | list)
