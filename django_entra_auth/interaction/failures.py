"""What a person is told when a sign-in fails: our own words, a status, and what to do."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_entra_auth import signals
from django_entra_auth.exceptions import LOOP_DETECTED, SignInFailed
from django_entra_auth.interaction.requirement import NOTHING
from django_entra_auth.oauth2 import classify
from django_entra_auth.sign_ins import normalise_guid

Text = str | Promise

logger = logging.getLogger(__name__)

# Entra says access_denied both to "Cancel" and to "No": only the number tells them apart.
DECLINED = 65004
ADMIN_CONSENT = frozenset({90094, 90095, 900941})
# Numbers that another prompt would only repeat.
DEAD_ENDS = frozenset({LOOP_DETECTED, *ADMIN_CONSENT})
# What a B2C user flow without a page for it says of "Forgot your password?".
PASSWORD_FORGOTTEN = "AADB2C90118"  # noqa: S105  an error's number

_WORD = re.compile(r"[a-z_]{0,64}")
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
# What is still missing after a prompt that was completed.
_BY_REPEATED = {"additional_action": "action_needed", "consent": "consent_missing"}


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
    "password_forgotten": Failure(
        403, _("Your password cannot be reset here"),
        _("You asked for a new password, and this site has no page for that."),
        _("Ask the people who run this site how to get one, then sign in again."),
    ),
    "consent_missing": Failure(
        403, _("Permission was not given"),
        _("This site may not act for you without your consent, or that of your organization."),
        _ADMIN,
    ),
    "admin_consent_needed": Failure(
        403, _("An administrator has to allow this first"),
        _("This page needs permissions that only an administrator of your organization can give."),
        _("Send the link below to your administrator, or open it if you are one."),
    ),
    "admin_consent_declined": Failure(
        403, _("The permissions were not given"),
        _("Nothing has changed: the administrator's consent was declined or not finished."),
        _("Only an administrator of your organization can give it."),
    ),
    "interaction_needed": Failure(
        403, _("Microsoft needs something more from you"),
        _("Your organization asks for a further step before you can sign in."), _AGAIN,
    ),
    "not_satisfied": Failure(
        403, _("The step was not completed"),
        _("You came back from Microsoft without what this page needs, so nothing has changed."),
        _("Try again and follow all steps. If it happens again, ask your administrator."),
    ),
    "repeated": Failure(
        403, _("The same step was asked for again"),
        _("You have just completed it. To keep you from going in circles, we stopped here."),
        _("Try again in a while. If it happens again, give your administrator the details below."),
    ),
    "action_needed": Failure(
        403, _("Your organization requires something more"),
        _("It cannot be done on the sign-in page: your device may have to be registered, or an"
          " app to be installed."),
        _("Follow your organization's instructions, or give your administrator the details below."),
    ),
    "loop_detected": Failure(
        403, _("Microsoft stopped a repeated sign-in"),
        _("The same request was sent too often within a short time."),
        _("Wait five minutes, then try again."),
    ),
    "blocked": Failure(
        403, _("Your organization does not allow this sign-in"),
        _("A rule of your organization blocks it."), _ADMIN,
    ),
    "invalid_answer": Failure(
        403, _("The sign-in could not be verified"),
        _("What came back did not pass our checks, so you are not signed in."),
        _("Please try again. If it happens again, tell the people who run this site."),
    ),
    "tenant_not_allowed": Failure(
        403, _("Your organization has no access here"),
        _("This site is not open to the organization of the account you used."),
        _("Sign in with another account, or ask the people who run this site."),
    ),
    "guest_not_allowed": Failure(
        403, _("Guests have no access here"),
        _("The account you used is a guest of this organization."),
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
        _("Microsoft asked this site to wait before it asks again."), _LATER,
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
    if found.number == LOOP_DETECTED:
        return "loop_detected"
    if found.number in ADMIN_CONSENT:
        return "admin_consent_needed"
    if str(result.get("error_description", "")).startswith(PASSWORD_FORGOTTEN):
        return "password_forgotten"
    if found.number == DECLINED and result.get("error_subcode") != "cancel":
        return "consent_missing"
    return _BY_CATEGORY[found.category]


def build_stop(result: Mapping[str, Any], *, is_repeated: bool) -> SignInFailed:
    """Why there is no prompt: it would be refused, or it has just been completed in vain."""
    found = classify(result)
    if is_repeated and found.number not in DEAD_ENDS:
        return SignInFailed(_BY_REPEATED.get(found.category, "repeated"), result=result)
    return SignInFailed(reason_for(result), result=result)


def report_failure(request: HttpRequest, failure: SignInFailed, *, is_stop: bool = False) -> None:
    """Log and tell. What a provider wrote is logged only where it is a plain word.

    `is_stop` when it is answered in a view's place rather than at the end of a sign-in.
    """
    word = str(failure.result.get("failed_check") or failure.result.get("error", ""))
    logger.warning(
        "Sign-in failed: %s (%s)",
        failure.reason,
        word if _WORD.fullmatch(word) else "other",
        extra={"correlation_id": normalise_guid(failure.result.get("correlation_id"))},
    )
    wanted = failure.flow.requirement if failure.flow else NOTHING
    signals.sign_in_failed.send_robust(
        SignInFailed,
        request=request,
        reason=failure.reason,
        result=failure.result,
        is_stop=is_stop,
        scopes=wanted.scopes,
        claims=wanted.build_claims(),
    )


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
