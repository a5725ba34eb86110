"""The optional claims that the configuration relies on, and what tells whether they come.

Entra sends them only when they are added to the app registration ("Token configuration", ID
token). Without a sign-in nothing shows whether they are; what past sign-ins have left does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from django.db import DatabaseError
from django.urls import URLPattern, URLResolver, get_resolver

from django_entra_auth.conf import EntraSettings
from django_entra_auth.doctor.findings import (
    Finding,
    Findings,
    failed,
    never_breaking,
    passed,
    skipped,
    warned,
)
from django_entra_auth.models import EntraSignIn, TokenErrorRecord

TOPIC = "claims"
EVIDENCE_DAYS = 7
ALWAYS_THERE = frozenset({"name", "oid", "tid", "sub", "preferred_username"})
BY_DEFAULT_SPLIT = frozenset({"given_name", "family_name"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the views of the site ask for, as far as the URLconf tells."""

    max_age: bool = False
    auth_context: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last days have left in the database."""

    sign_ins: int = 0
    with_sid: int = 0
    with_context: int = 0
    without_auth_time: int = 0


@never_breaking(TOPIC)
def look(settings: EntraSettings, *, clock: Callable[[], float] = time.time) -> Findings:
    """Each claim that something here rests on: which, why, and whether it was seen."""
    try:
        seen = _look_back(clock())
    except DatabaseError:
        seen = _Seen()
        fix = "Run manage.py migrate, and this again where the database can be asked."
        yield skipped(TOPIC, "The database cannot be asked what past sign-ins brought.", fix)
    asked = _read_urlconf()
    yield _judge_auth_time(asked, seen)
    yield from _judge_contexts(asked, seen)
    yield from _judge_mapping(settings)
    yield from _judge_guests(settings)
    yield from _judge_groups(settings)
    yield _judge_sid(seen)
    reason = (
        "login_hint: with it a sign-out needs no account picker and a prompt names the person"
        " without telling the user name; without it preferred_username is sent with prompts."
    )
    yield passed(TOPIC, reason)


def _look_back(now: float) -> _Seen:
    since = datetime.fromtimestamp(now, tz=timezone.utc) - timedelta(days=EVIDENCE_DAYS)
    rows = EntraSignIn.objects.filter(last_prompt__gte=since)
    errors = TokenErrorRecord.objects.filter(error="auth_time_missing", last_seen__gte=since)
    return _Seen(
        sign_ins=rows.count(),
        with_sid=rows.exclude(sid="").count(),
        with_context=rows.exclude(contexts=[]).count(),
        without_auth_time=errors.count(),
    )


def _judge_auth_time(asked: _Asked, seen: _Seen) -> Finding:
    fix = "Add the optional claim auth_time for ID tokens to the app registration."
    if seen.without_auth_time:
        reason = f"auth_time was missing where max_age needed it, within {EVIDENCE_DAYS} days."
        return failed(TOPIC, reason, fix)
    if asked.max_age:
        reason = "auth_time: views with max_age refuse everybody whose ID token lacks it."
        return warned(TOPIC, reason, fix)
    return passed(TOPIC, "auth_time: no view with max_age was found, which alone needs it.")


def _judge_contexts(asked: _Asked, seen: _Seen) -> Findings:
    if seen.with_context:
        yield passed(TOPIC, "acrs: past sign-ins have brought authentication contexts.")
    elif asked.auth_context:
        reason = "acrs: views ask for an authentication context, and no sign-in has brought one."
        fix = (
            "Publish the context and let a Conditional Access policy require it: without a policy"
            " everybody is granted it. The optional claim acrs spares people who already meet it"
            " a prompt."
        )
        yield warned(TOPIC, reason, fix)


def _judge_mapping(settings: EntraSettings) -> Findings:
    mapped = set(settings.claim_mapping.values())
    if "email" in mapped and settings.may_have_several_tenants:
        reason = "xms_edov: people of several tenants have their e-mail copied only with it."
        fix = "Add the optional claims email and xms_edov for ID tokens to the app registration."
        yield warned(TOPIC, reason, fix)
    elif "email" in mapped:
        yield passed(TOPIC, "email: its scope is asked for; accounts without an address have none.")
    if split := sorted(mapped & BY_DEFAULT_SPLIT):
        reason = f"{', '.join(split)}: with these optional claims names are exact; without, the"
        yield passed(TOPIC, f"{reason} claim name is split at its first blank.")
    wanted = {*mapped, settings.username_claim}
    if other := sorted(wanted - ALWAYS_THERE - BY_DEFAULT_SPLIT - {"email"}):
        reason = f"{', '.join(other)}: mapped to users, and not among what Entra always sends."
        yield warned(TOPIC, reason, "Add it to the ID token in the app registration.")


def _judge_guests(settings: EntraSettings) -> Findings:
    if settings.block_guests:
        reason = "acct: BLOCK_GUESTS is on; without acct a guest is told by idp and home tenant."
        fix = "Add the optional claim acct for ID tokens to the app registration."
        yield warned(TOPIC, reason, fix)


def _judge_groups(settings: EntraSettings) -> Findings:
    if not settings.granting_values:
        return
    if settings.groups_claim == "groups":
        reason = (
            "groups: rights rest on it; of people in more than 200 groups it says nothing, and"
            " Microsoft Graph is asked at each of their sign-ins."
        )
        fix = (
            "Add the groups claim to ID tokens, limited to groups assigned to the application; or"
            " use app roles and GROUPS_CLAIM 'roles'."
        )
        yield warned(TOPIC, reason, fix)
    else:
        reason = "roles: rights rest on app roles, which come once they are assigned to people."
        yield passed(TOPIC, reason)


def _judge_sid(seen: _Seen) -> Finding:
    purpose = "sid: a sign-out elsewhere ends the session here (front-channel logout)"
    if seen.with_sid:
        return passed(TOPIC, f"{purpose}; past sign-ins have brought it.")
    if seen.sign_ins:
        fix = "Add the optional claim sid for ID tokens, and register the front-channel logout URL."
        return warned(TOPIC, f"{purpose}; no sign-in of the last days has brought it.", fix)
    return passed(TOPIC, f"{purpose}, if it comes.")


def _read_urlconf() -> _Asked:
    views = list(_walk(get_resolver()))
    return _Asked(
        max_age=any(_find_wish(view, "max_age") is not None for view in views),
        auth_context=any(_find_wish(view, "auth_context") for view in views),
    )


def _walk(resolver: URLResolver) -> Iterator[Any]:
    for item in resolver.url_patterns:
        if isinstance(item, URLResolver):
            yield from _walk(item)
        elif isinstance(item, URLPattern):
            yield item.callback


def _find_wish(view: Any, name: str) -> Any:
    """What a decorated view, or a class with the mixin, asks for."""
    requirement = getattr(view, "entra_requirement", None)
    if requirement is not None:
        return getattr(requirement, name)
    return getattr(getattr(view, "view_class", None), f"entra_{name}", None)
