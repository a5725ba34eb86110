"""Sealed entries and counters in the Django cache that the settings name."""

from __future__ import annotations

import hashlib
import pickle
import time
from types import TracebackType
from typing import Any

from django.core.cache import BaseCache, caches
from django.core.signals import setting_changed
from django.dispatch import receiver

from django_entra_auth.conf import EntraSettings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.token_cache import CacheUnavailable
from django_entra_auth.sealing import KeyRing, SealError

KEY_PREFIX = "entra:1"
# What Django's backends raise for an entry that was damaged in their storage.
UNREADABLE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
)


SLOW_SECONDS = 0.2
PAUSE_SECONDS = 1.0

# Until when (monotonic seconds) a cache, by alias, is taken to be down without asking it.
_pauses: dict[str, float] = {}


@receiver(setting_changed, dispatch_uid="django_entra_auth.forget_pauses")
def _forget_pauses(*, setting: str, **kwargs: Any) -> None:
    """Another cache may be up (tests)."""
    if setting == "CACHES":
        _pauses.clear()


# The keys of the settings last used; deriving them again for every entry would cost more than it.
_ring: tuple[EntraSettings, KeyRing] | None = None


def _find_ring(settings: EntraSettings) -> KeyRing:
    global _ring  # noqa: PLW0603  the one memo of this module
    known = _ring
    if known is None or known[0] is not settings:
        known = _ring = (settings, KeyRing(settings, "entry"))
    return known[1]


class CacheOutage(TemporarilyUnavailable, CacheUnavailable):
    """The cache cannot be asked; the protocol layer knows it by its second base."""


def build_key(kind: str, *parts: str) -> str:
    """The cache key of an entry; parts are hashed, so that no key tells an id."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{KEY_PREFIX}:{kind}:{digest}"


class Entries:
    """JSON values, each sealed under its own key, so that none can be read, moved or forged.

    Every method raises TemporarilyUnavailable when the cache cannot be asked. What does not open
    is a miss. Timeouts are seconds.
    """

    def __init__(self, settings: EntraSettings) -> None:
        """Use the cache and the keys of these settings."""
        self._alias = settings.cache_alias
        self._ring = _find_ring(settings)

    @property
    def _cache(self) -> BaseCache:
        return caches[self._alias]

    def load(self, key: str) -> Any | None:
        """The value, or None."""
        with self._asking():
            sealed = self._get(key)
        return self._open(key, sealed)

    def load_many(self, keys: list[str]) -> dict[str, Any]:
        """The values there are, in one round trip."""
        return {key: value for key, value in self.look(keys).items() if value is not None}

    def look(self, keys: list[str]) -> dict[str, Any]:
        """The entries there are, in one round trip; None for one that is there and does not open.

        For marks that count whoever wrote them: a tombstone of a worker with a newer key is one.
        """
        with self._asking():
            try:
                sealed = self._cache.get_many(keys)
            except UNREADABLE:  # one of them is damaged: the others are still good
                found = {key: self._get(key, None) for key in keys}
                sealed = {key: value for key, value in found.items() if value is not None}
        return {key: self._open(key, sealed[key]) for key in keys if key in sealed}

    def save(self, key: str, value: Any, timeout: float) -> None:
        """Store for `timeout` seconds."""
        sealed = self._ring.seal_json(value, name=key)
        with self._asking():
            self._cache.set(key, sealed, timeout)

    def add(self, key: str, value: Any, timeout: float) -> bool:
        """Store if nothing is there; True for exactly one of any number of callers."""
        sealed = self._ring.seal_json(value, name=key)
        with self._asking():
            return bool(self._cache.add(key, sealed, timeout))

    def touch(self, key: str, timeout: float) -> None:
        """Let an entry that is there live for `timeout` seconds from now."""
        with self._asking():
            self._cache.touch(key, timeout)

    def delete(self, key: str) -> None:
        """Forget."""
        with self._asking():
            self._cache.delete(key)

    def claim(self, key: str, timeout: float) -> bool:
        """Mark as used; True the first time only."""
        with self._asking():
            return bool(self._cache.add(key, 1, timeout))

    def read_count(self, key: str) -> int:
        """How often `count` was called for this key within its window."""
        with self._asking():
            return int(self._cache.get(key, 0))

    def count(self, key: str, timeout: float) -> None:
        """Count one more within a window of `timeout` seconds from the first."""
        with self._asking():
            if not self._cache.add(key, 1, timeout):
                try:
                    self._cache.incr(key)
                except ValueError:  # it expired in between
                    self._cache.add(key, 1, timeout)

    def _get(self, key: str, default: object = None) -> object:
        try:
            return self._cache.get(key, default)
        except UNREADABLE:
            return b""

    def _open(self, key: str, sealed: object) -> Any | None:
        try:
            return self._ring.open_json(sealed, name=key) if isinstance(sealed, bytes) else None
        except SealError:
            return None

    def _asking(self) -> _Asking:
        return _Asking(self._alias)


class _Asking:
    """Tells an outage, and after one that took long does not wait for the next one at once.

    A request asks several times; each would wait for the whole socket timeout. A class, because a
    generator would cost a good part of what a hit costs.
    """

    __slots__ = ("_alias", "_started")

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def __enter__(self) -> None:
        self._started = time.monotonic()
        if _pauses and self._started < _pauses.get(self._alias, 0):
            raise CacheOutage({"error": "cache_unavailable"})

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Django's backends share no class of outage errors.
        if not isinstance(exc, Exception):
            return
        ended = time.monotonic()
        if ended - self._started >= SLOW_SECONDS:
            _pauses[self._alias] = ended + PAUSE_SECONDS
        raise CacheOutage({"error": "cache_unavailable"}) from exc
