"""Says in which respects two outcomes of the same call differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.interop.differential.cells import Cell
from tests.interop.differential.clients import Outcome

ABSENT: Final = "(absent)"

# Random by design, or different from one call to the next.
_RANDOM_FIELDS: Final = frozenset({"code_verifier", "client_assertion"})
_RANDOM_KEYS: Final = frozenset({"correlation_id", "id_token"})
_TIMES: Final = frozenset({"expires_in", "ext_expires_in", "refresh_in", "refresh_on"})
_TIME_TOLERANCE: Final = 3
_OF_THE_MOMENT: Final = frozenset({"nonce", "iat", "nbf", "exp"})


@dataclass(frozen=True)
class Difference:
    """One respect in which the clients differ.

    ``aspect`` is ``outcome``, ``calls``, ``key NAME`` (in one dictionary only), ``value NAME``
    or ``wire NAME`` (a field of the token request); ``call`` is 1 or 2; ``msal`` and ``ours``
    are what each has. ``kinds`` are the two outcome classes and ``requests`` the numbers of token
    requests, MSAL's first.
    """

    cell: Cell
    call: int
    aspect: str
    msal: Any
    ours: Any
    kinds: tuple[str, str]
    requests: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.cell.id} call {self.call}: {self.aspect}: {self.msal!r} | {self.ours!r}"


@dataclass(frozen=True)
class Comparison:
    """All cells that were run, and what differed in them."""

    cells: list[Cell]
    differences: list[Difference] = field(repr=False)


def compare(cell: Cell, call: int, msal: Outcome, ours: Outcome) -> Iterator[Difference]:
    """Yield what differs between the outcomes of one call."""
    kinds = (_describe(msal), _describe(ours))
    counts = (len(msal.requests), len(ours.requests))
    for aspect, left, right in _compare(msal, ours):
        yield Difference(cell, call, aspect, left, right, kinds, counts)


def _compare(msal: Outcome, ours: Outcome) -> Iterator[tuple[str, Any, Any]]:
    if msal.kind != ours.kind or msal.exception != ours.exception:
        yield "outcome", _describe(msal), _describe(ours)
    else:
        yield from _compare_results(msal.result, ours.result)
    if len(msal.requests) != len(ours.requests):
        yield "calls", len(msal.requests), len(ours.requests)
    if msal.requests and ours.requests:
        yield from _compare_wire(msal.requests[0], ours.requests[0])


def _describe(outcome: Outcome) -> str:
    if outcome.kind == "error":
        return f"error {outcome.result['error']}"
    return outcome.exception or outcome.kind


def _compare_results(
    msal: Mapping[str, Any], ours: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(msal.keys() | ours.keys()):
        left, right = msal.get(name, ABSENT), ours.get(name, ABSENT)
        if name not in msal or name not in ours:
            yield f"key {name}", left, right
        elif name not in _RANDOM_KEYS and not _is_same_value(name, left, right):
            yield f"value {name}", left, right


def _is_same_value(name: str, left: Any, right: Any) -> bool:
    if name in _TIMES:
        return type(left) is type(right) and abs(left - right) <= _TIME_TOLERANCE
    if name == "id_token_claims":
        return _without_moment(left) == _without_moment(right)
    return bool(left == right)


def _without_moment(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in _OF_THE_MOMENT}


def _compare_wire(
    msal: Mapping[str, str], ours: Mapping[str, str]
) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(msal.keys() | ours.keys()):
        left, right = _normalize(name, msal.get(name)), _normalize(name, ours.get(name))
        if left != right:
            yield f"wire {name}", left, right


def _normalize(name: str, value: str | None) -> Any:
    if value is None:
        return ABSENT
    if name == "scope":
        return sorted(value.split())
    if name == "claims":
        return json.loads(value)
    return "(random)" if name in _RANDOM_FIELDS else value
