"""Writes down what failed, so that an operator can see why, for whom and since when.

Events of a request are collected on it and written after the view's transaction, which would take
them away with it; without a request they are written at once. Writing never breaks anything: what
the database refuses is logged.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest

from django_entra_auth import signals
from django_entra_auth.models import ErrorKind as Kind
from django_entra_auth.models import TokenErrorRecord
from django_entra_auth.oauth2 import classify
from django_entra_auth.oauth2.classification import KNOWN_ERRORS, KNOWN_SUBERRORS
from django_entra_auth.oauth2.scopes import find_resource
from django_entra_auth.session import EntraSession
from django_entra_auth.sign_ins import normalise_guid

EVENTS_ATTRIBUTE = "_entra_events"
EVENTS_PER_REQUEST = 8
SECONDS = 60
ANONYMOUS_ROWS = 10  # a minute: strangers may not fill the table
CLAIMS_MAX_CHARS = 2000

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
# What a provider may write into the database, besides our own words; any other is "other".
ERRORS = KNOWN_ERRORS | {
    "auth_time_missing",
    "cache_unavailable",
    "insecure_redirect_uri",
    "insufficient_claims",
    "throttled",
}

# Of one failure in one request the last of these stands for all.
ORDER = (Kind.REFRESH, Kind.THROTTLE, Kind.CONFIGURATION, Kind.CHALLENGE, Kind.SIGN_IN, Kind.STOP)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One failure, fit for the database."""

    kind: str
    category: str = ""
    reason: str = ""
    error: str = ""
    suberror: str = ""
    number: int | None = None
    user_id: Any = None
    tid: str = ""
    oid: str = ""
    resource: str = ""
    claims: str = ""
    correlation_id: str = ""
    trace_id: str = ""
    throttle_key: str = ""
    throttle_until: datetime | None = None
    when: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def fingerprint(self) -> str:
        """Equal for events of one person and reason."""
        who = self.oid or str(self.user_id or "")
        what = (self.kind, self.category, self.reason, self.error, self.suberror, self.number)
        parts = (*what, self.tid, who, self.resource, self.throttle_key)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is known to whom it happened."""
        return not (self.oid or self.user_id)

    def is_same_failure(self, other: Event) -> bool:
        """Whether two events of one request tell of one answer."""
        return (self.error, self.number, self.correlation_id) == (
            other.error,
            other.number,
            other.correlation_id,
        )


def connect() -> None:
    """Listen to this app's signals."""
    uid = "django_entra_auth.recorder"
    signals.token_error.connect(_on_token_error, dispatch_uid=uid)
    signals.sign_in_failed.connect(_on_sign_in_failed, dispatch_uid=uid)
    signals.claims_challenged.connect(_on_claims_challenged, dispatch_uid=uid)


def take_events(request: HttpRequest) -> list[Event]:
    """What a request has collected; it is handed out once."""
    events: list[Event] = request.__dict__.pop(EVENTS_ATTRIBUTE, [])
    return events


def write_events(events: list[Event]) -> None:
    """Write, each in a savepoint of its own; what the database refuses is logged."""
    for event in events:
        _write_safely(event)


def prune(days: float, *, clock: Callable[[], float] = time.time) -> int:
    """Delete what was last seen more than `days` ago; how many rows those were."""
    before = datetime.fromtimestamp(clock(), tz=timezone.utc) - timedelta(days=days)
    deleted, _ = TokenErrorRecord.objects.filter(last_seen__lt=before).delete()
    return int(deleted)


def _on_token_error(
    sender: Any, *, request: HttpRequest | None, result: Mapping[str, Any], **more: Any
) -> None:
    kinds: dict[str, object] = {"throttled": Kind.THROTTLE, "configuration": Kind.CONFIGURATION}
    kind = kinds.get(classify(result).category, Kind.REFRESH)
    event = _read(kind, result, resource=_name_resource(more.get("scopes", ())))
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
    event = _read(Kind.CONFIGURATION if reason == "configuration" else kind, result)
    _note(request, _with_person(replace(event, reason=reason[:32]), request, None))


def _on_claims_challenged(
    sender: Any,
    *,
    request: HttpRequest | None,
    claims: str | None,
    scopes: tuple[str, ...],
    **more: Any,
) -> None:
    event = _read(Kind.CHALLENGE, more.get("result") or {}, resource=_name_resource(scopes))
    event = replace(event, claims=(claims or "")[:CLAIMS_MAX_CHARS])
    _note(request, _with_person(event, request, None))


