"""Builds the error dictionaries that stand for everything Entra or the network did wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from .classification import classify

Result = dict[str, Any]
"""What the acquire methods return: the token response's members, or ``error`` and its company."""

MAX_TEXT: Final = 4096
"""Characters kept of one text member that a provider sent with an error."""
MAX_CLAIMS: Final = 8192
"""Characters; a longer ``claims`` member is dropped, because half of its JSON is worth nothing."""
MAX_MEMBERS: Final = 32
MAX_NAME: Final = 64

_SECRET_MEMBERS: Final = frozenset(
    {"access_token", "client_info", "code", "id_token", "refresh_token", "state"}
)


# What this layer itself says about an answer; a provider's word must not pass for it.
_OWN_MEMBERS: Final = frozenset(
    {"category", "failed_check", "retry_after", "status", "throttle_key", "throttled"}
)

# Sub-errors that MSAL knows but does not show: they are for the library, not for people.
_NOT_SHOWN: Final = frozenset(
    {
        "bad_token",
        "client_mismatch",
        "device_authentication_failed",
        "protection_policy_required",
        "token_expired",
    }
)


class ProtocolFailure(Exception):
    """Carries an error dictionary up to the public method that returns it."""

    def __init__(self, result: Result) -> None:
        super().__init__(result["error"])
        self.result = result


def make_error(
    error: str,
    description: str,
    *,
    correlation_id: str | None = None,
    status: int | None = None,
    **members: Any,
) -> Result:
    """Return an error dictionary of our own, with its category.

    ``status`` is the HTTP status of the answer behind it, ``members`` are further keys.
    """
    result: Result = {"error": error, "error_description": description, **members}
    if correlation_id is not None:
        result["correlation_id"] = correlation_id
    if status is not None:
        result["status"] = status
    return with_category(result)


def read_error(
    members: Mapping[str, Any],
    *,
    correlation_id: str | None = None,
    status: int | None = None,
) -> Result:
    """Return what a provider sent as an error, each member capped, with status and category.

    Members that are secrets wherever they occur (``code``, ``state``, tokens) are left out, and
    so are those that only this layer sets (``retry_after``, ``status``).
    """
    result: Result = {}
    for name, value in members.items():
        if len(result) >= MAX_MEMBERS or not isinstance(name, str) or len(name) > MAX_NAME:
            continue
        if name not in _SECRET_MEMBERS and name not in _OWN_MEMBERS:
            _keep(result, name, value)
    if correlation_id is not None:
        result.setdefault("correlation_id", correlation_id)
    if status is not None:
        result["status"] = status
    return with_category(result)


def with_category(result: Result) -> Result:
    """Return the error dictionary with ``category`` set from what it says."""
    result["category"] = classify(result).category
    return result


def with_classification(result: Result) -> Result:
    """Return a result with the ``classification`` that MSAL adds on its silent path."""
    suberror = result.get("suberror")
    if "error" not in result or not isinstance(suberror, str) or not suberror:
        return result
    return {**result, "classification": "" if suberror in _NOT_SHOWN else suberror}


def _keep(result: Result, name: str, value: Any) -> None:
    if isinstance(value, str):
        if name != "claims":
            result[name] = value[:MAX_TEXT]
        elif len(value) <= MAX_CLAIMS:
            result[name] = value
    elif len(json.dumps(value)) <= MAX_TEXT:
        result[name] = value
