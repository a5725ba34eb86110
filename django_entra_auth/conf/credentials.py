"""``CLIENT_CREDENTIAL`` with the functions that its dotted paths name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

FUNCTION = "client_credential"
ASSERTION = "client_assertion"
FAULT = "is neither a callable nor a path to one"


def resolve_credential(value: Any) -> Any:
    """What the protocol layer takes: ``CLIENT_CREDENTIAL`` with its dotted paths imported.

    Raises ValueError, without repeating it, for a path that leads to no callable.
    """
    if isinstance(value, list | tuple):
        return [resolve_credential(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {FUNCTION}:
        return _find_callable(FUNCTION, value[FUNCTION])
    if ASSERTION in value:
        return {**value, ASSERTION: _find_callable(ASSERTION, value[ASSERTION])}
    return value


def _find_callable(name: str, value: Any) -> Any:
    try:
        found = import_string(value) if isinstance(value, str) else value
    except ImportError as exc:
        raise ValueError(f"{name} {FAULT}") from exc
    if not callable(found):
        raise ValueError(f"{name} {FAULT}")  # noqa: TRY004  one kind for all faults of settings
    return found
