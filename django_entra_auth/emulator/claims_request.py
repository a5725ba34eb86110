"""The `claims` parameter: reading it, and what it asks for."""

import json
from collections.abc import Mapping
from typing import Any

from .errors import EntraError


def parse_claims(text: str) -> dict[str, Any]:
    """The `claims` parameter as an object; 90100 when it is not one."""
    if not text:
        return {}
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise EntraError(90100, "Not a JSON object: 'claims'.")
    return claims


def requested_contexts(claims: Mapping[str, Any], section: str) -> frozenset[str]:
    """The authentication contexts asked for in a section (`id_token`, `access_token`)."""
    return _requested(claims, section, "acrs")


def requested_policies(claims: Mapping[str, Any]) -> frozenset[str]:
    """The ids of the policies whose refusal this request answers."""
    return _requested(claims, "access_token", "capolids")


def handles_challenges(claims: Mapping[str, Any]) -> bool:
    """Whether the client says that it has the capability cp1."""
    return "cp1" in (name.lower() for name in _requested(claims, "access_token", "xms_cc"))


def _requested(claims: Mapping[str, Any], section: str, name: str) -> frozenset[str]:
    part = claims.get(section)
    asked = part.get(name) if isinstance(part, dict) else None
    if not isinstance(asked, dict):
        return frozenset()
    values = asked.get("values")
    several = values if isinstance(values, list) else []
    return frozenset(v for v in [asked.get("value"), *several] if isinstance(v, str) and v)
