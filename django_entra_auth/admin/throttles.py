"""What is held back now, and how an operator lets it go."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from django.conf import settings
from django.db.models import Max, Min, QuerySet, Sum
from django.utils.timezone import make_naive, now

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.models import TokenErrorRecord
from django_entra_auth.oauth2.throttle import PROBE_SECONDS

MOST_ROWS = 100
COUNTDOWN_BITS = 12  # an hour and a little
_KEY = re.compile(r"[0-9a-f]{64}")
_TOO_MANY = 429
_REFUSED = 400

Rule = Literal["shared", "account", "rejection"]


@dataclass(frozen=True, slots=True)
class Held:
    """Requests that get a kept answer. `until` and `left` (seconds) say for how long.

    `rule`: everybody waits, one account waits, or one question is not asked again.
    """

    key: str
    rule: Rule
    status: int
    since: datetime
    until: datetime
    left: int
    count: int
    record: TokenErrorRecord

    @property
    def is_released(self) -> bool:
        """Whether the next request goes through already."""
        return self.left == 0

    @property
    def bits(self) -> list[int]:
        """The powers of two that `left` is made of; a style sheet adds them up."""
        return [1 << bit for bit in range(COUNTDOWN_BITS) if self.left >> bit & 1]


def list_held(*, clock: Callable[[], float] = time.time) -> list[Held]:
    """What the cache still holds of what was recorded, MOST_ROWS at most, the longest first.

    Nothing while the cache is down: then nothing is held back either.
    """
    groups = list(
        _list_recorded()
        .values("throttle_key")
        .annotate(since=Min("first_seen"), errors=Sum("count"), latest=Max("pk"))
        .order_by("-latest")[:MOST_ROWS]
    )
    entries = DjangoHTTPCache().get_many([group["throttle_key"] for group in groups])
    records = TokenErrorRecord.objects.select_related("user").in_bulk(
        [group["latest"] for group in groups if group["throttle_key"] in entries]
    )
    held = [
        _describe(group, entries[group["throttle_key"]], records[group["latest"]], clock())
        for group in groups
        if is_entry(entries.get(group["throttle_key"])) and group["latest"] in records
    ]
    return sorted(held, key=lambda one: -one.left)


def find_held(key: str) -> tuple[TokenErrorRecord, Mapping[str, Any]] | None:
    """The latest record of a recorded key that is still held, with its entry."""
    if not _KEY.fullmatch(key):
        return None
    record: TokenErrorRecord | None = (
        _list_recorded().filter(throttle_key=key).order_by("-pk").first()
    )
    entry: Mapping[str, Any] | None = DjangoHTTPCache().get(key) if record else None
    return (record, entry) if record and entry is not None and is_entry(entry) else None


def let_one_through(
    key: str, entry: Mapping[str, Any], *, clock: Callable[[], float] = time.time
) -> None:
    """End a wait before its time.

    Where everybody waits, the entry stays with its time over: the protocol layer then sends one
    request ahead, and frees the others when that one gets an answer. One account just goes.
    """
    cache = DjangoHTTPCache()
    if choose_rule(entry) != "shared":
        cache.delete(key)
        return
    left = max(0.0, entry["until"] - clock())
    cache.set(key, {**entry, "until": 0}, left + PROBE_SECONDS)


def forget_answer(key: str) -> None:
    """Ask Entra again, instead of giving the refusal that was kept."""
    DjangoHTTPCache().delete(key)


def choose_rule(entry: Mapping[str, Any]) -> Rule:
    """Why an entry is there."""
    if entry["status"] == _REFUSED:
        return "rejection"
    return "shared" if entry["status"] == _TOO_MANY else "account"


def is_entry(value: object) -> bool:
    """Whether this is what the protocol layer keeps of an answer."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("until"), int | float)
        and isinstance(value.get("status"), int)
    )


def _list_recorded() -> QuerySet[TokenErrorRecord]:
    rows: QuerySet[TokenErrorRecord] = TokenErrorRecord.objects.filter(throttle_until__gt=now())
    held: QuerySet[TokenErrorRecord] = rows.exclude(throttle_key="")
    return held


def _describe(
    group: Mapping[str, Any], entry: Mapping[str, Any], record: TokenErrorRecord, at: float
) -> Held:
    left = max(0, int(-(-(entry["until"] - at) // 1)))
    return Held(
        key=group["throttle_key"],
        rule=choose_rule(entry),
        status=entry["status"],
        since=group["since"],
        until=_to_moment(at + left),
        left=left,
        count=group["errors"],
        record=record,
    )


def _to_moment(timestamp: float) -> datetime:
    moment = datetime.fromtimestamp(timestamp, tz=timezone.utc)
    return moment if settings.USE_TZ else make_naive(moment)
