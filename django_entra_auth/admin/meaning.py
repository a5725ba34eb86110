"""What a token error means, who must act, what helps, and what a support ticket needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone as datetime_timezone
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_entra_auth.interaction.failures import get_failure
from django_entra_auth.models import TokenErrorRecord
from django_entra_auth.oauth2 import aadsts, classify

Text = str | Promise

CATEGORIES: Mapping[str, Text] = {
    "interaction": _("Sign-in step needed"),
    "additional_action": _("Action elsewhere needed"),
    "consent": _("Permission missing"),
    "password_change": _("Password change needed"),
    "blocked": _("Blocked by policy"),
    "expired_grant": _("Sign-in ended"),
    "throttled": _("Too many requests"),
    "transient": _("Entra in trouble"),
    "configuration": _("Set-up fault"),
    "cancelled": _("Cancelled"),
    "invalid_answer": _("Answer not accepted"),
    "": _("Asked or refused by this site"),
}

ACTORS: Mapping[str, Text] = {
    "person": _("The person who signs in"),
    "administrator": _("An administrator of the person's organization, in Entra"),
    "operator": _("The operator of this application"),
    "nobody": _("Nobody: it passes"),
}

# An error dictionary that every category comes from; the number then chooses the words.
SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "interaction": {"error": "interaction_required"},
    "additional_action": {"error": "invalid_grant", "suberror": "additional_action"},
    "consent": {"error": "consent_required"},
    "password_change": {"error": "user_password_expired"},
    "blocked": {"error": "invalid_grant", "suberror": "message_only"},
    "expired_grant": {"error": "expired_token"},
    "throttled": {"error": "slow_down"},
    "transient": {"error": "server_error"},
    "configuration": {"error": "invalid_client"},
    "cancelled": {"error": "access_denied"},
    "invalid_answer": {"error": "invalid_response"},
}

# Of what this site decides itself, everything else is the operator's to change.
_ACTOR_OF_REASON: Mapping[str, str] = {
    "browser_mismatch": "person",
    "cache_unavailable": "operator",
    "code_rejected": "person",
    "loop_detected": "operator",
    "not_satisfied": "person",
    "repeated": "administrator",
    "session_ended": "person",
    "throttled": "nobody",
    "unavailable": "nobody",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What happened, who must act and what helps."""

    title: Text
    actor: Text
    remedy: Text


# What no page says, because the person was let in all the same.
UNSEEN: Mapping[str, Meaning] = {
    "credential_rejected": Meaning(
        _("One of several client credentials is rejected; another one works"),
        ACTORS["operator"],
        _("Renew it in the app registration, or take it off CLIENT_CREDENTIAL."),
    ),
    "groups_unresolved": Meaning(
        _("Microsoft Graph did not tell somebody's groups"),
        ACTORS["operator"],
        _(
            "The person was let in without the rights that groups give. Look at the error; use app"
            " roles, or assign fewer groups to the application, to do without this question."
        ),
    ),
}


def explain(record: TokenErrorRecord) -> Meaning:
    """What Entra's answer means; without one, what this site decided."""
    if record.reason in UNSEEN:
        return UNSEEN[record.reason]
    sample = SAMPLES.get(record.category)
    if sample is not None:
        codes = [] if record.number is None else [record.number]
        found = classify({**sample, "error_codes": codes})
        # The protocol layer only marks its texts for translators.
        return Meaning(gettext(found.title), ACTORS[found.actor], gettext(found.remedy))
    if record.reason:
        failure = get_failure(record.reason)
        actor = _ACTOR_OF_REASON.get(record.reason, "operator")
        return Meaning(failure.title, ACTORS[actor], failure.advice or failure.message)
    return Meaning(
        _("This site asked for a further sign-in step"),
        ACTORS["person"],
        _("Nothing has to be done unless the same person comes back here again and again."),
    )


def list_words_shown(record: TokenErrorRecord) -> list[Text]:
    """What the person read on this site's page, when there was one."""
    if not record.reason or record.reason in UNSEEN:
        return []
    failure = get_failure(record.reason)
    return [words for words in (failure.title, failure.message, failure.advice) if words]


def find_title(number: int | None) -> str:
    """What an AADSTS number stands for, in the reader's language; empty when it is not known."""
    entry = None if number is None else aadsts.find(number)
    return gettext(entry.title) if entry else ""


def build_link(number: int) -> str:
    """Microsoft's own page about an AADSTS number."""
    return f"https://login.microsoftonline.com/error?code={number}"


def format_claims(text: str) -> str:
    """A claims request, indented when it is whole."""
    try:
        return json.dumps(json.loads(text), indent=2)
    except (ValueError, RecursionError):
        return text


def build_ticket(record: TokenErrorRecord) -> str:
    """Lines to copy into a support ticket; times are UTC."""
    return "\n".join(f"{label}: {value}" for label, value in _list_facts(record) if value)


def _list_facts(record: TokenErrorRecord) -> Iterator[tuple[Text, Any]]:
    number = f"AADSTS{record.number} {find_title(record.number)}" if record.number else ""
    yield _("Error number"), number.strip()
    yield _("Error"), record.error
    yield _("Sub-error"), record.suberror
    yield _("Category"), CATEGORIES.get(record.category, record.category)
    yield _("Reason"), record.reason
    yield _("Correlation ID"), record.correlation_id
    yield _("Trace ID"), record.trace_id
    yield _("First seen"), _format_utc(record.first_seen)
    yield _("Last seen"), _format_utc(record.last_seen)
    yield _("Count"), record.count
    yield _("Tenant ID"), record.tid
    yield _("Object ID"), record.oid
    yield _("Resource"), record.resource
    yield _("Claims asked for"), record.claims


def _format_utc(moment: datetime) -> str:
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    return f"{aware.astimezone(datetime_timezone.utc):%Y-%m-%d %H:%M:%SZ}"
