"""Token errors as the list asks for them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from datetime import timezone as datetime_timezone
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db.models import Exists, Q, QuerySet
from django.utils import timezone

from django_entra_auth.admin.people import find_people
from django_entra_auth.models import TokenErrorRecord
from django_entra_auth.sign_ins import normalise_guid

DATE_FIELD = "last_seen"
_NUMBER = re.compile(r"(?:AADSTS)?(\d{4,9})", re.IGNORECASE)


class ErrorRows(QuerySet[TokenErrorRecord]):
    """Rows whose dates are looked up in the index."""

    def datetimes(
        self, field_name: str, kind: Any, order: Any = "ASC", tzinfo: tzinfo | None = None
    ) -> Any:
        """The years, months or days there are rows of, for the date hierarchy.

        Django has the database cut off each row's time, SQLite has Python do it: that takes a
        second for 100,000 rows. Here each year, month or day is asked whether it has any.
        """
        rows = self.order_by(field_name).values_list(field_name, flat=True)
        first, last = rows.first(), rows.last()
        if first is None or last is None:
            return []
        starts = _list_starts(_to_local(first), _to_local(last), kind)
        found = self._ask_each(field_name, starts)
        return found if order == "ASC" else found[::-1]

    def _ask_each(self, field_name: str, starts: list[datetime]) -> list[datetime]:
        """Which of the stretches between these times have rows; one query."""
        has_any = [
            Exists(self.filter(**{f"{field_name}__gte": start, f"{field_name}__lt": end}))
            for start, end in pairwise(starts)
        ]
        answers = next(iter(self.order_by().values_list(*has_any)[:1]), ())
        return [start for start, answer in zip(starts, answers, strict=False) if answer]


def search_rows(rows: QuerySet[Any], words: str) -> QuerySet[Any]:
    """Rows of a correlation or object id, of an AADSTS number, or of people by their names."""
    words = words.strip()
    if not words:
        return rows
    found: QuerySet[Any] = rows.filter(_read_words(words))
    return found


def _read_words(words: str) -> Q:
    if guid := normalise_guid(words):
        # Both at once could not use the index, in each of a page's queries.
        of_request = Q(correlation_id=guid)
        is_request = TokenErrorRecord.objects.filter(of_request).exists()
        return of_request if is_request else Q(oid=guid)
    named = Q(user__in=find_people(words))
    match = _NUMBER.fullmatch(words)
    return Q(number=int(match[1])) | named if match else named


def to_moment(minute: int) -> datetime:
    """A row's minute as a time."""
    return datetime.fromtimestamp(minute * 60, tz=datetime_timezone.utc)


def _to_local(moment: datetime) -> datetime:
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def _list_starts(first: datetime, last: datetime, kind: str) -> list[datetime]:
    """The starts of all years, months or days from the first to after the last."""
    month = 1 if kind == "year" else first.month
    day = first.day if kind == "day" else 1
    start = datetime(first.year, month, day)  # noqa: DTZ001  made local below
    starts = [start]
    while start <= last.replace(tzinfo=None):
        start = find_next(start, kind)
        starts.append(start)
    return [make_local(start) for start in starts]


def find_next(start: datetime, kind: str) -> datetime:
    """The start of the year, month or day after the one that starts at `start`."""
    if kind == "day":
        return start + timedelta(days=1)
    if kind == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start.replace(year=start.year + 1)


def make_local(moment: datetime) -> datetime:
    """A time on the site's clock as the database has it."""
    return timezone.make_aware(moment) if settings.USE_TZ else moment
