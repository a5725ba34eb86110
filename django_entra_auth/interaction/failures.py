"""What a person is told when a sign-in fails: our own words, a status, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.oauth2 import classify
from django_entra_auth.sign_ins import normalise_guid

Text = str | Promise

# Entra says access_denied both to "Cancel" and to "No": only the number tells them apart.
DECLINED = 65004

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ")

_BY_CATEGORY = {
    "additional_action": "interaction_needed",
    "blocked": "blocked",
    "cancelled": "cancelled",
    "configuration": "configuration",
    "consent": "consent_missing",
    "expired_grant": "code_rejected",
    "interaction": "interaction_needed",
    "invalid_answer": "invalid_answer",
    "password_change": "interaction_needed",
    "throttled": "throttled",
    "transient": "unavailable",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """The page of a reason. `can_retry` offers the link that starts again."""

    status: int
    title: Text
    message: Text
    advice: Text = ""
    can_retry: bool = True


_AGAIN = _("Please sign in again.")
_ADMIN = _("Ask your administrator for access and give them the details below.")
_LATER = _("Please try again in a moment. You have not lost anything.")

FAILURES: Mapping[str, Failure] = {
    "state_missing": Failure(
        400, _("This sign-in cannot be continued"),
        _("The page was opened without the details that belong to a sign-in."), _AGAIN,
    ),
    "state_invalid": Failure(
        400, _("This sign-in cannot be continued"),
        _("The address of this page was changed or is incomplete."), _AGAIN,
    ),
    "state_expired": Failure(
        400, _("This sign-in took too long"),
        _("A sign-in has to be finished within a limited time."), _AGAIN,
    ),
    "oversized": Failure(
        400, _("This sign-in cannot be continued"),
        _("The answer that came back was larger than it can be."), _AGAIN,
    ),
    "code_missing": Failure(
        400, _("This sign-in cannot be continued"),
        _("The answer that came back was incomplete."), _AGAIN,
    ),
    "browser_mismatch": Failure(
        400, _("This sign-in was started elsewhere"),
        _("Your browser did not send back the cookie that belongs to this sign-in."),
        _("Allow cookies for this site, close other sign-in tabs, and sign in again."),
    ),
    "replayed": Failure(
        400, _("This sign-in was already used"),
        _("Each sign-in works once."), _AGAIN,
    ),
    "code_rejected": Failure(
        400, _("This sign-in is no longer valid"),
        _("It was used before or took too long."), _AGAIN,
    ),
    "session_ended": Failure(
        400, _("You were signed out in the meantime"),
        _("Your session ended while you were signing in."), _AGAIN,
    ),
    "cancelled": Failure(
        403, _("You cancelled the sign-in"),
        _("You are not signed in."), _("Sign in again whenever you like."),
    ),
    "consent_missing": Failure(
        403, _("Permission was not given"),
        _("This site may not act for you without your consent, or that of your organisation."),
        _ADMIN,
    ),
    "interaction_needed": Failure(
        403, _("Microsoft needs something more from you"),
        _("Your organisation asks for a further step before you can sign in."), _AGAIN,
    ),
    "blocked": Failure(
        403, _("Your organisation does not allow this sign-in"),
        _("A rule of your organisation blocks it."), _ADMIN,
    ),
    "invalid_answer": Failure(
        403, _("The sign-in could not be verified"),
        _("What came back did not pass our checks, so you are not signed in."),
        _("Please try again. If it happens again, tell the people who run this site."),
    ),
    "tenant_not_allowed": Failure(
        403, _("Your organisation has no access here"),
        _("This site is not open to the organisation of the account you used."),
        _("Sign in with another account, or ask the people who run this site."),
    ),
    "guest_not_allowed": Failure(
        403, _("Guests have no access here"),
        _("The account you used is a guest of this organisation."),
        _("Sign in with another account, or ask the people who run this site."),
    ),
    "user_unknown": Failure(
        403, _("You have no account here"),
        _("You signed in with Microsoft, but this site does not know you yet."), _ADMIN,
    ),
    "user_disabled": Failure(
        403, _("Your account here is disabled"),
        _("You signed in with Microsoft, but your account on this site is switched off."), _ADMIN,
    ),
    "claims_refused": Failure(
        403, _("Your account may not sign in here"),
        _("You signed in with Microsoft, but this site does not accept the account."), _ADMIN,
    ),
    "too_many": Failure(
        429, _("Too many failed sign-ins"),
        _("There were too many failed sign-ins from this browser or network."),
        _("Wait ten minutes, then try again."),
    ),
    "configuration": Failure(
        500, _("Sign-in is not working"),
        _("There is a fault in how this site is connected to Microsoft."),
        _("Tell the people who run this site and give them the details below."),
    ),
    "throttled": Failure(
        503, _("Microsoft is busy"),
        _("Microsoft asked this site to wait before the next sign-in."), _LATER,
    ),
    "unavailable": Failure(
        503, _("Microsoft cannot be reached"),
        _("The sign-in service did not answer as it should."), _LATER,
    ),
    "cache_unavailable": Failure(
        503, _("Sign-in is not possible right now"),
        _("A part of this site is not available."), _LATER,
    ),
}  # fmt: skip


def reason_for(result: Mapping[str, Any]) -> str:
    """The reason behind an error dict."""
    found = classify(result)
    if found.number == DECLINED and result.get("error_subcode") != "cancel":
        return "consent_missing"
    return _BY_CATEGORY[found.category]


def get_failure(reason: str) -> Failure:
    """The page of a reason; an override's own reasons read like a refused account."""
    return FAILURES.get(reason, FAILURES["claims_refused"])


def build_details(failure: SignInFailed) -> list[tuple[Text, str]]:
    """What an administrator needs: numbers and ids alone, never a provider's text."""
    result = failure.result
    number = classify(result).number if "error" in result else None
    ids = [
        (_("Correlation ID"), normalise_guid(result.get("correlation_id"))),
        (_("Trace ID"), normalise_guid(result.get("trace_id"))),
        (_("Tenant ID"), normalise_guid(result.get("tid"))),
        (_("Object ID"), normalise_guid(result.get("oid"))),
    ]
    time = str(result.get("timestamp", ""))
    if not _TIMESTAMP.fullmatch(time):
        time = f"{timezone.now():%Y-%m-%d %H:%M:%SZ}"
    code = [(_("Error number"), f"AADSTS{number}")] if number else []
    details = [*code, *((label, value) for label, value in ids if value)]
    if not details and failure.reason == "cancelled":
        return []  # nothing went wrong, so there is nothing to report
    return [*details, (_("Time"), time)]
