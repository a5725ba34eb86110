"""Asks Entra from time to time whether a signed-in person may still be here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.http import HttpRequest

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import (
    InteractionRequired,
    SignInFailed,
    TemporarilyUnavailable,
    build_token_error,
)
from django_entra_auth.group_membership import complete_groups
from django_entra_auth.interaction.establish import validate_account
from django_entra_auth.interaction.next_url import APP_NAME
from django_entra_auth.interaction.prompt import find_first_scopes
from django_entra_auth.oauth2 import classify
from django_entra_auth.provisioning import apply_roles
from django_entra_auth.session import EntraSession
from django_entra_auth.session_entry import SESSION_KEY, renew_entry
from django_entra_auth.sign_ins import has_ended, open_token_cache
from django_entra_auth.sign_ins.rows import has_cookie_sessions

PAUSE_SECONDS = 60
# The account is disabled, unknown or deleted: no prompt could help.
GONE = frozenset({50034, 50057, 500341})
# In an answer: the groups could not be told for now, and after how many seconds to ask again.
AGAIN_IN = "groups_again_in"
# What a check returns when another request of the same session has just made it.
ASKED_ALREADY = {"token_source": "cache"}

Result = Mapping[str, Any]

logger = logging.getLogger(__name__)


class ClaimsJudge(Protocol):
    """What a check needs of the authentication backend."""

    def verify_claims(self, claims: Mapping[str, Any]) -> bool:
        """Whether the account may be signed in at all."""


def is_due(request: HttpRequest, *, clock: Callable[[], float] = time.time) -> bool:
    """Whether this session was last checked longer ago than REVALIDATE_SECONDS; reads no store.

    Never on this app's own pages: signing out must not ask for a prompt first.
    """
    entry = request.session.get(SESSION_KEY)
    if entry is None or is_own_page(request):
        return False
    seconds = get_settings().revalidate_seconds
    return seconds is not None and clock() - entry.get("checked", 0) >= seconds


def is_own_page(request: HttpRequest) -> bool:
    """Whether a page of this app is asked for."""
    match = request.resolver_match
    return match is not None and APP_NAME in match.app_names


def has_ended_elsewhere(request: HttpRequest, user: Any) -> bool:
    """Whether the sign-in was ended elsewhere while its session lives on in a signed cookie.

    One cache read, to be asked with that session engine alone: nobody can delete such a session.
    """
    if not user.is_authenticated:
        return False
    sign_in_id = EntraSession(request, user).sign_in_id
    return sign_in_id is not None and has_ended(sign_in_id)


def revalidate(
    request: HttpRequest,
    user: Any,
    backend: ClaimsJudge,
    *,
    clock: Callable[[], float] = time.time,
) -> bool:
    """Ask once; whether the person stays signed in.

    Roles and groups are brought up to date. Someone who is gone is signed out. Raises
    InteractionRequired when Entra wants to see the person. Trouble that passes changes nothing.
    """
    entra = EntraSession(request, user)
    if not entra.is_signed_in:
        return bool(user.is_authenticated)
    result = _ask_once(request, entra)
    if "error" not in result:
        return _apply(request, user, backend, result, clock())
    if _is_gone(result):
        logger.warning("A person was signed out: Entra no longer knows the account or its grant")
        return _sign_out(request)
    needed = build_token_error(result)
    if isinstance(needed, InteractionRequired):
        raise needed
    return _note_check(request, {}, _time_to_check_in(PAUSE_SECONDS, clock()))


def _ask_once(request: HttpRequest, entra: EntraSession) -> Result:
    """Entra's answer; of all requests that bring the same state of a session, one asks."""
    sign_in_id, checked = str(entra.sign_in_id), request.session[SESSION_KEY].get("checked", 0)
    key, entries = build_key("checked", sign_in_id, str(checked)), Entries(get_settings())

    def ask() -> dict[str, Any]:
        if entries.load(key) is not None:
            return dict(ASKED_ALREADY)
        scopes = find_first_scopes(get_settings())
        result = entra.acquire_token_silent(scopes, force_refresh=True)
        if result is None:
            return {"error": "interaction_required"}
        if "error" in result:
            return result
        entries.save(key, 1, PAUSE_SECONDS)
        return _complete(request, entra, result)

    try:
        return open_token_cache(sign_in_id).single_flight(key, ask) or ASKED_ALREADY
    except TemporarilyUnavailable as outage:
        return outage.result


def _complete(request: HttpRequest, entra: EntraSession, result: dict[str, Any]) -> dict[str, Any]:
    """The answer with the person's groups, asked for by the one request that speaks for all."""
    claims = result.get("id_token_claims")
    if claims is None:
        return result
    membership = complete_groups(request, claims, get_settings(), entra.acquire_token_silent)
    completed = {**result, "id_token_claims": dict(membership.claims)}
    if membership.is_passing:
        completed[AGAIN_IN] = max(membership.retry_after, PAUSE_SECONDS)
    return completed


def _apply(
    request: HttpRequest, user: Any, backend: ClaimsJudge, result: Result, now: float
) -> bool:
    if "id_token_claims" not in result:  # another request of this session has just asked
        return _note_check(request, {}, now)
    claims = _find_allowed(result, backend)
    if claims is None:
        logger.warning("A person was signed out: the account may no longer sign in here")
        return _sign_out(request)
    # Groups that Graph could not tell give nothing: privileges are refused rather than guessed.
    apply_roles(user, claims, get_settings())
    again_in = result.get(AGAIN_IN)
    checked = now if again_in is None else _time_to_check_in(again_in, now)
    return _note_check(request, claims, checked)


def _find_allowed(result: Result, backend: ClaimsJudge) -> Mapping[str, Any] | None:
    """The claims as a sign-in has them, None when a sign-in with them would be refused."""
    try:
        claims = validate_account(result, get_settings()).claims
    except SignInFailed:
        return None
    if AGAIN_IN in result:
        # The site's own rule may go by groups, and Graph being down signs nobody out.
        return claims
    return claims if backend.verify_claims(claims) else None


def check_again_soon(session: SessionBase, seconds: float) -> None:
    """Let the next check of a session come in `seconds`, at least PAUSE_SECONDS; not saved."""
    when = _time_to_check_in(max(seconds, PAUSE_SECONDS), time.time())
    session[SESSION_KEY] = {**session[SESSION_KEY], "checked": int(when)}


def _time_to_check_in(seconds: float, now: float) -> float:
    """When the last check must have been for the next to come due in `seconds`."""
    return now - (get_settings().revalidate_seconds or 0) + seconds


def _note_check(request: HttpRequest, claims: Mapping[str, Any], now: float) -> bool:
    """Write down that the check was made; False when the session has been ended meanwhile."""
    session = request.session
    session[SESSION_KEY] = renew_entry(session[SESSION_KEY], claims, now=now)
    if has_cookie_sessions():
        return True
    try:
        # At once: requests that come while the view runs must not ask too, and Django would not
        # save it with an answer of status 5xx.
        session.save()
    except UpdateError:
        return _sign_out(request)
    return True


def _sign_out(request: HttpRequest) -> bool:
    logout(request)
    return False


def _is_gone(result: Result) -> bool:
    return result.get("suberror") == "bad_token" or classify(result).number in GONE
