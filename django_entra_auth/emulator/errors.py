"""Errors as Entra words them: the exception, and the JSON body with its ids and times."""

import uuid
from datetime import datetime, timezone
from typing import TypedDict

from .catalogue import CATALOGUE
from .messages import Request


class _ErrorBody(TypedDict):
    error: str
    error_description: str
    error_codes: list[int]
    timestamp: str
    trace_id: str
    correlation_id: str


class ErrorBody(_ErrorBody, total=False):
    """The body of an error answer of the token and discovery endpoints."""

    error_uri: str
    suberror: str
    claims: str


# Entra's look-up page does not know it, so its answers do not point there.
_WITHOUT_PAGE = 70043


class EntraError(Exception):
    """An answer with an AADSTS number; members default to the catalogue's."""

    def __init__(
        self,
        number: int,
        detail: str = "",
        *,
        error: str | None = None,
        suberror: str | None = None,
        claims: str | None = None,
    ) -> None:
        definition = CATALOGUE[number]
        self.number = number
        self.error: str = error or definition.error
        self.suberror: str | None = suberror or (definition.suberror if error is None else None)
        self.claims = claims
        self.status: int = definition.status
        self.text: str = f"{definition.text} {detail}".strip()
        super().__init__(f"AADSTS{number}: {definition.text}")


class PageError(EntraError):
    """An error that stays on the login host: shown as a page, never redirected."""


class Stamp:
    """Ids and time of one answer."""

    def __init__(self, correlation_id: str, now: float) -> None:
        self.trace_id: str = str(uuid.uuid4())
        self.correlation_id = correlation_id
        self.timestamp: str = f"{datetime.fromtimestamp(now, timezone.utc):%Y-%m-%d %H:%M:%SZ}"


def make_stamp(request: Request, now: float) -> Stamp:
    """Stamp an answer: the correlation id is the caller's `client-request-id` if it is a GUID."""
    sent = request.headers.get("client-request-id") or request.query.get("client-request-id", "")
    try:
        return Stamp(str(uuid.UUID(sent)), now)
    except ValueError:
        return Stamp(str(uuid.uuid4()), now)


def describe(error: EntraError, stamp: Stamp, *, separator: str = " ") -> str:
    """The `error_description`; parts were set apart by CR LF until 2022, by spaces since."""
    parts = (
        f"AADSTS{error.number}: {error.text}",
        f"Trace ID: {stamp.trace_id}",
        f"Correlation ID: {stamp.correlation_id}",
        f"Timestamp: {stamp.timestamp}",
    )
    return separator.join(parts)


def error_body(error: EntraError, stamp: Stamp, origin: str, *, separator: str = " ") -> ErrorBody:
    """The JSON body of `error`."""
    body: ErrorBody = {
        "error": error.error,
        "error_description": describe(error, stamp, separator=separator),
        "error_codes": [error.number],
        "timestamp": stamp.timestamp,
        "trace_id": stamp.trace_id,
        "correlation_id": stamp.correlation_id,
    }
    if error.number != _WITHOUT_PAGE:
        body["error_uri"] = f"{origin}/error?code={error.number}"
    if error.suberror:
        body["suberror"] = error.suberror
    if error.claims:
        body["claims"] = error.claims
    return body
