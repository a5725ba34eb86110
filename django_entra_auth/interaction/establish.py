"""From a redeemed answer to a signed-in session: which account, which user, which session."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import DatabaseError, transaction
from django.http import HttpRequest

from django_entra_auth import sign_ins
from django_entra_auth.conf import EntraSettings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction.loop_guard import MARKS_KEY
from django_entra_auth.interaction.requirement import Requirement
from django_entra_auth.interaction.resume import FORMS_KEY
from django_entra_auth.interaction.state import name_account
from django_entra_auth.oauth2.accounts import read_home_account_id
from django_entra_auth.provisioning import (
    SignInRefused,
    ValidatedSignIn,
    find_identity,
    is_guest,
)
from django_entra_auth.session import EntraSession
from django_entra_auth.session_entry import (
    BESIDE,
    SESSION_KEY,
    Entry,
    build_entry,
    read_contexts,
)
from django_entra_auth.sign_ins import normalise_guid

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# B2C writes the user flow behind the object id.
_HOME_ACCOUNT_ID = re.compile(rf"{_GUID}(?:-[A-Za-z0-9_-]{{1,64}})?\.{_GUID}")


class SignInBackend(Protocol):
    """What completing a sign-in needs of the authentication backend."""

    def authenticate(
        self, request: HttpRequest | None, sign_in: ValidatedSignIn | None = None
    ) -> Any:
        """The user of a validated sign-in; raises SignInRefused."""


class AccountMismatch(SignInFailed):
    """Another account came back than the one that is signed in, or was asked for.

    `can_try_again` unless the running session is not Entra's: then there is nothing to ask for.
    """

    def __init__(self, *, expected: str, received: str, can_try_again: bool) -> None:
        super().__init__("account_mismatch")
        self.expected_username = expected
        self.received_username = received
        self.can_try_again = can_try_again


def validate_account(result: Mapping[str, Any], settings: EntraSettings) -> ValidatedSignIn:
    """Tenants and guests; the ID token itself has been validated. Raises SignInFailed."""
    claims = dict(result["id_token_claims"])
    for name in ("tid", "oid"):
        claims[name] = normalise_guid(claims.get(name))
        if claims[name] is None:
            raise SignInFailed("invalid_answer", result={"failed_check": name})
    claims["home_account_id"] = _home_account_id(result, claims)
    if not _is_tenant_allowed(claims["tid"], settings):
        raise SignInFailed("tenant_not_allowed", result=describe_account(claims))
    if settings.block_guests and is_guest(claims):
        raise SignInFailed("guest_not_allowed", result=describe_account(claims))
    return ValidatedSignIn(claims)


def _home_account_id(result: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """The id from the token response's `client_info`, else of the account in this tenant.

    Spelled as it came: the token cache knows the account by it.
    """
    found = read_home_account_id(result) or ""
    return found if _HOME_ACCOUNT_ID.fullmatch(found) else f"{claims['oid']}.{claims['tid']}"


def _is_tenant_allowed(tid: str, settings: EntraSettings) -> bool:
    if tid in settings.allowed_tenants or tid == PERSONAL_TENANT:
        return tid in settings.allowed_tenants
    # At one tenant's authority the issuer check has tied the token to it.
    return "*" in settings.allowed_tenants or not (
        settings.allowed_tenants or settings.is_multi_tenant
    )


def describe_account(claims: Mapping[str, Any]) -> dict[str, str]:
    """The two ids, for signals and logs."""
    return {"tid": claims["tid"], "oid": claims["oid"]}


def require_expected(request: HttpRequest, sign_in: ValidatedSignIn, wanted: str) -> None:
    """Raise AccountMismatch for another account than "<oid>.<tid>" `wanted`, or the running one."""
    claims = sign_in.claims
    received = f"{claims['oid']}.{claims['tid']}"
    running = name_account(EntraSession(request).account)
    for expected in filter(None, (wanted, running)):
        if not hmac.compare_digest(expected, received):
            raise _mismatch(request, sign_in)


def _mismatch(request: HttpRequest, sign_in: ValidatedSignIn) -> AccountMismatch:
    account = EntraSession(request).account
    user = request.user
    name = user.get_username() if user.is_authenticated else ""
    return AccountMismatch(
        expected=account.username if account else name,
        received=str(sign_in.claims.get("preferred_username", "")),
        can_try_again=account is not None,
    )


def require_satisfied(
    result: Mapping[str, Any],
    requirement: Requirement,
    *,
    clock: Callable[[], float] = time.time,
) -> None:
    """What was asked for is there: read in the answer, not assumed because it was asked.

    Raises SignInFailed `not_satisfied`, `consent_missing`, or `configuration` when the ID token
    has no `auth_time` to judge an age by.
    """
    claims = result["id_token_claims"]
    if requirement.max_age is not None and not isinstance(claims.get("auth_time"), int):
        text = "The ID token has no auth_time: add the optional claim to the app registration."
        error = {"error": "auth_time_missing", "error_description": text}
        raise SignInFailed("configuration", result=error)
    if requirement.unmet(claims, clock(), contexts=read_contexts(claims)):
        raise SignInFailed("not_satisfied")
    if not requirement.is_granted(result.get("scope")):
        raise SignInFailed("consent_missing")


def establish(
    request: HttpRequest,
    sign_in: ValidatedSignIn,
    backend: SignInBackend,
    *,
    keep_tokens: Callable[[str], None],
    note_end: Callable[[SessionBase], None],
) -> Any:
    """User, tokens, session and sign-in row together, or nothing at all. Returns the user.

    `keep_tokens` gets the new sign-in id; it may raise TemporarilyUnavailable. `note_end` writes
    what else the end of the flow means into the session, under MARKS_KEY and FORMS_KEY.
    """
    was_signed_in = EntraSession(request).is_signed_in
    sign_in_id, replaced = sign_ins.new_sign_in_id(), EntraSession(request).sign_in_id
    over = None
    try:
        with transaction.atomic():
            user = _authenticate(request, sign_in, backend)
            over = sign_in_id
            keep_tokens(sign_in_id)
            _write_session(request, user, sign_in, sign_in_id, note_end)
        over = replaced
    except UpdateError as exc:  # signed out elsewhere in the meantime
        request.session.flush()
        raise SignInFailed("session_ended") from exc
    except DatabaseError:
        if not was_signed_in:
            request.session.flush()
        raise
    finally:
        # The new sign-in if it failed half-way, else the one it took the place of.
        if over:
            sign_ins.drop_tokens(sign_ins.hash_id(over))
    return user


def _authenticate(request: HttpRequest, sign_in: ValidatedSignIn, backend: SignInBackend) -> Any:
    try:
        user = backend.authenticate(request, sign_in=sign_in)
    except SignInRefused as refusal:
        account = describe_account(sign_in.claims)
        user_login_failed.send(__name__, credentials=account, request=request)
        if refusal.reason == "account_mismatch":
            raise _mismatch(request, sign_in) from refusal
        raise SignInFailed(refusal.reason, result=account) from refusal
    if user is None:
        raise SignInFailed("user_unknown", result=describe_account(sign_in.claims))
    return user


def _write_session(
    request: HttpRequest,
    user: Any,
    sign_in: ValidatedSignIn,
    sign_in_id: str,
    note_end: Callable[[SessionBase], None],
) -> None:
    """Rotate the session for a first sign-in; a second prompt keeps session key and CSRF secret."""
    current = EntraSession(request)
    replaces = current.sign_in_id
    backend_path = user.backend
    contexts = current.contexts if current.is_signed_in else {}
    if not current.is_signed_in:
        login(request, user, backend=backend_path)
    request.session[SESSION_KEY] = build_entry(
        sign_in.claims,
        sign_in_id=sign_in_id,
        home_account_id=sign_in.home_account_id,
        backend=backend_path,
        contexts=contexts,
    )
    note_end(request.session)
    request.session.save()
    identity = find_identity(sign_in.claims)
    assert identity is not None  # noqa: S101  the backend has just linked it
    sign_ins.start(
        sign_in_id,
        identity=identity,
        claims=sign_in.claims,
        session=request.session,
        replaces=replaces,
        entry=_describe_end(request.session),
    )


def _describe_end(session: SessionBase) -> Entry:
    """For requests under way that write the older session back: all that they overwrite."""
    beside = {key: session[key] for key in (MARKS_KEY, FORMS_KEY) if key in session}
    return {**session[SESSION_KEY], BESIDE: beside}
