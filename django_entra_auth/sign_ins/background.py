"""Tokens of a person for code that runs outside requests: commands, Celery tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth import SESSION_KEY as USER_SESSION_KEY
from django.utils.crypto import constant_time_compare

from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable, build_token_error
from django_entra_auth.models import EntraSignIn
from django_entra_auth.oauth2.errors import make_error
from django_entra_auth.oauth2.token_cache import CachedAccount
from django_entra_auth.sign_ins.rows import has_cookie_sessions, open_session

in_request: ContextVar[bool] = ContextVar("django_entra_auth_in_request", default=False)
"""True while a request is answered, also in the threads and tasks that inherit its context."""


@contextmanager
def request_scope() -> Iterator[None]:
    """Mark what runs inside as part of a request; around a sync call or an `await`."""
    token = in_request.set(True)
    try:
        yield
    finally:
        in_request.reset(token)


class BackgroundTokens:
    """Tokens from a user's latest live sign-in, looked for again at every call.

    So a job that is still running when the person signs out gets nothing any more.
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
        try:
            found = _find_live(self._user_id)
            if found is None:
                return None
            cache, account = found
            return (
                get_application()
                .bind(cache)
                .acquire_token_silent(
                    list(scopes),
                    {"home_account_id": account.home_account_id},
                    claims_challenge=claims_challenge,
                    force_refresh=force_refresh,
                )
            )
        except TemporarilyUnavailable:
            text = "The cache that holds the tokens cannot be asked."
            return make_error("temporarily_unavailable", text)

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


def _find_live(user_id: Any) -> tuple[SignInTokenCache, CachedAccount] | None:
    """The newest sign-in whose tokens and session are both there."""
    rows = EntraSignIn.objects.filter(identity__user_id=user_id).select_related("identity__user")
    for row in rows.order_by("-created", "-pk"):
        cache = SignInTokenCache(row.id_hash, get_settings())
        account = cache.load_account("")
        if account is not None and _has_session(row):
            return cache, account
    return None


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
