"""Makes every HTTP call of the protocol layer: bounded in time and size, no redirects."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

import requests

from .deadline import DeadlineAdapter, deadline

logger = logging.getLogger(__name__)

MAX_ANSWER: Final = 1_000_000
"""Bytes of one answer; a longer one is refused."""
_CHUNK: Final = 8192
_CONNECTIONS: Final = 32

Reason = Literal["connection", "timeout", "tls", "too_large"]


class TransportError(Exception):
    """No usable answer came; ``reason`` says why, the text names no address or secret."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class HttpClient(Protocol):
    """What this layer needs of an HTTP client; ``requests.Session`` fits.

    An answer needs ``status_code`` and ``text``; ``headers`` are used when it has them.
    """

    def get(self, url: str, **kwargs: Any) -> Any:
        """Send a GET with ``params`` and ``headers``."""

    def post(self, url: str, **kwargs: Any) -> Any:
        """Send a POST with ``params``, ``data`` and ``headers``."""


@dataclass(frozen=True)
class HttpResponse:
    """An answer that was read completely; header names are in lower case.

    ``throttled`` says that it was kept from an earlier request, ``retry_after`` for how many
    seconds from now the same request will not be sent, ``throttle_key`` under which entry of the
    HTTP cache that is kept.
    """

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    throttled: bool = False
    retry_after: int | None = None
    throttle_key: str | None = None


class _Session(requests.Session):
    """A session that keeps nothing: no cookies, no .netrc, no environment, no redirects."""

    def __init__(self, *, proxies: Mapping[str, str] | None, ca_bundle: str | None) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.proxies = dict(proxies or {})
        self.verify = ca_bundle or True
        # An uncompressed answer cannot grow after its size was checked.
        self.headers["Accept-Encoding"] = "identity"
        for scheme in ("https://", "http://"):
            self.mount(scheme, DeadlineAdapter(pool_maxsize=_CONNECTIONS))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        # requests would read the whole body of a redirect before handing it over.
        return None


