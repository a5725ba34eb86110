"""One sign-in's tokens in the Django cache: an entry for each resource, one for the account."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from django.conf import settings as django_settings

from django_entra_auth.cache.chain import Chain
from django_entra_auth.cache.entries import CacheOutage, Entries, build_key
from django_entra_auth.cache.local_copies import CopyKey, Tokens, local_copies
from django_entra_auth.cache.single_flight import SingleFlight
from django_entra_auth.conf import EntraSettings
from django_entra_auth.oauth2.token_cache import CachedAccount, CachedToken, Holder

RESOURCES = 128  # of one sign-in; no real site comes near
SLOT_MARGIN_SECONDS = 2 * 24 * 3600  # longer than any access token outlives its session

__all__ = ["Renewal", "SignInTokenCache", "find_copy", "load_renewals", "local_copies"]


@dataclass(frozen=True, slots=True)
class Renewal:
    """When tokens of a sign-in last came from Entra, and whether more can be had without a prompt.

    `at` is Unix time, None for an entry that does not say.
    """

    at: int | None
    has_refresh_token: bool


def load_renewals(id_hashes: Iterable[str], settings: EntraSettings) -> dict[str, Renewal]:
    """What the cache keeps for these sign-ins, by hash; one round trip, those that are gone lack.

    Raises TemporarilyUnavailable.
    """
    keys = {_account_key(id_hash): id_hash for id_hash in id_hashes}
    found = Entries(settings).load_many(list(keys)) if keys else {}
    return {keys[key]: _read_renewal(kept) for key, kept in found.items()}


def _read_renewal(kept: dict[str, Any]) -> Renewal:
    return Renewal(kept.get("renewed"), bool(kept["account"].get("refresh_token")))


def _account_key(id_hash: str) -> str:
    return build_key("account", id_hash)


def _account_tokens_key(id_hash: str, resource: str) -> str:
    return build_key("tokens", id_hash, "account", "", resource)


def find_copy(id_hash: str, resource: str, seconds: float) -> Tokens | None:
    """The tokens of a sign-in's account as this process read them within `seconds`; no I/O."""
    return local_copies.get((id_hash, _account_tokens_key(id_hash, resource)), seconds)


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

    def __init__(
        self,
        id_hash: str,
        settings: EntraSettings,
        *,
        session_seconds: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Be the cache of the sign-in with this hash.

        `session_seconds` says how long the session behind it lives from now, and is asked when
        something is written; without it the account ends when it was to end before.
        """
        self._id_hash = id_hash
        self._entries = Entries(settings)
        self._local_seconds = settings.local_copy_seconds
        self._session_seconds = session_seconds
        self._clock = clock

    @cached_property
    def _chain(self) -> Chain:
        return Chain(self._entries)

    @cached_property
    def _flights(self) -> SingleFlight:
        return SingleFlight(self._entries, self._id_hash)

    def peek_tokens(self, holder: Holder, resource: str) -> Tokens:
        """The tokens of a resource, from this process's own copy while that is fresh.

        With the cache down, from a copy of any age: it serves for as long as its tokens do.
        """
        key = self._id_hash, self._token_key(holder, resource)
        if self._local_seconds and (copy := local_copies.get(key, self._local_seconds)) is not None:
            return copy
        try:
            return self._load_tokens(key)
        except CacheOutage:
            last = local_copies.get_last(key) if self._local_seconds else None
            if last is None:
                raise
            return last

    def load_tokens(self, holder: Holder, resource: str) -> Tokens:
        """The tokens of a resource, newest first."""
        return self._load_tokens((self._id_hash, self._token_key(holder, resource)))

    def _load_tokens(self, key: CopyKey) -> Tokens:
        drops = local_copies.drops
        tokens = tuple(map(_read_token, self._entries.load(key[1]) or ()))
        if self._local_seconds:
            local_copies.put(key, tokens, drops=drops)
        return tokens

    def save_tokens(self, holder: Holder, resource: str, tokens: Tokens) -> None:
        """Keep exactly these tokens for the resource; none removes it."""
        key = self._token_key(holder, resource)
        with _dropped_at_the_end((self._id_hash, key)):
            if not tokens:
                self._entries.delete(key)
            elif self._remember_resource(resource):
                seconds = max(token.expires_at for token in tokens) - self._clock()
                self._save(key, [_write_token(token) for token in tokens], seconds)

    def load_account(self, home_account_id: str) -> CachedAccount | None:
        """The account of this sign-in, None when its entry is gone."""
        kept = self._load_account()
        return None if kept is None else kept[0]

    def list_accounts(self) -> list[CachedAccount]:
        """The account of this sign-in, if it is there."""
        account = self.load_account("")
        return [] if account is None else [account]

    def save_account(self, account: CachedAccount) -> None:
        """Keep the account after its sign-in."""
        self._save_account(account, self._ends_at(None), renewed=int(self._clock()))

    def update_refresh_token(self, home_account_id: str, used: str, new: str | None) -> None:
        """Replace the refresh token; None drops it while it is still the `used` one."""
        kept = self._load_account()
        if kept is None or (new is None and kept[0].refresh_token != used):
            return
        account = replace(kept[0], refresh_token=new)
        # Entra sends a new refresh token along with every token it issues for one.
        renewed = kept[2] if new is None else int(self._clock())
        self._save_account(account, self._ends_at(kept[1]), renewed=renewed)

    def delete_account(self, home_account_id: str) -> None:
        """End: a tombstone first, then everything that is there."""
        self._chain.end(self._id_hash)
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
        return _account_key(self._id_hash)

    def _token_key(self, holder: Holder, resource: str) -> str:
        # One sign-in is one account, however its id is spelled.
        if holder.kind == "account":
            return _account_tokens_key(self._id_hash, resource)
        return build_key("tokens", self._id_hash, holder.kind, holder.id, resource)

    def _load_account(self) -> tuple[CachedAccount, float, int | None] | None:
        """The account, and the Unix times of its end and of its last renewal."""
        kept = self._entries.load(self._account_key)
        if kept is None:
            return None
        return CachedAccount(**kept["account"]), kept["ends_at"], kept.get("renewed")

    def _save_account(self, account: CachedAccount, ends_at: float, *, renewed: int | None) -> None:
        kept = {"account": asdict(account), "ends_at": ends_at, "renewed": renewed}
        self._save(self._account_key, kept, ends_at - self._clock())

    def _ends_at(self, before: float | None) -> float:
        """When the session ends, as Unix time; what nobody says now is as it was `before`."""
        if self._session_seconds is not None:
            return self._clock() + self._session_seconds()
        return self._clock() + django_settings.SESSION_COOKIE_AGE if before is None else before

    def _load_resources(self) -> dict[str, str]:
        """The resources by the key of their slot."""
        return self._entries.load_many([self._slot_key(n) for n in range(RESOURCES)])

    def _remember_resource(self, resource: str) -> bool:
        """Note what a sign-out has to delete; False without an account, or with no room left.

        Each resource takes a slot of its own with an atomic add: in one shared list a writer
        could overwrite another's entry, and that token would outlive the sign-out.
        """
        account = self._load_account()
        if account is None:
            return False
        seconds = max(account[1] - self._clock(), 0) + SLOT_MARGIN_SECONDS
        first = zlib.crc32(resource.encode())
        for number in range(RESOURCES):
            key = self._slot_key((first + number) % RESOURCES)
            if self._entries.load(key) == resource:
                self._entries.touch(key, seconds)
                return True
            if self._entries.add(key, resource, seconds):
                return self._stands(key)
            if self._entries.load(key) == resource:
                return True
        return False

    def _slot_key(self, number: int) -> str:
        return build_key("resource", self._id_hash, str(number))

    def _save(self, key: str, value: Any, seconds: float) -> None:
        """Write, unless the sign-in has ended, also while it was being written."""
        if seconds <= 0 or self._chain.has_ended(self._id_hash):
            return
        self._entries.save(key, value, seconds)
        self._stands(key)

    def _stands(self, key: str) -> bool:
        """Whether what was just written may stay; it goes again when the sign-in has ended."""
        if not self._chain.has_ended(self._id_hash):
            return True
        self._entries.delete(key)
        return False


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
