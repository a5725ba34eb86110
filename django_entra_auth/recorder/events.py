"""A failure in the form in which it may be kept: words of closed lists, GUIDs, numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from django_entra_auth.models import ErrorKind as Kind
from django_entra_auth.oauth2 import classify
from django_entra_auth.oauth2.classification import KNOWN_ERRORS, KNOWN_SUBERRORS
from django_entra_auth.oauth2.scopes import find_resource
from django_entra_auth.sign_ins import normalise_guid

CLAIMS_MAX_CHARS = 2000
NUMBER_MAX = 2**31 - 1  # what the column holds
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
    when: datetime = field(default_factory=timezone.now)

    @property
    def fingerprint(self) -> str:
        """Equal for events of one person and reason."""
        who = self.oid or str(self.user_id or "")
        what = (self.kind, self.category, self.reason, self.error, self.suberror, self.number)
        # An answer that is given again has the key that the first one lacked; it is the same.
        key = self.throttle_key if self.kind == str(Kind.THROTTLE) else ""
        parts = (*what, self.tid, who, self.resource, key)
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


def read_event(kind: object, result: Mapping[str, Any], *, scopes: Any = ()) -> Event:
    """What may be kept of an error dict; `scopes` are those that were asked for."""
    number = classify(result).number if "error" in result else None
    held = result.get("retry_after")
    now = timezone.now()
    return Event(
        kind=str(kind),
        category=_categorize(result),
        error=_pick(result.get("error"), ERRORS),
        suberror=_pick(result.get("suberror"), KNOWN_SUBERRORS),
        number=number if number is not None and 0 < number <= NUMBER_MAX else None,
        tid=normalise_guid(result.get("tid")) or "",
        oid=normalise_guid(result.get("oid")) or "",
        resource=find_resource(scopes)[:120] if scopes else "",
        correlation_id=normalise_guid(result.get("correlation_id")) or "",
        trace_id=normalise_guid(result.get("trace_id")) or "",
        throttle_key=str(result.get("throttle_key", ""))[:64],
        throttle_until=now + timedelta(seconds=held) if isinstance(held, int) else None,
        when=now,
    )


def _categorize(result: Mapping[str, Any]) -> str:
    if "error" not in result:
        return ""
    # An API's word, which the token endpoint never uses.
    is_challenge = result["error"] == "insufficient_claims"
    return "interaction" if is_challenge else classify(result).category


def _pick(word: Any, known: frozenset[str]) -> str:
    if not word:
        return ""
    return word if isinstance(word, str) and word in known else "other"


def merge(first: Event, second: Event) -> Event:
    """One failure told twice: the more telling event, with what only the other knows."""
    last, other = sorted((second, first), key=lambda one: ORDER.index(Kind(one.kind)), reverse=True)
    known = {name: value for name, value in asdict(last).items() if value not in {"", None}}
    return replace(other, **known)