class BoundedHttpClient:
    """Sends requests with connect, read and total timeouts, a size cap and one retry.

    ``timeout`` is (connect, read) and ``total_timeout`` the time for one call with its retries,
    all in seconds. A given ``http_client`` is used as it is: a ``requests.Session`` is told the
    timeouts and read in pieces, any other object looks after its own timeouts.
    Raises ``TransportError`` when there is no usable answer.
    """

    def __init__(
        self,
        http_client: HttpClient | None = None,
        *,
        timeout: tuple[float, float] = (3.05, 10.0),
        total_timeout: float = 20.0,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
        max_retries: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = http_client or _Session(proxies=proxies, ca_bundle=ca_bundle)
        self._timeout = timeout
        self._total_timeout = total_timeout
        self._max_retries = max_retries
        self._monotonic = monotonic

    def get(self, url: str, **kwargs: Any) -> HttpResponse:
        """Send a GET; ``params`` and ``headers`` as in requests."""
        return self._send("get", url, kwargs, retries=self._max_retries)

    def post(self, url: str, **kwargs: Any) -> HttpResponse:
        """Send a POST; ``params``, ``data`` and ``headers`` as in requests."""
        retries = self._max_retries if _is_repeatable(kwargs.get("data")) else 0
        return self._send("post", url, kwargs, retries=retries)

    def close(self) -> None:
        """Close idle connections."""
        close = getattr(self._client, "close", None)
        if close is not None:
            close()

    def _send(
        self, method: Literal["get", "post"], url: str, kwargs: dict[str, Any], *, retries: int
    ) -> HttpResponse:
        at = self._monotonic() + self._total_timeout
        for _ in range(retries):
            response = self._try(method, url, kwargs, at)
            if response is not None:
                return response
        return self._attempt(method, url, kwargs, at)

    def _try(
        self, method: Literal["get", "post"], url: str, kwargs: dict[str, Any], at: float
    ) -> HttpResponse | None:
        """Return the answer, or ``None`` when asking once more may help."""
        try:
            response = self._attempt(method, url, kwargs, at)
        except TransportError as exc:
            if exc.reason != "connection":
                raise
            return None
        return None if _is_worth_repeating(response) else response

    def _attempt(
        self, method: Literal["get", "post"], url: str, kwargs: dict[str, Any], at: float
    ) -> HttpResponse:
        started = self._monotonic()
        outcome = "failed"
        try:
            response = self._call(method, url, kwargs, at)
            outcome = str(response.status_code)
        finally:
            _log_call(method, url, outcome, self._monotonic() - started, kwargs.get("headers"))
        return response

    def _call(
        self, method: Literal["get", "post"], url: str, kwargs: dict[str, Any], at: float
    ) -> HttpResponse:
        send = getattr(self._client, method)
        try:
            if not isinstance(self._client, requests.Session):
                return copy_response(send(url, **kwargs))
            with deadline(at):
                response = send(url, **kwargs, **self._session_options(at))
                return _read_response(response, at, self._monotonic)
        except (requests.RequestException, OSError) as exc:
            raise _as_transport_error(exc) from None

    def _session_options(self, at: float) -> dict[str, Any]:
        remaining = at - self._monotonic()
        if remaining <= 0:
            raise TransportError("timeout", "the answer took too long")
        connect, read = self._timeout
        timeout = (min(connect, remaining), min(read, remaining))
        return {"timeout": timeout, "allow_redirects": False, "stream": True}


def parse_retry_after(value: str | None, now: float) -> int | None:
    """Return the whole seconds that a ``Retry-After`` header asks to wait, else ``None``.

    ``value`` is a number of seconds or an HTTP date (RFC 9110 section 10.2.3), ``now`` Unix time.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:12])
    try:
        moment = parsedate_to_datetime(text)
        seconds = moment.timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
    return max(0, int(seconds + 0.999))


def _is_repeatable(data: Any) -> bool:
    """Return whether sending the form again does no harm; a code can be redeemed only once."""
    return isinstance(data, Mapping) and data.get("grant_type") != "authorization_code"


def _is_worth_repeating(response: HttpResponse) -> bool:
    return response.status_code >= 500 and "retry-after" not in response.headers


def _read_response(
    response: requests.Response, at: float, monotonic: Callable[[], float]
) -> HttpResponse:
    body = bytearray()
    with response:
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_ANSWER:
                raise TransportError("too_large", "the answer is larger than allowed")
            if monotonic() > at:
                raise TransportError("timeout", "the answer took too long")
    return HttpResponse(
        response.status_code, body.decode("utf-8-sig", "replace"), _lower(response.headers)
    )


def copy_response(response: Any) -> HttpResponse:
    """Return what this layer needs of another HTTP client's answer."""
    if isinstance(response, HttpResponse):
        return response
    text = response.text
    if len(text) > MAX_ANSWER:
        raise TransportError("too_large", "the answer is larger than allowed")
    return HttpResponse(response.status_code, text, _lower(getattr(response, "headers", None)))


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in (headers or {}).items()}


def _as_transport_error(exc: Exception) -> TransportError:
    """Return the failure without the original's text, which holds the address and its query."""
    if isinstance(exc, requests.exceptions.SSLError):
        return TransportError("tls", "the server's certificate was not accepted")
    if isinstance(exc, requests.exceptions.ConnectTimeout):
        return TransportError("connection", "the server could not be reached in time")
    if isinstance(exc, (requests.Timeout, TimeoutError)) or "timed out" in str(exc):
        return TransportError("timeout", "the answer took too long")
    return TransportError("connection", "the connection failed")


def _log_call(
    method: str, url: str, outcome: str, seconds: float, headers: Mapping[str, str] | None
) -> None:
    parts = urlsplit(url)
    correlation_id = (headers or {}).get("client-request-id")
    logger.debug(
        "%s %s%s: %s after %.0f ms",
        method.upper(),
        parts.netloc,
        parts.path,
        outcome,
        seconds * 1000,
        extra={"correlation_id": correlation_id, "duration_ms": round(seconds * 1000)},
    )
