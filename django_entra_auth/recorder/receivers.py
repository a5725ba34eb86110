"""Listens to this app's signals, and collects on a request what is written when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest

from django_entra_auth import signals
from django_entra_auth.models import ErrorKind as Kind
from django_entra_auth.oauth2 import classify
from django_entra_auth.recorder.events import CLAIMS_MAX_CHARS, Event, merge, read_event
from django_entra_auth.recorder.rows import write_events
from django_entra_auth.session import EntraSession

EVENTS_ATTRIBUTE = "_entra_events"
TAKEN_FLAG = "_entra_events_taken"
EVENTS_PER_REQUEST = 8

# Anybody can cause these without having been sent here by this site.
STRANGERS = frozenset(
    {
        "browser_mismatch",
        "code_missing",
        "oversized",
        "replayed",
        "state_expired",
        "state_invalid",
        "state_missing",
        "too_many",
    }
)
KINDS: Mapping[str, object] = {"throttled": Kind.THROTTLE, "configuration": Kind.CONFIGURATION}


def connect() -> None:
    """Listen to this app's signals."""
    uid = "django_entra_auth.recorder"
    signals.token_error.connect(_on_token_error, dispatch_uid=uid)
    signals.sign_in_failed.connect(_on_sign_in_failed, dispatch_uid=uid)
    signals.claims_challenged.connect(_on_claims_challenged, dispatch_uid=uid)


def take_events(request: HttpRequest) -> list[Event]:
    """What a request has collected, handed out once; what comes later is written at once."""
    setattr(request, TAKEN_FLAG, True)
    events: list[Event] = request.__dict__.pop(EVENTS_ATTRIBUTE, [])
    return events


def write_after_answer(request: HttpRequest, events: list[Event]) -> None:
    """Write when the answer has been sent, so that nobody waits for it.

    Django then closes the request, whatever other middleware has made of the answer, and only
    after that the database's connection. Under ASGI it does not when the browser has gone, and
    events are written at once.
    """
    if not isinstance(request, WSGIRequest):
        write_events(events)
        return
    close = request.close

    def write_and_close() -> None:
        try:
            write_events(events)
        finally:  # Django passes over what closing raises, and uploads are closed here too
            events.clear()
            close()

    request.close = write_and_close  # type: ignore[method-assign]


def _on_token_error(
    sender: Any, *, request: HttpRequest | None, result: Mapping[str, Any], **more: Any
) -> None:
    kind = KINDS.get(classify(result).category, Kind.REFRESH)
    event = read_event(kind, result, scopes=more.get("scopes", ()))
    event = replace(event, reason=str(more.get("reason", ""))[:32])
    _note(request, _with_person(event, request, more.get("account")))


def _on_sign_in_failed(
    sender: Any,
    *,
    request: HttpRequest | None,
    reason: str,
    result: Mapping[str, Any],
    **more: Any,
) -> None:
    if reason in STRANGERS:
        return
    kind = Kind.STOP if more.get("is_stop") else Kind.SIGN_IN
    kind = Kind.CONFIGURATION if reason == "configuration" else kind
    event = read_event(kind, result, scopes=more.get("scopes", ()))
    claims = str(more.get("claims") or "")[:CLAIMS_MAX_CHARS]
    event = replace(event, reason=reason[:32], claims=claims)
    _note(request, _with_person(event, request, None))


def _on_claims_challenged(
    sender: Any,
    *,
    request: HttpRequest | None,
    claims: str | None,
    scopes: tuple[str, ...],
    **more: Any,
) -> None:
    event = read_event(Kind.CHALLENGE, more.get("result") or {}, scopes=scopes)
    event = replace(event, claims=(claims or "")[:CLAIMS_MAX_CHARS])
    _note(request, _with_person(event, request, None))


def _with_person(event: Event, request: HttpRequest | None, account: Any) -> Event:
    """The person behind the request, where the error itself names nobody."""
    user = _find_user(request)
    if user is not None:
        event = replace(event, user_id=user.pk)
        account = account or EntraSession(request, user).account  # type: ignore[arg-type]
    if account is None or event.oid:
        return event
    return replace(event, tid=account.tid, oid=account.oid)


def _find_user(request: HttpRequest | None) -> Any:
    """Who is signed in, None for nobody; in an event loop whom the view has loaded before."""
    if request is None or not hasattr(request, "session"):
        return None
    try:
        user: Any = request.user
        is_known = user.is_authenticated
    except SynchronousOnlyOperation:
        user = getattr(request, "_acached_user", None)
        is_known = user is not None and user.is_authenticated
    return user if is_known else None


def _note(request: HttpRequest | None, event: Event) -> None:
    if request is None or not hasattr(request, "entra") or hasattr(request, TAKEN_FLAG):
        write_events([event])
        return
    events: list[Event] = request.__dict__.setdefault(EVENTS_ATTRIBUTE, [])
    for number, earlier in enumerate(events):
        if earlier.is_same_failure(event):
            events[number] = merge(earlier, event)
            return
    if len(events) < EVENTS_PER_REQUEST:
        events.append(event)
