"""Turns an HTTP answer, or its absence, into a dictionary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from .errors import Result, make_error, read_error
from .http import HttpResponse, TransportError, parse_retry_after

_OK: Final = range(200, 300)


def new_correlation_id() -> str:
    """Return an id under which a request is found in Entra's logs and in ours."""
    return str(uuid4())


def make_headers(correlation_id: str) -> dict[str, str]:
    """Return the headers of every request."""
    return {
        "Accept": "application/json",
        "client-request-id": correlation_id,
        "return-client-request-id": "true",
        "x-client-SKU": "django-entra-auth",
        "x-ms-lib-capability": "retry-after, h429",
    }


def describe_silence(exc: TransportError, correlation_id: str) -> Result:
    """Return the error dictionary for a request that got no usable answer."""
    if exc.reason == "too_large":
        return make_error("invalid_response", f"{exc}.", correlation_id=correlation_id)
    text = f"The sign-in service could not be asked: {exc}."
    return make_error("temporarily_unavailable", text, correlation_id=correlation_id)


def read_answer(response: HttpResponse, *, correlation_id: str, now: float) -> Result:
    """Return the JSON object of an answer, or an error dictionary when it is not a success.

    An error keeps the members that the provider sent; ``retry_after`` (seconds) is added when
    asking again has to wait, ``throttled`` when this answer was not asked for at all. ``now`` is
    Unix time.
    """
    body = parse_object(response.text)
    if body is not None and "error" not in body and response.status_code in _OK:
        return body
    result = _read_failure(response, body, correlation_id)
    wait = response.retry_after
    if wait is None:
        wait = parse_retry_after(response.headers.get("retry-after"), now)
    if wait is not None:
        result["retry_after"] = wait
    if response.throttled:
        result["throttled"] = True
    if response.throttle_key is not None:
        result["throttle_key"] = response.throttle_key
    return result


def parse_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in ``text``, ``None`` when it holds anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read_failure(
    response: HttpResponse, body: Mapping[str, Any] | None, correlation_id: str
) -> Result:
    status = response.status_code
    if body is not None and isinstance(body.get("error"), str):
        return read_error(body, correlation_id=correlation_id, status=status)
    if status == 429 or status >= 500:
        error, text = "temporarily_unavailable", "The sign-in service cannot answer at the moment."
    elif status in range(300, 400):
        error, text = "invalid_response", "The sign-in service answered with a redirect."
    else:
        error, text = "invalid_response", "The sign-in service sent an answer that is not JSON."
    return make_error(error, text, correlation_id=correlation_id, status=status)
