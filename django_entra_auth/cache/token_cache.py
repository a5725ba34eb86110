"""One sign-in's tokens in the Django cache: an entry for each resource, one for the account."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.conf import settings as django_settings

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.cache.single_flight import SingleFlight
from django_entra_auth.conf import EntraSettings
from django_entra_auth.oauth2.token_cache import CachedAccount, CachedToken, Holder

TOMBSTONE_SECONDS = 300  # longer than a lock and every HTTP timeout together
LOCAL_COPIES = 10_000
RESOURCES = 64  # of one sign-in; no real site comes near

Tokens = tuple[CachedToken, ...]
CopyKey = tuple[str, str]  # the sign-in's hash, the entry's key


class LocalCopies:
    """What this process read a moment ago; bounded, the least recently used goes first."""

    def __init__(
        self, *, maximum: int = LOCAL_COPIES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._maximum = maximum
        self._clock = clock
        self._lock = threading.Lock()
        self._copies: OrderedDict[CopyKey, tuple[float, Tokens]] = OrderedDict()
        self._drops = 0

    def get(self, key: CopyKey, seconds: float) -> Tokens | None:
        """A copy that is at most `seconds` old."""
        with self._lock:
            kept = self._copies.get(key)
            if kept is None or self._clock() - kept[0] >= seconds:
                return None
            self._copies.move_to_end(key)
            return kept[1]

    @property
    def drops(self) -> int:
        """How often something was dropped; note it before reading what is to be put."""
        return self._drops

    def put(self, key: CopyKey, tokens: Tokens, *, drops: int) -> None:
        """Keep a copy of what was read, unless a writer has dropped something since."""
        with self._lock:
            if drops != self._drops:
                return
            self._copies[key] = (self._clock(), tokens)
            self._copies.move_to_end(key)
            if len(self._copies) > self._maximum:
                self._copies.popitem(last=False)

    def drop(self, key: CopyKey) -> None:
        """Forget a copy."""
        with self._lock:
            self._copies.pop(key, None)
            self._drops += 1

    def drop_sign_in(self, id_hash: str) -> None:
        """Forget all copies of one sign-in."""
        with self._lock:
            for key in [key for key in self._copies if key[0] == id_hash]:
                del self._copies[key]
            self._drops += 1

    def clear(self) -> None:
        """Forget all copies."""
        with self._lock:
            self._copies.clear()
            self._drops += 1


local_copies = LocalCopies()


@contextmanager
def _dropped_at_the_end(key: CopyKey) -> Iterator[None]:
    """Write first, drop then: who reads in between must not keep what was there before."""
    try:
        yield
    finally:
        local_copies.drop(key)


class SignInTokenCache:
    """The token cache of one sign-in (`oauth2.TokenCache`), shared by all workers.

    Entries are named by the hash of the sign-in id, so that two browsers of one person never
    share a token, and no id can be read from a key. A sign-in that has ended leaves a tombstone
    that writers look at before and after they write: a refresh under way cannot revive it.
    Every method may raise TemporarilyUnavailable.
    """

    def __init__(self, id_hash: str, settings: EntraSettings) -> None:
        """Be the cache of the sign-in with this hash."""
        self._id_hash = id_hash
        self._entries = Entries(settings)
        self._local_seconds = settings.local_copy_seconds
        self._flights = SingleFlight(self._entries, id_hash)

    def peek_tokens(self, holder: Holder, resource: str) -> Tokens:
        """The tokens of a resource, from this process's own copy while that is fresh."""
        key = self._id_hash, self._token_key(holder, resource)
        copy = local_copies.get(key, self._local_seconds)
        return self.load_tokens(holder, resource) if copy is None else copy

    def load_tokens(self, holder: Holder, resource: str) -> Tokens:
        """The tokens of a resource, newest first."""
        key = self._token_key(holder, resource)
        drops = local_copies.drops
        tokens = tuple(map(_read_token, self._entries.load(key) or ()))
        local_copies.put((self._id_hash, key), tokens, drops=drops)
        return tokens

    def save_tokens(self, holder: Holder, resource: str, tokens: Tokens) -> None:
        """Keep exactly these tokens for the resource; none removes it."""
        key = self._token_key(holder, resource)
        with _dropped_at_the_end((self._id_hash, key)):
            if not tokens:
                self._entries.delete(key)
            elif self._remember_resource(resource):
                seconds = max(token.expires_at for token in tokens) - time.time()
                self._save(key, [_write_token(token) for token in tokens], seconds)

    def load_account(self, home_account_id: str) -> CachedAccount | None:
        """The account of this sign-in, None when its entry is gone."""
        kept = self._load_account()
        return None if kept is None else CachedAccount(**kept)

    def list_accounts(self) -> list[CachedAccount]:
        """The account of this sign-in, if it is there."""
        account = self.load_account("")
        return [] if account is None else [account]

    def save_account(self, account: CachedAccount) -> None:
        """Keep the account after its sign-in."""
        self._save_account(asdict(account))

    def update_refresh_token(self, home_account_id: str, used: str, new: str | None) -> None:
        """Replace the refresh token; None drops it while it is still the `used` one."""
        kept = self._load_account()
        if kept is None or (new is None and kept["refresh_token"] != used):
            return
        self._save_account({**kept, "refresh_token": new})

    def delete_account(self, home_account_id: str) -> None:
        """End: a tombstone first, then everything that is there."""
        self._entries.save(self._ended_key, 1, TOMBSTONE_SECONDS)
        holder = Holder("account", home_account_id)
        for slot_key, resource in self._load_resources().items():
            self._entries.delete(self._token_key(holder, resource))
            self._entries.delete(slot_key)
        self._entries.delete(self._account_key)
        local_copies.drop_sign_in(self._id_hash)

    def single_flight(
        self, key: str, call: Callable[[], dict[str, Any]], *, wait: bool = True
    ) -> dict[str, Any] | None:
        """What `call` returns, run by one caller of all workers at a time for each `key`."""
        return self._flights.run(key, call) if wait else self._flights.run_unless_running(key, call)

    @property
    def _account_key(self) -> str:
        return build_key("account", self._id_hash)

    @property
    def _ended_key(self) -> str:
        return build_key("ended", self._id_hash)

    def _token_key(self, holder: Holder, resource: str) -> str:
        # One sign-in is one account, however its id is spelled.
        owner = "" if holder.kind == "account" else holder.id
        return build_key("tokens", self._id_hash, holder.kind, owner, resource)

    def _load_account(self) -> dict[str, Any] | None:
        kept = self._entries.load(self._account_key)
        return kept if isinstance(kept, dict) else None

    def _save_account(self, account: dict[str, Any]) -> None:
        self._save(self._account_key, account, django_settings.SESSION_COOKIE_AGE)

    def _load_resources(self) -> dict[str, str]:
        """The resources by the key of their slot."""
        return self._entries.load_many([self._slot_key(n) for n in range(RESOURCES)])

    def _remember_resource(self, resource: str) -> bool:
        """Note what a sign-out has to delete; False without an account, or with no room left.

        Each resource takes a slot of its own with an atomic add: in one shared list a writer
        could overwrite another's entry, and that token would outlive the sign-out.
        """
        if self._load_account() is None:
            return False
        for number in range(RESOURCES):
            key = self._slot_key(number)
            if self._entries.load(key) == resource:
                return True
            if self._entries.add(key, resource, django_settings.SESSION_COOKIE_AGE):
                return self._stands(key)
            if self._entries.load(key) == resource:
                return True
        return False

    def _slot_key(self, number: int) -> str:
        return build_key("resource", self._id_hash, str(number))

    def _save(self, key: str, value: Any, seconds: float) -> None:
        """Write, unless the sign-in has ended, also while it was being written."""
        if seconds <= 0 or self._has_ended():
            return
        self._entries.save(key, value, seconds)
        self._stands(key)

    def _stands(self, key: str) -> bool:
        """Whether what was just written may stay; it goes again when the sign-in has ended."""
        if not self._has_ended():
            return True
        self._entries.delete(key)
        return False

    def _has_ended(self) -> bool:
        return self._entries.load(self._ended_key) is not None


def _write_token(token: CachedToken) -> list[Any]:
    return [
        token.access_token,
        sorted(token.scopes),
        token.expires_at,
        token.refresh_at,
        token.token_type,
    ]


def _read_token(kept: list[Any]) -> CachedToken:
    access_token, scopes, expires_at, refresh_at, token_type = kept
    return CachedToken(access_token, frozenset(scopes), expires_at, refresh_at, token_type)
