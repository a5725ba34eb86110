"""Tokens of a person for code that runs outside requests: commands, Celery tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth import SESSION_KEY as USER_SESSION_KEY
from django.utils.crypto import constant_time_compare

from django_entra_auth import signals
from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable, build_token_error
from django_entra_auth.models import EntraSignIn
from django_entra_auth.oauth2.errors import make_error
from django_entra_auth.oauth2.token_cache import CachedAccount
from django_entra_auth.sign_ins.account import Account
from django_entra_auth.sign_ins.rows import has_cookie_sessions, open_session

in_request: ContextVar[bool] = ContextVar("django_entra_auth_in_request", default=False)
"""True while a request is answered, also in the threads and tasks that inherit its context."""


class request_scope:  # noqa: N801  read as a function; a generator would cost twice as much
    """Mark what runs inside as part of a request; around a sync call or an `await`."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = in_request.set(True)

    def __exit__(self, *exc: object) -> None:
        in_request.reset(self._token)


class _Live(NamedTuple):
    """A sign-in that is alive: its row, its tokens, its account."""

    row: EntraSignIn
    cache: SignInTokenCache
    account: CachedAccount


class BackgroundTokens:
    """Tokens from a user's latest live sign-in, looked for again at every call.

    So a job that is still running when the person signs out gets nothing any more. What goes wrong
    is told by `token_error`, with no request; that nobody is signed in is no error of a token.
    """

    def __init__(self, user: Any) -> None:
        """Serve this user's tokens."""
        self._user_id = user.pk

    def acquire_token_silent(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        force_refresh: bool = False,
    ) -> dict[str, Any] | None:
        """A token for an API; a dict as MSAL returns it, None when there is no live sign-in.

        `claims_challenge` is JSON text. An outage of the cache is an error dict,
        `temporarily_unavailable`. Raises RuntimeError inside a request.
        """
        _require_no_request()
        rows = _list_rows(self._user_id)
        try:
            live = _find_live(rows)
            result = None if live is None else _ask(live, scopes, claims_challenge, force_refresh)
        except TemporarilyUnavailable:
            text = "The cache that holds the tokens cannot be asked."
            live, result = None, make_error("temporarily_unavailable", text)
        if result is not None and "access_token" not in result:
            account = _name_account(rows[0] if live is None else live.row, live)
            _tell(result, scopes, account)
        return result

    def token(self, scopes: Sequence[str], *, claims_challenge: str | None = None) -> str:
        """An access token, or the exception for what is in the way.

        Raises InteractionRequired when there is no live sign-in, TokenThrottled,
        TemporarilyUnavailable, ConfigurationRejected, and RuntimeError inside a request.
        """
        result = self.acquire_token_silent(scopes, claims_challenge=claims_challenge)
        if result is None:
            text = "There is no live sign-in of this person: they have to sign in again."
            result = make_error("interaction_required", text)
        if "access_token" not in result:
            raise build_token_error(result, scopes=scopes, claims_challenge=claims_challenge)
        return str(result["access_token"])


def tokens_for(user: Any) -> BackgroundTokens:
    """The tokens of a user for background code, from the latest sign-in that is still alive.

    Not for requests, where it raises RuntimeError: a token obtained on one device must never
    serve another. There `request.entra` has the tokens of this browser.
    """
    _require_no_request()
    return BackgroundTokens(user)


def _require_no_request() -> None:
    if in_request.get():
        raise RuntimeError("tokens_for() is for background code; in a request use request.entra.")


def _list_rows(user_id: Any) -> list[EntraSignIn]:
    """The sign-ins of a user, the newest first."""
    rows = EntraSignIn.objects.filter(identity__user_id=user_id).select_related("identity__user")
    return list(rows.order_by("-created", "-pk"))


def _find_live(rows: Iterable[EntraSignIn]) -> _Live | None:
    """The first sign-in whose tokens and session are both there."""
    for row in rows:
        cache = SignInTokenCache(row.id_hash, get_settings())
        account = cache.load_account("")
        if account is not None and _has_session(row):
            return _Live(row, cache, account)
    return None


def _ask(
    live: _Live, scopes: Sequence[str], claims_challenge: str | None, force_refresh: bool
) -> dict[str, Any] | None:
    application = get_application().bind(live.cache)
    return application.acquire_token_silent(
        scopes,
        {"home_account_id": live.account.home_account_id},
        claims_challenge=claims_challenge,
        force_refresh=force_refresh,
    )


def _name_account(row: EntraSignIn, live: _Live | None) -> Account:
    """Whose tokens they are; while the cache is down as far as the row says."""
    identity = row.identity
    return Account(
        tid=identity.tid,
        oid=identity.oid,
        home_account_id=live.account.home_account_id if live else f"{identity.oid}.{identity.tid}",
        username=live.account.username if live else "",
    )


def _tell(result: dict[str, Any], scopes: Sequence[str], account: Account) -> None:
    signals.token_error.send_robust(
        BackgroundTokens,
        request=None,
        result=dict(result),
        scopes=tuple(scopes),
        account=account,
    )


def _has_session(row: EntraSignIn) -> bool:
    """Whether the session would still let its owner in: a row outlives one that expired unseen."""
    user: Any = row.identity.user
    if not getattr(user, "is_active", True):
        return False
    if has_cookie_sessions():
        return True
    session = open_session(row)
    data = {} if session is None else session.load()
    if data.get(USER_SESSION_KEY) != user._meta.pk.value_to_string(user):
        return False
    known = data.get(HASH_SESSION_KEY, "")
    return any(constant_time_compare(known, valid) for valid in _session_hashes(user))


def _session_hashes(user: Any) -> Iterator[str]:
    """What a session of this user may carry; another one has ended by a change of password."""
    if hasattr(user, "get_session_auth_hash"):
        yield user.get_session_auth_hash()
        yield from user.get_session_auth_fallback_hash()
    else:
        yield ""