def _read(kind: object, result: Mapping[str, Any], *, resource: str = "") -> Event:
    """What may be kept of an error dict: words of closed lists, GUIDs, numbers."""
    found = classify(result) if "error" in result else None
    held = result.get("retry_after")
    now = datetime.now(timezone.utc)
    return Event(
        kind=str(kind),
        category=found.category if found else "",
        error=_pick(result.get("error"), ERRORS),
        suberror=_pick(result.get("suberror"), KNOWN_SUBERRORS),
        number=found.number if found else None,
        tid=normalise_guid(result.get("tid")) or "",
        oid=normalise_guid(result.get("oid")) or "",
        resource=resource,
        correlation_id=normalise_guid(result.get("correlation_id")) or "",
        trace_id=normalise_guid(result.get("trace_id")) or "",
        throttle_key=str(result.get("throttle_key", ""))[:64],
        throttle_until=now + timedelta(seconds=held) if isinstance(held, int) else None,
        when=now,
    )


def _pick(word: Any, known: frozenset[str]) -> str:
    if not word:
        return ""
    return word if isinstance(word, str) and word in known else "other"


def _name_resource(scopes: Any) -> str:
    return find_resource(scopes)[:120] if scopes else ""


def _with_person(event: Event, request: HttpRequest | None, account: Any) -> Event:
    """The person behind the request, where the error itself names nobody."""
    if request is not None and hasattr(request, "session"):
        user = request.user
        event = replace(event, user_id=user.pk if user.is_authenticated else None)
        account = account or EntraSession(request, user).account
    if account is None or event.oid:
        return event
    return replace(event, tid=account.tid, oid=account.oid)


def _note(request: HttpRequest | None, event: Event) -> None:
    if request is None or not hasattr(request, "entra"):
        _write_safely(event)
        return
    events: list[Event] = request.__dict__.setdefault(EVENTS_ATTRIBUTE, [])
    for number, earlier in enumerate(events):
        if earlier.is_same_failure(event):
            events[number] = _merge(earlier, event)
            return
    if len(events) < EVENTS_PER_REQUEST:
        events.append(event)


def _merge(first: Event, second: Event) -> Event:
    """One failure told twice: the more telling event, with what only the other knows."""
    last, other = sorted((second, first), key=lambda one: ORDER.index(Kind(one.kind)), reverse=True)
    known = {name: value for name, value in asdict(last).items() if value not in {"", None}}
    return replace(other, **known)


def _write_safely(event: Event) -> None:
    try:
        with transaction.atomic():
            _write(event)
    except DatabaseError:
        logger.exception("A token error could not be recorded")


def _write(event: Event) -> None:
    since = event.when - timedelta(seconds=SECONDS)
    rows = TokenErrorRecord.objects.filter(fingerprint=event.fingerprint)
    if _count_one_more(rows.filter(first_seen__gt=since), event) or _is_noise(event, since):
        return
    minute = int(event.when.timestamp()) // SECONDS
    members = asdict(event)
    when = members.pop("when")
    try:
        with transaction.atomic():
            TokenErrorRecord.objects.create(
                **members,
                first_seen=when,
                last_seen=when,
                fingerprint=event.fingerprint,
                minute=minute,
            )
    except IntegrityError:  # another worker was faster
        _count_one_more(rows.filter(minute=minute), event)


def _count_one_more(rows: QuerySet[TokenErrorRecord], event: Event) -> bool:
    latest = {
        "correlation_id": event.correlation_id,
        "trace_id": event.trace_id,
        "throttle_until": event.throttle_until,
    }
    changes = {name: value for name, value in latest.items() if value}
    updated = rows.update(count=F("count") + 1, last_seen=event.when, **changes)
    return bool(updated)


def _is_noise(event: Event, since: datetime) -> bool:
    """Whether strangers have caused enough rows for this minute."""
    if not event.is_anonymous:
        return False
    rows = TokenErrorRecord.objects.filter(first_seen__gt=since, last_seen__gt=since)
    count: int = rows.filter(oid="", user=None).count()
    return count >= ANONYMOUS_ROWS
