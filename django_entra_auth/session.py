"""`request.entra`: what the session says about an Entra sign-in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest

from django_entra_auth import sign_ins
from django_entra_auth.cache.single_flight import share_call
from django_entra_auth.client import get_application
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.errors import make_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SESSION_KEY = "_entra"
SESSION_MAX_BYTES = 1500
TEXT_MAX_CHARS = 512
ROLES_MAX_BYTES = 1024

# Kept from the ID token, in the order in which they are given up when the session would grow
# too large: the last are dropped first. Groups are never kept.
KEPT_CLAIMS = (
    "tid",
    "oid",
    "preferred_username",
    "auth_time",
    "acrs",
    "acct",
    "sid",
    "name",
    "login_hint",
    "email",
    "idp",
    "roles",
)


@dataclass(frozen=True, slots=True)
class Account:
    """An Entra account. `tid` and `oid` identify it; `username` is for display alone."""

    tid: str
    oid: str
    home_account_id: str
    username: str


class EntraSession:
    """What is known of the sign-in behind a request; reads nothing until it is asked."""

    def __init__(self, request: HttpRequest, user: Any = None) -> None:
        """Look at `request` lazily; `user` when it is already loaded (async views)."""
        self._request = request
        self._user = user

    @property
    def is_signed_in(self) -> bool:
        """Whether this session was signed in through Entra, and the user is still let in."""
        return self._entry is not None and self._is_authenticated

    @property
    def claims(self) -> dict[str, Any]:
        """`KEPT_CLAIMS` of the validated ID token, as far as they were there; a copy."""
        return dict(self._entry["claims"]) if self._entry and self._is_authenticated else {}

    @property
    def account(self) -> Account | None:
        """The account, or None for people who are not signed in through Entra."""
        claims = self.claims
        if not claims:
            return None
        assert self._entry is not None  # noqa: S101  claims come from it
        return Account(
            tid=claims["tid"],
            oid=claims["oid"],
            home_account_id=self._entry["home"],
            username=claims.get("preferred_username", ""),
        )

    def acquire_token_silent(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        force_refresh: bool = False,
    ) -> dict[str, Any] | None:
        """A token for an API, without asking the person; a dict as MSAL returns it.

        At most one cache read while a good token is there, none while this process has read it
        within LOCAL_COPY_SECONDS. `claims_challenge` is JSON text. None when there is nothing to
        work with: not signed in through Entra, or the tokens were evicted. An outage of the cache
        is an error dict, `temporarily_unavailable`.
        """
        entry = self._entry
        if entry is None or not self._is_authenticated:
            return None
        application = get_application().bind(sign_ins.open_token_cache(entry["id"]))
        try:
            return application.acquire_token_silent(
                list(scopes),
                {"home_account_id": entry["home"]},
                claims_challenge=claims_challenge,
                force_refresh=force_refresh,
            )
        except TemporarilyUnavailable:
            text = "The cache that holds the tokens cannot be asked."
            return make_error("temporarily_unavailable", text)

    async def aacquire_token_silent(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        force_refresh: bool = False,
    ) -> dict[str, Any] | None:
        """`acquire_token_silent` for async views; tasks that ask the same share one call."""

        async def acquire() -> dict[str, Any] | None:
            return await sync_to_async(self.acquire_token_silent, thread_sensitive=False)(
                scopes, claims_challenge=claims_challenge, force_refresh=force_refresh
            )

        key = (self.sign_in_id, tuple(scopes), claims_challenge, force_refresh)
        result = await share_call(key, acquire)
        return None if result is None else dict(result)

    @property
    def sign_in_id(self) -> str | None:
        """The secret id of this sign-in; for this app's own use."""
        return self._entry["id"] if self._entry else None

    @property
    def _entry(self) -> dict[str, Any] | None:
        session = self._request.session
        entry = session.get(SESSION_KEY)
        # Somebody who has since signed in by another backend keeps the session's data.
        if entry is None or entry["backend"] != session.get(BACKEND_SESSION_KEY):
            return None
        return dict(entry)

    @property
    def _is_authenticated(self) -> bool:
        user = self._request.user if self._user is None else self._user
        return bool(user.is_authenticated)


class EntraHttpRequest(HttpRequest):
    """An HttpRequest as `EntraAuthMiddleware` leaves it, for type checkers."""

    if TYPE_CHECKING:
        entra: EntraSession
        aentra: Callable[[], Awaitable[EntraSession]]


async def load_entra_session(request: HttpRequest) -> EntraSession:
    """Load session and user first, so that nothing after it blocks the event loop."""
    await request.session.aget(SESSION_KEY)
    return EntraSession(request, await request.auser())


def build_entry(
    claims: Mapping[str, Any], *, sign_in_id: str, home_account_id: str, backend: str
) -> dict[str, Any]:
    """The session's entry for a sign-in; at most SESSION_MAX_BYTES as JSON."""
    kept = {name: claims[name] for name in KEPT_CLAIMS if _is_small(name, claims.get(name))}
    entry = {"id": sign_in_id, "home": home_account_id, "backend": backend, "claims": kept}
    for name in reversed(KEPT_CLAIMS[2:]):
        if len(json.dumps(entry)) <= SESSION_MAX_BYTES:
            break
        kept.pop(name, None)
    return entry


def _is_small(name: str, value: Any) -> bool:
    if name == "roles":
        return isinstance(value, list) and len(json.dumps(value)) <= ROLES_MAX_BYTES
    if isinstance(value, str):
        return len(value) <= TEXT_MAX_CHARS
    return isinstance(value, int | list)
