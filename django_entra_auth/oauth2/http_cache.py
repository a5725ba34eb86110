"""Keeps throttle state and fetched documents: in memory, or in any mapping that is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

CAPACITY: Final = 1024
"""Entries kept in a mapping that cannot expire them by itself."""
_PREFIX: Final = "entra-http:"


@runtime_checkable
class ExpiringCache(Protocol):
    """A cache that expires entries natively, as Django's do; values are made of JSON's types.

    When its storage is out of reach it must not raise: to ask Entra once too often is better
    than not to ask at all.
    """

    def get(self, key: str) -> Any:
        """Return the value, ``None`` when there is none."""

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values there are, in the order of ``keys``, asking the storage once."""

    def set(self, key: str, value: Any, timeout: float) -> None:
        """Keep the value for ``timeout`` seconds."""

    def add(self, key: str, value: Any, timeout: float) -> bool:
        """Keep the value unless there is one already; return whether it was kept."""

    def delete(self, key: str) -> None:
        """Forget the value."""


class MappingCache:
    """Expires entries kept in a mapping; bounded and safe between threads.

    Only keys with our own prefix are looked at or removed, so the mapping may hold other things.
    """

    def __init__(self, mapping: MutableMapping[str, Any], *, clock: Callable[[], float]) -> None:
        self._mapping = mapping
        self._clock = clock
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """Return the value, ``None`` when there is none or its time is over."""
        entry = self._mapping.get(_PREFIX + key)
        if not isinstance(entry, list) or self._clock() >= entry[0]:
            return None
        return entry[1]

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values there are whose time is not over, in the order of ``keys``."""
        found = ((key, self.get(key)) for key in keys)
        return {key: value for key, value in found if value is not None}

    def set(self, key: str, value: Any, timeout: float) -> None:
        """Keep the value for ``timeout`` seconds, in place of the one that ends first if full."""
        with self._lock:
            self._make_room()
            self._mapping[_PREFIX + key] = [self._clock() + timeout, value]

    def add(self, key: str, value: Any, timeout: float) -> bool:
        """Keep the value unless there is one already; return whether it was kept."""
        with self._lock:
            if self.get(key) is not None:
                return False
            self._make_room()
            self._mapping[_PREFIX + key] = [self._clock() + timeout, value]
            return True

    def delete(self, key: str) -> None:
        """Forget the value."""
        with self._lock:
            self._mapping.pop(_PREFIX + key, None)

    def _make_room(self) -> None:
        if len(self._mapping) < CAPACITY:
            return
        ends = {key: self._mapping[key][0] for key in self._own_keys()}
        # A quarter at once, so that a full mapping is not sorted for every entry.
        surplus = len(ends) - CAPACITY * 3 // 4
        now = self._clock()
        for number, key in enumerate(sorted(ends, key=ends.__getitem__)):
            if number >= surplus and ends[key] > now:
                return
            self._mapping.pop(key, None)

    def _own_keys(self) -> Iterator[str]:
        return (key for key in list(self._mapping) if str(key).startswith(_PREFIX))


def open_cache(
    http_cache: MutableMapping[str, Any] | ExpiringCache | None, *, clock: Callable[[], float]
) -> ExpiringCache:
    """Return the cache to use: the given one, a mapping with expiry added, or one in memory."""
    if http_cache is None:
        return MappingCache({}, clock=clock)
    # A plain dict has neither set() nor add(), which tells the two apart.
    if isinstance(http_cache, ExpiringCache):
        return http_cache
    return MappingCache(http_cache, clock=clock)
