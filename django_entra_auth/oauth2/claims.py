"""Merges claims challenges with the client's capabilities."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

MAX_CHALLENGE: Final = 8192
"""Characters of JSON accepted in one claims challenge; it has to travel in a URL."""


def merge_claims(capabilities: Iterable[str] | None, claims_challenge: str | None) -> str | None:
    """Return the ``claims`` request parameter as JSON text, or ``None`` when nothing is asked.

    ``capabilities`` (``["cp1"]``) join the ``xms_cc`` values that the challenge may already
    name; every other member of the challenge is passed on untouched. Raises ``ValueError``,
    without repeating the input, when the challenge is not a JSON object of at most
    ``MAX_CHALLENGE`` characters or its ``access_token`` section cannot hold capabilities.
    OpenID Connect Core 1.0 section 5.5; Microsoft's "client capabilities".
    """
    wanted = check_capabilities(capabilities)
    claims = _parse_challenge(claims_challenge) if claims_challenge else None
    if not wanted:
        return claims_challenge or None
    claims = claims or {}
    section = _object_member(claims, "access_token")
    capability = _object_member(section, "xms_cc")
    capability["values"] = _union(_named_values(capability), wanted)
    capability.pop("value", None)
    return json.dumps(claims, separators=(",", ":"))


def check_capabilities(capabilities: Iterable[str] | None) -> tuple[str, ...]:
    """Return the capabilities; ``ValueError`` for a bare string or anything but texts."""
    if isinstance(capabilities, str):
        raise ValueError("client_capabilities must be a list of strings, not one string")  # noqa: TRY004
    wanted = tuple(capabilities or ())
    if not all(isinstance(name, str) and name for name in wanted):
        raise ValueError("client_capabilities must be a list of non-empty strings")
    return wanted


def _parse_challenge(text: str) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > MAX_CHALLENGE:
        raise ValueError("the claims challenge is not text or too long")
    try:
        claims = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise ValueError("the claims challenge is not a JSON object")  # noqa: TRY004
    return claims


def _refuse_constant(_: str) -> None:
    raise ValueError("not a JSON value")


def _object_member(parent: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object under ``name``, made when absent or null (OIDC Core 5.5.1)."""
    value = parent.get(name)
    if value is None:
        value = parent[name] = {}
    if not isinstance(value, dict):
        raise ValueError("the claims challenge has a section that is not an object")  # noqa: TRY004
    return value


def _named_values(capability: dict[str, Any]) -> list[str]:
    named = capability.get("values")
    values = [] if named is None else named
    if not isinstance(values, list):
        raise ValueError("the claims challenge names capabilities that are not a list")  # noqa: TRY004
    single = capability.get("value")
    values = values if single is None else [*values, single]
    if not all(isinstance(value, str) for value in values):
        raise ValueError("the claims challenge names a capability that is not text")
    return values


def _union(first: Iterable[str], second: Iterable[str]) -> list[str]:
    """Return both lists in order; Entra compares capabilities without regard to case."""
    merged: dict[str, str] = {}
    for value in (*first, *second):
        merged.setdefault(value.casefold(), value)
    return list(merged.values())
