"""How sign-ins end and follow each other: tombstones, and pointers to a successor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from django.conf import settings as django_settings
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieSessionStore

from django_entra_auth.cache.entries import Entries, build_key

TOMBSTONE_SECONDS: Final = 300
"""Longer than a lock and every HTTP timeout together."""
POINTER_SECONDS: Final = TOMBSTONE_SECONDS
"""Not longer: the tombstone of a successor has to outlive every pointer that leads to it."""
HOPS: Final = 8
"""Prompts of one session within the life of a pointer; a chain that is longer leads nowhere."""

Successor = dict[str, Any]
"""The session's entry of the later sign-in as far as it is known; always its `id`."""


class Chain:
    """The ends and the successors of sign-ins, each named by the hash of its id.

    A sign-in ends by a tombstone. One that was prompted again ends too, but leaves a pointer to
    what took its place, sealed under the old one's key: who holds the old id gets on, and nobody
    who reads the cache learns the new one. Every method may raise TemporarilyUnavailable.
    """

    def __init__(self, entries: Entries) -> None:
        """Look into the cache behind `entries`."""
        self._entries = entries

    def end(self, id_hash: str) -> None:
        """Leave a tombstone."""
        self._entries.save(_ended_key(id_hash), 1, _tombstone_seconds())

    def has_ended(self, id_hash: str) -> bool:
        """Whether there is a tombstone, successor or not; also one that does not open."""
        ended = _ended_key(id_hash)
        return ended in self._entries.look([ended])

    def add_successor(self, id_hash: str, successor: Mapping[str, Any]) -> Successor | None:
        """Point to what takes the place of a sign-in; what has already done so, if anything.

        Exactly one of several prompts at once becomes the successor.
        """
        key = _pointer_key(id_hash)
        if self._entries.add(key, dict(successor), POINTER_SECONDS):
            return None
        earlier = self.load_successor(id_hash)
        if earlier is None:  # damaged, or gone in between
            self._entries.save(key, dict(successor), POINTER_SECONDS)
        return earlier

    def load_successor(self, id_hash: str) -> Successor | None:
        """What has taken the place of a sign-in."""
        return self._entries.load(_pointer_key(id_hash))

    def look(self, id_hash: str) -> tuple[bool, Successor | None]:
        """`has_ended` and `load_successor` in one round trip."""
        ended, pointer = _ended_key(id_hash), _pointer_key(id_hash)
        found = self._entries.look([ended, pointer])
        return ended in found, found.get(pointer)


def has_cookie_sessions() -> bool:
    """Whether sessions live in the browser alone, where nobody can delete them."""
    return _is_in_cookies(django_settings.SESSION_ENGINE)


@lru_cache(maxsize=8)
def _is_in_cookies(engine: str) -> bool:
    store: type[Any] = import_module(engine).SessionStore
    return issubclass(store, CookieSessionStore)


def _tombstone_seconds() -> int:
    """With signed cookies nothing but the tombstone ends a session: it stays for as long as one."""
    if has_cookie_sessions():
        return int(django_settings.SESSION_COOKIE_AGE) + TOMBSTONE_SECONDS
    return TOMBSTONE_SECONDS


def _ended_key(id_hash: str) -> str:
    return build_key("ended", id_hash)


def _pointer_key(id_hash: str) -> str:
    return build_key("successor", id_hash)
