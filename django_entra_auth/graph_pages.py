"""Reads a list of ids from Microsoft Graph page by page, within limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

from django_entra_auth.conf import EntraSettings
from django_entra_auth.downstream import find_challenge, read_origin
from django_entra_auth.oauth2.answers import make_headers, new_correlation_id, parse_object
from django_entra_auth.oauth2.errors import Result, make_error
from django_entra_auth.oauth2.http import (
    BoundedHttpClient,
    HttpResponse,
    TransportError,
    parse_retry_after,
)
from django_entra_auth.sign_ins.ids import normalise_guid

LEAST_SCOPE: Final = "User.Read"
"""The least permission with which Graph tells a person's own memberships."""
NEXT_LINK: Final = "@odata.nextLink"
PAGE_SIZE: Final = 999
"""Objects on a page, the most that Graph sends."""
MAX_PAGES: Final = 40
MAX_IDS: Final = 20_000
TOTAL_SECONDS: Final = 10.0
"""For all pages together: a person waits for their sign-in meanwhile."""
# Nested memberships too. `getMemberObjects` would need the permission to read all people, and
# stops at 11,000 ids.
PATH: Final = f"/v1.0/me/transitiveMemberOf?$select=id&$top={PAGE_SIZE}"


class GraphRefusal(Exception):
    """Graph did not tell; carries the error dict, which has no token and no group in it."""

    def __init__(self, result: Result) -> None:
        super().__init__(str(result.get("error")))
        self.result = result


class Send(Protocol):
    """Fetches one page; raises TransportError."""

    def __call__(
        self, url: str, *, headers: Mapping[str, str], seconds: float, settings: EntraSettings
    ) -> HttpResponse:
        """GET `url` within `seconds`."""


def send_get(
    url: str, *, headers: Mapping[str, str], seconds: float, settings: EntraSettings
) -> HttpResponse:
    """GET `url` with the site's own timeouts and proxies, and nothing followed."""
    client = BoundedHttpClient(
        timeout=settings.http_timeout,
        total_timeout=seconds,
        proxies=settings.proxies,
        ca_bundle=settings.ca_bundle,
    )
    try:
        return client.get(url, headers=dict(headers))
    finally:
        client.close()


def read_ids(
    origin: str,
    token: str,
    settings: EntraSettings,
    *,
    send: Send = send_get,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[str]:
    """The object ids of everything that the token's person is a member of, in lower case.

    Raises GraphRefusal for anything but a complete answer. The token goes to `origin` alone.
    Microsoft Graph: "List a user's memberships (direct and transitive)".
    """
    reader = _Reader(origin, token, settings, send, monotonic)
    url, found = origin + PATH, list[str]()
    for _ in range(MAX_PAGES):
        page = reader.fetch(url)
        found += reader.read_ids(page)
        following = page.get(NEXT_LINK)
        if following is None:
            return found
        if len(found) > MAX_IDS:
            break
        url = reader.check_next(following)
    raise reader.refuse("invalid_response", "There are more groups than are read.")


class _Reader:
    """The pages of one question, which all share its deadline and correlation id."""

    def __init__(
        self,
        origin: str,
        token: str,
        settings: EntraSettings,
        send: Send,
        monotonic: Callable[[], float],
    ) -> None:
        self._origin = origin
        self._settings = settings
        self._send = send
        self._monotonic = monotonic
        self._ends_at = monotonic() + TOTAL_SECONDS
        self._correlation_id = new_correlation_id()
        self._headers = {
            **make_headers(self._correlation_id),
            "Authorization": f"Bearer {token}",
        }

    def refuse(self, error: str, text: str, **members: Any) -> GraphRefusal:
        """The refusal with our own words: nothing that Graph wrote gets on."""
        description = f"Microsoft Graph did not tell the groups. {text}"
        correlation_id = self._correlation_id
        return GraphRefusal(
            make_error(error, description, correlation_id=correlation_id, **members)
        )

    def fetch(self, url: str) -> Mapping[str, Any]:
        """The page as it is, which may hold anything."""
        seconds = self._ends_at - self._monotonic()
        if seconds <= 0:
            raise self.refuse("temporarily_unavailable", "It took too long.")
        try:
            response = self._send(
                url, headers=self._headers, seconds=seconds, settings=self._settings
            )
        except TransportError as exc:
            is_too_large = exc.reason == "too_large"
            error = "invalid_response" if is_too_large else "temporarily_unavailable"
            raise self.refuse(error, f"{exc}.") from None
        if response.status_code != HTTPStatus.OK:
            raise self._read_failure(response)
        page = parse_object(response.text)
        if page is None:
            raise self.refuse("invalid_response", "The answer is not JSON.")
        return page

    def read_ids(self, page: Mapping[str, Any]) -> list[str]:
        """The ids on a page; one that cannot be read spoils it, as others may be missing too."""
        members = page.get("value")
        if not isinstance(members, list):
            raise self.refuse("invalid_response", "The answer is not a list.")
        ids = [normalise_guid(one.get("id")) for one in members if isinstance(one, Mapping)]
        good = [found for found in ids if found]
        if len(good) != len(members):
            raise self.refuse("invalid_response", "The answer has an entry without an id.")
        return good

    def check_next(self, url: object) -> str:
        """The address of the next page, which has to be Graph's own."""
        if not isinstance(url, str) or read_origin(url) != self._origin:
            raise self.refuse("invalid_response", "The next page is elsewhere.")
        return url

    def _read_failure(self, response: HttpResponse) -> GraphRefusal:
        status = response.status_code
        error, text = _name_failure(response)
        wait = parse_retry_after(response.headers.get("retry-after"), time.time())
        members = {} if wait is None else {"retry_after": wait}
        return self.refuse(error, text, status=status, **members)


def _name_failure(response: HttpResponse) -> tuple[str, str]:
    """An error of OAuth's kind, so that the operator's page can say who has to act."""
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "temporarily_unavailable", "It cannot answer at the moment."
    is_challenge = find_challenge(status, response.headers) is not None
    if status == HTTPStatus.UNAUTHORIZED or is_challenge:
        return "interaction_required", "It wants to see the person first."
    if status == HTTPStatus.FORBIDDEN:
        return "consent_required", f"The token lacks a permission such as {LEAST_SCOPE}."
    return "invalid_request", "It does not take the question."
