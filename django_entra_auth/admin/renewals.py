"""When the tokens behind sign-ins were last renewed, as far as the cache can say."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone

from django.conf import settings
from django.utils.timezone import make_naive

from django_entra_auth.cache.token_cache import Renewal, load_renewals
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.models import EntraSignIn

ATTRIBUTE = "_entra_renewal"
GONE = Renewal(None, has_refresh_token=False)


def note_renewals(rows: Collection[EntraSignIn]) -> None:
    """Leave with each row what the cache keeps for it: one round trip for all.

    Nothing while the cache is down: the page is about more than that.
    """
    try:
        found = load_renewals([row.id_hash for row in rows], get_settings())
    except TemporarilyUnavailable:
        return
    for row in rows:
        row.__dict__[ATTRIBUTE] = found.get(row.id_hash, GONE)


def find_last_renewal(row: EntraSignIn) -> datetime | None:
    """When Entra last issued tokens for it, None where that is not known."""
    renewal = _read(row)
    if renewal is None or renewal.at is None:
        return None
    moment = datetime.fromtimestamp(renewal.at, tz=timezone.utc)
    return moment if settings.USE_TZ else make_naive(moment)


def has_tokens(row: EntraSignIn) -> bool | None:
    """Whether there are tokens to work with, None while the cache does not say."""
    renewal = _read(row)
    return None if renewal is None else renewal.has_refresh_token


def _read(row: EntraSignIn) -> Renewal | None:
    found = row.__dict__.get(ATTRIBUTE)
    return found if isinstance(found, Renewal) else None
