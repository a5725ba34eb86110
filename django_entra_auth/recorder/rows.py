"""Writes events as rows: one for each person, reason and minute, and never more than fit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db import Error, IntegrityError, connections, router, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from django_entra_auth.models import EntraIdentity, TokenErrorRecord
from django_entra_auth.recorder.events import Event

SECONDS = 60
ANONYMOUS_ROWS = 10  # a minute: strangers may not fill the table
SLOW_SECONDS = 0.5
PAUSE_SECONDS = 10.0

logger = logging.getLogger(__name__)


class _Pause:
    """Until when (monotonic seconds) this process writes nothing: the database lets it wait."""

    until = 0.0


def write_events(events: list[Event], *, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Write, each in a savepoint of its own; what the database refuses is logged.

    A database that refuses only after a while (locked, unreachable) is left alone for
    PAUSE_SECONDS: statistics are not worth that every request waits as long.
    """
    for event in events:
        started = monotonic()
        if started < _Pause.until:
            logger.warning("A token error was not recorded: the database is in trouble")
            continue
        if not _write_safely(event) and monotonic() - started >= SLOW_SECONDS:
            _Pause.until = monotonic() + PAUSE_SECONDS


def prune(days: float) -> int:
    """Delete what was last seen more than `days` ago; how many rows those were."""
    before = timezone.now() - timedelta(days=days)
    deleted, _ = TokenErrorRecord.objects.filter(last_seen__lt=before).delete()
    return int(deleted)


def _write_safely(event: Event) -> bool:
    using = router.db_for_write(TokenErrorRecord)
    try:
        with _savepoint_where_needed(using):
            _write(event, using)
    except (Error, SynchronousOnlyOperation):
        logger.exception("A token error could not be recorded")
        return False
    return True


def _savepoint_where_needed(using: str) -> AbstractContextManager[object]:
    """Protects a transaction that is open already.

    Where each statement commits by itself, a repeat so costs one UPDATE and nothing around it.
    """
    connection = connections[using]
    if connection.in_atomic_block or not connection.get_autocommit():
        return transaction.atomic(using=using)
    return nullcontext()


def _write(event: Event, using: str) -> None:
    since = event.when - timedelta(seconds=SECONDS)
    rows = TokenErrorRecord.objects.using(using).filter(fingerprint=event.fingerprint)
    if _count_one_more(rows.filter(first_seen__gt=since), event) or _is_noise(event, since, using):
        return
    minute = int(event.when.timestamp()) // SECONDS
    members = asdict(event)
    when = members.pop("when")
    members["user_id"] = _find_user_id(event, using)
    try:
        with transaction.atomic(using=using):
            TokenErrorRecord.objects.using(using).create(
                **members,
                first_seen=when,
                last_seen=when,
                fingerprint=event.fingerprint,
                minute=minute,
            )
    except IntegrityError:  # another worker was faster
        _count_one_more(rows.filter(minute=minute), event)


def _find_user_id(event: Event, using: str) -> Any:
    """Who it happened to; a job knows the account alone."""
    if event.user_id is not None or not event.oid:
        return event.user_id
    identities = EntraIdentity.objects.using(using).filter(tid=event.tid, oid=event.oid)
    return identities.values_list("user_id", flat=True).first()


def _count_one_more(rows: QuerySet[TokenErrorRecord], event: Event) -> bool:
    latest = {
        "correlation_id": event.correlation_id,
        "trace_id": event.trace_id,
        "throttle_key": event.throttle_key,
        "throttle_until": event.throttle_until,
    }
    changes = {name: value for name, value in latest.items() if value}
    last_seen = Greatest(F("last_seen"), event.when)  # a slow request tells late
    updated = rows.update(count=F("count") + 1, last_seen=last_seen, **changes)
    return bool(updated)


def _is_noise(event: Event, since: datetime, using: str) -> bool:
    """Whether strangers have caused enough rows for this minute."""
    if not event.is_anonymous:
        return False
    rows = TokenErrorRecord.objects.using(using).filter(
        first_seen__gt=since, last_seen__gt=since, oid="", user=None
    )
    return bool(rows.count() >= ANONYMOUS_ROWS)
