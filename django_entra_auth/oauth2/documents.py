"""Fetches the documents that a provider publishes about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .answers import describe_silence, make_headers, new_correlation_id, read_answer
from .errors import ProtocolFailure
from .http import HttpClient, TransportError

T = TypeVar("T")


@dataclass(frozen=True)
class _Document:
    """A JSON object; ``age`` is how many seconds a cache has kept it, ``None`` if none did."""

    members: dict[str, Any]
    age: int | None


def fetch_document(
    http_client: HttpClient,
    url: str,
    read: Callable[[dict[str, Any]], T],
    *,
    clock: Callable[[], float],
    bypass: bool = False,
) -> tuple[T, int]:
    """Return what ``read`` makes of the JSON object at ``url``, and its age in seconds.

    ``bypass`` asks for one that no cache has kept; so does this function itself when ``read``
    refuses a kept one, lest a mistake that was corrected lives on for a day. Raises
    ``ProtocolFailure`` with the error dictionary when there is none, or ``read`` does.
    """
    document = _fetch(http_client, url, clock=clock, bypass=bypass)
    try:
        return read(document.members), document.age or 0
    except ProtocolFailure:
        if bypass or document.age is None:
            raise
    return fetch_document(http_client, url, read, clock=clock, bypass=True)


def _fetch(
    http_client: HttpClient, url: str, *, clock: Callable[[], float], bypass: bool
) -> _Document:
    correlation_id = new_correlation_id()
    headers = make_headers(correlation_id)
    if bypass:
        headers["Cache-Control"] = "no-cache"
    try:
        response = http_client.get(url, headers=headers)
    except TransportError as exc:
        raise ProtocolFailure(describe_silence(exc, correlation_id)) from None
    answer = read_answer(response, correlation_id=correlation_id, now=clock())
    if "error" in answer:
        raise ProtocolFailure(answer)
    age = response.headers.get("age", "")
    return _Document(answer, int(age[:9]) if age.isascii() and age.isdigit() else None)
