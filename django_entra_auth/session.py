"""`request.entra`: what the session says about an Entra sign-in, and tokens for APIs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest

from django_entra_auth import sign_ins, signals
from django_entra_auth.cache.single_flight import share_call
from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.downstream import Headers, TokenAuth, find_challenge
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.errors import make_error
from django_entra_auth.request_tokens import RequestTokens, need_person, read_token
from django_entra_auth.session_entry import BESIDE, SESSION_KEY, Entry
from django_entra_auth.sign_ins.account import Account

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["Account", "EntraHttpRequest", "EntraSession", "load_entra_session"]

# Tokens this request has had already: a view's own use after the decorator's costs nothing.
MEMO_ATTRIBUTE = "_entra_tokens"
MEMO_SECONDS = 15

Result = dict[str, Any]
MemoKey = tuple[str, frozenset[str]]  # the sign-in's id, the scopes


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
        entry = self._entry
        return {} if entry is None or not self._is_authenticated else dict(entry["claims"])

    @property
    def account(self) -> Account | None:
        """The account, or None for people who are not signed in through Entra."""
        entry = self._entry
        if entry is None or not self._is_authenticated:
            return None
        claims = entry["claims"]
        return Account(
            tid=claims["tid"],
            oid=claims["oid"],
            home_account_id=entry["home"],
            username=claims.get("preferred_username", ""),
        )

    @property
    def contexts(self) -> dict[str, int]:
        """The authentication contexts that still count, with the time of their prompt.

        Epoch seconds; they count for STEP_UP_SECONDS.
        """
        entry, seconds = self._entry, get_settings().step_up_seconds
        if entry is None or not self._is_authenticated:
            return {}
        now, satisfied = time.time(), entry.get("contexts", {})
        return {name: when for name, when in satisfied.items() if now - when < seconds}

    def acquire_token_silent(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        force_refresh: bool = False,
    ) -> Result | None:
        """A token for an API, without asking the person; a dict as MSAL returns it.

        At most one cache read while a good token is there, none while this process has read it
        within LOCAL_COPY_SECONDS or this request has had it. `claims_challenge` is JSON text.
        None when there is nothing to work with: not signed in through Entra, or the tokens were
        evicted. An outage of the cache is an error dict, `temporarily_unavailable`.
        """
        must_be_new = bool(claims_challenge) or force_refresh
        key, known = self._find_at_hand(scopes, must_be_new=must_be_new)
        if key is None or known is not None:
            return known
        return self._note(key, self._acquire(scopes, claims_challenge, force_refresh), scopes)

    async def aacquire_token_silent(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        force_refresh: bool = False,
    ) -> Result | None:
        """`acquire_token_silent` for async views; tasks that ask the same share one call.

        A token in this process's own copy needs no thread. Load the session first:
        `await request.aentra()`.
        """
        must_be_new = bool(claims_challenge) or force_refresh
        key, known = self._find_at_hand(scopes, must_be_new=must_be_new)
        if key is None or known is not None:
            return known

        async def acquire() -> Result | None:
            return await sync_to_async(self._acquire, thread_sensitive=False)(
                scopes, claims_challenge, force_refresh
            )

        result = await share_call((key, claims_challenge, force_refresh), acquire)
        return self._note(key, result, scopes)

    def token(self, scopes: Sequence[str]) -> str:
        """An access token, or an exception that the middleware answers.

        Raises InteractionRequired, TokenThrottled, TemporarilyUnavailable, ConfigurationRejected.
        """
        return read_token(self.acquire_token_silent(scopes), scopes)

    async def atoken(self, scopes: Sequence[str]) -> str:
        """`token` for async views."""
        return read_token(await self.aacquire_token_silent(scopes), scopes)

    def auth(self, scopes: Sequence[str], origin: str | None = None) -> TokenAuth:
        """The `auth=` of a requests call: a token, and an API's claims challenge answered once.

        `origin` ("https://api.example") is the only one the token may go to; without it, the
        first one asked. Graph's tokens go to Graph alone. See `downstream.TokenAuth`.
        """
        settings = get_settings()
        return TokenAuth(
            RequestTokens(self, self._forget_copies),
            scopes,
            authority=settings.authority,
            origin=origin,
            allow_loopback=settings.local_emulator,
        )

    def raise_for_challenge(self, status: int, headers: Headers, scopes: Sequence[str]) -> None:
        """Raise InteractionRequired when an API's answer is a claims challenge.

        For HTTP clients other than requests; no I/O, so it serves async views too. `headers` is
        a mapping or pairs.
        """
        claims = find_challenge(status, headers)
        if claims is not None:
            raise need_person(scopes, claims)

    @property
    def sign_in_id(self) -> str | None:
        """The secret id of this sign-in; for this app's own use."""
        entry = self._entry
        return None if entry is None else entry["id"]

    def heal(self) -> bool:
        """Follow a session that was written back from before a prompt to what replaced it.

        Returns whether there was something to follow. One cache read, so only for when something
        is missing.
        """
        entry = self._entry
        successor = sign_ins.find_successor(entry["id"]) if entry else None
        if successor is None:
            return False
        session, beside = self._request.session, successor.pop(BESIDE, {})
        session[SESSION_KEY] = {**(entry or {}), **successor}
        for key, kept in beside.items():
            session[key] = {**session.get(key, {}), **kept}
        return True

    @property
    def _entry(self) -> Entry | None:
        """What the session keeps of the sign-in, to be read only; a hit looks once."""
        session = self._request.session
        entry: Entry | None = session.get(SESSION_KEY)
        # Somebody who has since signed in by another backend keeps the session's data.
        if entry is None or entry["backend"] != session.get(BACKEND_SESSION_KEY):
            return None
        return entry

    @property
    def _is_authenticated(self) -> bool:
        user = self._request.user if self._user is None else self._user
        return bool(user.is_authenticated)

    def _acquire(
        self, scopes: Sequence[str], claims_challenge: str | None, force_refresh: bool
    ) -> Result | None:
        try:
            result = self._ask(scopes, claims_challenge, force_refresh)
            if result is None and self.heal():
                result = self._ask(scopes, claims_challenge, force_refresh)
        except TemporarilyUnavailable:
            text = "The cache that holds the tokens cannot be asked."
            return make_error("temporarily_unavailable", text)
        return result

    def _ask(
        self, scopes: Sequence[str], claims_challenge: str | None, force_refresh: bool
    ) -> Result | None:
        entry = self._entry
        if entry is None:
            return None
        seconds = self._request.session.get_expiry_age
        cache = sign_ins.open_token_cache(entry["id"], session_seconds=seconds)
        return (
            get_application()
            .bind(cache)
            .acquire_token_silent(
                scopes,
                {"home_account_id": entry["home"]},
                claims_challenge=claims_challenge,
                force_refresh=force_refresh,
            )
        )

    def _find_at_hand(
        self, scopes: Sequence[str], *, must_be_new: bool
    ) -> tuple[MemoKey | None, Result | None]:
        """Whose token is asked for, None for nobody's, and a good one that is had without I/O."""
        entry = self._entry
        if entry is None or not self._is_authenticated:
            return None, None
        key = entry["id"], frozenset(scopes)
        if must_be_new:
            self._forget_noted()
            return key, None
        return key, self._recall(key, scopes)

    def _recall(self, key: MemoKey, scopes: Sequence[str]) -> Result | None:
        """What this request has had already, or this process has read a moment ago."""
        noted = self._request.__dict__.get(MEMO_ATTRIBUTE)
        known = None if noted is None else noted.get(key)
        if known is not None and time.monotonic() - known[0] <= MEMO_SECONDS:
            return dict(known[1])
        return self._note(key, sign_ins.find_local_token(key[0], scopes), scopes)

    def _note(self, key: MemoKey, result: Result | None, scopes: Sequence[str]) -> Result | None:
        """Remember a token for this request; tell about an error."""
        if result is None:
            return None
        if "access_token" in result:
            memo = self._request.__dict__.setdefault(MEMO_ATTRIBUTE, {})
            memo[key] = (time.monotonic(), result)
        elif "error" in result:  # B2C gives no access token where no API was asked for
            signals.token_error.send_robust(
                EntraSession,
                request=self._request,
                result=dict(result),
                scopes=tuple(scopes),
                account=self.account,
            )
        return dict(result)

    def _forget_noted(self) -> None:
        self._request.__dict__.pop(MEMO_ATTRIBUTE, None)

    def _forget_copies(self) -> None:
        """Ask the shared cache next: what this request or this process holds was refused."""
        self._forget_noted()
        if (sign_in_id := self.sign_in_id) is not None:
            sign_ins.drop_local_copies(sign_in_id)


class EntraHttpRequest(HttpRequest):
    """An HttpRequest as `EntraAuthMiddleware` leaves it, for type checkers."""

    if TYPE_CHECKING:
        entra: EntraSession
        aentra: Callable[[], Awaitable[EntraSession]]


async def load_entra_session(request: HttpRequest) -> EntraSession:
    """Load session and user first, so that nothing after it blocks the event loop."""
    await request.session.aget(SESSION_KEY)
    return EntraSession(request, await request.auser())
