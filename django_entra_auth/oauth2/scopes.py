"""Compares scopes and finds the resource that they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

RESERVED_SCOPES: Final = frozenset({"openid", "profile", "offline_access"})
"""Added to every request that concerns a person; callers do not name them."""
GRAPH: Final = "graph"
"""The resource of scopes that name none."""

_OIDC_SCOPES: Final = RESERVED_SCOPES | {"email", "address", "phone"}
_GRAPH_HOSTS: Final = (
    "https://graph.microsoft.com/",
    "https://graph.microsoft.us/",
    "https://dod-graph.microsoft.us/",
    "https://microsoftgraph.chinacloudapi.cn/",
    "00000003-0000-0000-c000-000000000000/",
)


def check_scopes(scopes: Iterable[str]) -> set[str]:
    """Return the set of ``scopes``; ``ValueError`` for a bare string or anything but words."""
    if isinstance(scopes, str):
        raise ValueError("scopes must be a list of strings, not one string")  # noqa: TRY004
    given = set(scopes)
    if not all(isinstance(scope, str) and scope.split() == [scope] for scope in given):
        raise ValueError("each scope must be one word")
    return given


def read_scopes(scopes: Iterable[str]) -> tuple[tuple[str, ...], str, frozenset[str]]:
    """Return the scopes sorted, their resource, and their normalized form.

    Raises ``ValueError`` as ``decorate_scopes`` does. A site asks for few different ones.
    """
    if isinstance(scopes, str):
        raise ValueError("scopes must be a list of strings, not one string")  # noqa: TRY004
    return _read_scopes(tuple(scopes))


@lru_cache(maxsize=512)
def _read_scopes(scopes: tuple[str, ...]) -> tuple[tuple[str, ...], str, frozenset[str]]:
    names = sorted(set(decorate_scopes(scopes)) - RESERVED_SCOPES)
    return tuple(names), find_resource(names), normalize_scopes(names)


def decorate_scopes(scopes: Iterable[str]) -> list[str]:
    """Return ``scopes`` with the three that every sign-in needs, sorted.

    Raises ``ValueError`` for a bare string, a reserved scope or one that is not a single word.
    """
    given = check_scopes(scopes)
    if given & RESERVED_SCOPES:
        raise ValueError("openid, profile and offline_access are added by themselves")
    return sorted(given | RESERVED_SCOPES)


def normalize_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Return scopes in the form in which two spellings of the same scope are equal.

    Entra compares without regard to case and answers with or without Graph's prefix.
    """
    return frozenset(_normalize(scope) for scope in scopes)


def find_resource(scopes: Iterable[str]) -> str:
    """Return the resource that ``scopes`` belong to: the part before a scope's last slash."""
    resources = (scope.rpartition("/")[0] for scope in sorted(normalize_scopes(scopes)))
    return next((resource for resource in resources if resource), GRAPH)


def covers(granted: frozenset[str], wanted: frozenset[str]) -> bool:
    """Return whether a token with the ``granted`` scopes serves for the ``wanted`` ones.

    Both are normalized. What OpenID Connect defines is about the ID token and not looked at.
    """
    return wanted - _OIDC_SCOPES <= granted


def _normalize(scope: str) -> str:
    lowered = scope.lower()
    for prefix in _GRAPH_HOSTS:
        if lowered.startswith(prefix):
            return lowered.removeprefix(prefix)
    return lowered
