"""Says for an error dictionary who must act and what helps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import aadsts
from .aadsts import Actor, Category
from .aadsts.entry import gettext_noop as _

_TRANSIENT_STATUS: Final = 500
_THROTTLED_STATUS: Final = 429
_NUMBER_IN_TEXT = re.compile(r"\s*AADSTS(\d{4,9})\b")

_BY_SUBERROR: Final[dict[str, Category]] = {
    "additional_action": "additional_action",
    "bad_token": "expired_grant",
    "basic_action": "interaction",
    "client_mismatch": "expired_grant",
    "consent_required": "consent",
    "device_authentication_failed": "additional_action",
    "message_only": "blocked",
    "protection_policy_required": "blocked",
    "token_expired": "expired_grant",
    "user_password_expired": "password_change",
    "ux_not_allowed": "interaction",
}

_BY_ERROR: Final[dict[str, Category]] = {
    "access_denied": "cancelled",
    "authorization_declined": "cancelled",
    "authorization_pending": "interaction",
    "bad_verification_code": "interaction",
    "consent_required": "consent",
    "credential_unavailable": "configuration",
    "expired_token": "expired_grant",
    "interaction_required": "interaction",
    "invalid_authority_metadata": "configuration",
    "invalid_client": "configuration",
    "invalid_id_token": "invalid_answer",
    "invalid_instance": "configuration",
    "invalid_request": "configuration",
    "invalid_resource": "configuration",
    "invalid_response": "invalid_answer",
    "invalid_scope": "configuration",
    "invalid_tenant": "configuration",
    "login_required": "interaction",
    "permission_denied": "cancelled",
    "server_error": "transient",
    "service_unavailable": "transient",
    "slow_down": "throttled",
    "temporarily_unavailable": "transient",
    "unauthorized_client": "configuration",
    "unsupported_grant_type": "configuration",
    "unsupported_response_type": "configuration",
    "user_password_expired": "password_change",
}

KNOWN_ERRORS: Final = frozenset(_BY_ERROR) | {"invalid_grant"}
KNOWN_SUBERRORS: Final = frozenset(_BY_SUBERROR)

_DEFAULTS: Final[dict[Category, tuple[Actor, str, str]]] = {
    "interaction": (
        "person",
        _("Your organization asks for another sign-in step"),
        _("Sign in again and follow the steps on the sign-in page."),
    ),
    "additional_action": (
        "person",
        _("Your organization asks for something outside the sign-in page"),
        _(
            "Follow your organization's instructions, for example register this device,"
            " and try again."
        ),
    ),
    "consent": (
        "person",
        _("The application has not been granted the permissions it asks for"),
        _("Sign in again and accept the permissions, or ask an administrator to accept them."),
    ),
    "password_change": (
        "person",
        _("The password has to be changed"),
        _("Sign in again and change the password on the sign-in page."),
    ),
    "blocked": (
        "administrator",
        _("Your organization's policy does not allow this"),
        _("Give the error number and the correlation id to your administrator."),
    ),
    "expired_grant": ("person", _("The sign-in has ended"), _("Sign in again.")),
    "throttled": (
        "nobody",
        _("Too many requests"),
        _("Wait for the time shown and try again."),
    ),
    "transient": (
        "nobody",
        _("The sign-in service does not answer properly at the moment"),
        _("Try again in a few minutes."),
    ),
    "configuration": (
        "operator",
        _("The application is not set up correctly"),
        _("Give the error number and the correlation id to the operator of this application."),
    ),
    "cancelled": ("person", _("The sign-in was cancelled"), _("Start again whenever you like.")),
    "invalid_answer": (
        "operator",
        _("The sign-in service sent an answer that cannot be accepted"),
        _("Try again; if it happens again, tell the operator of this application."),
    ),
}


@dataclass(frozen=True)
class Classification:
    """What an error dictionary means: ``number`` is the AADSTS number, where one is known."""

    category: Category
    actor: Actor
    number: int | None
    title: str
    remedy: str


def classify(result: Mapping[str, Any]) -> Classification:
    """Return who must act on the error dictionary ``result`` and what helps.

    The category comes from the HTTP status, ``suberror``, ``error`` and ``claims``, which are
    Entra's stable contract. The AADSTS number decides only where those leave the matter open
    (an ``invalid_grant`` alone); otherwise it only chooses the help text. Never raises: what
    cannot be read is an ``invalid_answer``.
    """
    number = _read_number(result)
    entry = None if number is None else aadsts.find(number)
    category = _categorize(result, entry)
    actor, title, remedy = _DEFAULTS[category]
    if entry is None:
        return Classification(category, actor, number, title, remedy)
    if entry.category == category:
        actor = entry.actor
    return Classification(category, actor, number, entry.title, entry.remedy)


def _categorize(result: Mapping[str, Any], entry: aadsts.Entry | None) -> Category:
    status, error = result.get("status"), result.get("error")
    if status == _THROTTLED_STATUS:
        return "throttled"
    if isinstance(status, int) and status >= _TRANSIENT_STATUS:
        return "transient"
    if not isinstance(error, str):
        return "invalid_answer"
    suberror = result.get("suberror")
    if isinstance(suberror, str) and suberror in _BY_SUBERROR:
        return _BY_SUBERROR[suberror]
    return _BY_ERROR.get(error) or _categorize_open(error, bool(result.get("claims")), entry)


def _categorize_open(error: str, has_claims: bool, entry: aadsts.Entry | None) -> Category:
    """Decide for an ``invalid_grant`` without a known sub-error, or an error nobody listed."""
    if has_claims:
        return "interaction"
    if entry is not None:
        return entry.category
    # Without more to go by, a prompt is the one thing that can still help a person.
    return "interaction" if error == "invalid_grant" else "configuration"


def _read_number(result: Mapping[str, Any]) -> int | None:
    codes = result.get("error_codes")
    if isinstance(codes, list) and codes and type(codes[0]) is int:
        return codes[0]
    text = result.get("error_description")
    # Redirected errors carry the number only at the start of their text.
    match = _NUMBER_IN_TEXT.match(text) if isinstance(text, str) else None
    return int(match[1]) if match else None
