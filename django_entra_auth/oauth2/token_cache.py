"""Keeps tokens: what a token cache has to do, one in memory, and one that keeps nothing."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from .errors import Result
from .shared_calls import SharedCalls

logger = logging.getLogger(__name__)

MAX_PARTITIONS: Final = 10_000
"""Accounts, and as many other holders of tokens, that the cache in memory keeps."""


@dataclass(frozen=True)
class CachedToken:
    """An access token. ``scopes`` are normalized; times are Unix times.

    After ``refresh_at`` (if any) a newer one should be fetched while this one still serves.
    """

    access_token: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: float
    refresh_at: float | None = None
    token_type: str = "Bearer"  # noqa: S105


@dataclass(frozen=True)
class CachedAccount:
    """A person who signed in, and the refresh token that can speak for them.

    ``home_account_id`` is ``{uid}.{utid}``: who the person is at home, which for a guest is
    another tenant than ``tenant_id``, where they signed in as ``object_id``.
    """

    home_account_id: str
    tenant_id: str
    object_id: str
    username: str
    environment: str
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Holder:
    """Whose tokens: an account's, the application's own, or those for one assertion."""

    kind: str  # "account", "app" or "assertion"
    id: str


class CacheUnavailable(Exception):
    """A token cache cannot be asked; what it keeps may well be there."""


@contextmanager
def kept_if_possible() -> Iterator[None]:
    """Go on when the cache is down: what Entra has answered serves those who asked for it."""
    try:
        yield
    except CacheUnavailable:
        logger.warning("The token cache is down: an answer is used, but not kept")


class TokenCache(Protocol):
    """What the application needs of a token cache; every method is safe between threads.

    Tokens are kept by holder and resource, so that the cost of finding one does not grow with
    the number of resources. Tokens of an account that is not there are not kept: a refresh
    that was under way during a sign-out must not bring anything back. Any method may raise
    ``CacheUnavailable``; ``peek_tokens`` only when it has nothing to go by.
    """

    def peek_tokens(self, holder: Holder, resource: str) -> tuple[CachedToken, ...]:
        """Return the tokens of a resource, perhaps as they were some seconds ago."""

    def load_tokens(self, holder: Holder, resource: str) -> tuple[CachedToken, ...]:
        """Return the tokens of a resource, newest first."""

    def save_tokens(self, holder: Holder, resource: str, tokens: tuple[CachedToken, ...]) -> None:
        """Keep exactly these tokens for the resource; none removes it."""

    def load_account(self, home_account_id: str) -> CachedAccount | None:
        """Return an account, ``None`` when it is not there."""

    def list_accounts(self) -> list[CachedAccount]:
        """Return all accounts."""

    def save_account(self, account: CachedAccount) -> None:
        """Keep an account after a sign-in, in place of an earlier one."""

    def update_refresh_token(self, home_account_id: str, used: str, new: str | None) -> None:
        """Replace the refresh token of an account that is there.

        ``None`` drops it, but only while it is still the ``used`` one.
        """

    def delete_account(self, home_account_id: str) -> None:
        """Forget an account and all its tokens."""

    def single_flight(
        self, key: str, call: Callable[[], Result], *, wait: bool = True
    ) -> Result | None:
        """Return what ``call`` returns, run by one caller at a time for each ``key``.

        Who comes while it runs gets the same result, or ``None`` at once unless ``wait``.
        """


class MemoryTokenCache:
    """A token cache in this process; the account not signed in for longest goes first."""

    def __init__(self, *, max_partitions: int = MAX_PARTITIONS) -> None:
        self._max = max_partitions
        self._lock = threading.RLock()
        self._accounts: OrderedDict[str, CachedAccount] = OrderedDict()
        self._tokens: OrderedDict[Holder, dict[str, tuple[CachedToken, ...]]] = OrderedDict()
        self._flights: SharedCalls[Result] = SharedCalls()

    def peek_tokens(self, holder: Holder, resource: str) -> tuple[CachedToken, ...]:
        """Return the tokens of a resource."""
        return self.load_tokens(holder, resource)

    def load_tokens(self, holder: Holder, resource: str) -> tuple[CachedToken, ...]:
        """Return the tokens of a resource, newest first."""
        with self._lock:
            return self._tokens.get(holder, {}).get(resource, ())

    def save_tokens(self, holder: Holder, resource: str, tokens: tuple[CachedToken, ...]) -> None:
        """Keep exactly these tokens for the resource; none removes it."""
        with self._lock:
            if holder.kind == "account" and holder.id not in self._accounts:
                return
            if not tokens:
                self._tokens.get(holder, {}).pop(resource, None)
                return
            self._tokens.setdefault(holder, {})[resource] = tokens
            while len(self._tokens) > 2 * self._max:
                self._tokens.popitem(last=False)

    def load_account(self, home_account_id: str) -> CachedAccount | None:
        """Return an account, ``None`` when it is not there."""
        with self._lock:
            return self._accounts.get(home_account_id)

    def list_accounts(self) -> list[CachedAccount]:
        """Return all accounts."""
        with self._lock:
            return list(self._accounts.values())

    def save_account(self, account: CachedAccount) -> None:
        """Keep an account after a sign-in, in place of an earlier one."""
        with self._lock:
            self._accounts[account.home_account_id] = account
            self._accounts.move_to_end(account.home_account_id)
            if len(self._accounts) > self._max:
                self.delete_account(next(iter(self._accounts)))

    def update_refresh_token(self, home_account_id: str, used: str, new: str | None) -> None:
        """Replace the refresh token of an account that is there."""
        with self._lock:
            account = self._accounts.get(home_account_id)
            if account is not None and (new is not None or account.refresh_token == used):
                self._accounts[home_account_id] = replace(account, refresh_token=new)

    def delete_account(self, home_account_id: str) -> None:
        """Forget an account and all its tokens."""
        with self._lock:
            self._accounts.pop(home_account_id, None)
            self._tokens.pop(Holder("account", home_account_id), None)

    def single_flight(
        self, key: str, call: Callable[[], Result], *, wait: bool = True
    ) -> Result | None:
        """Return what ``call`` returns, run by one caller at a time for each ``key``."""
        if wait:
            return dict(self._flights.run(key, call))
        result = self._flights.run_unless_running(key, call)
        return None if result is None else dict(result)


class NullTokenCache:
    """A token cache that keeps nothing, for an application that only signs people in."""

    def peek_tokens(self, holder: Holder, resource: str) -> tuple[CachedToken, ...]:
        """Return none."""
        return ()

    def load_tokens(self, holder: Holder, resource: str) -> tuple[CachedToken, ...]:
        """Return none."""
        return ()

    def save_tokens(self, holder: Holder, resource: str, tokens: tuple[CachedToken, ...]) -> None:
        """Keep nothing."""

    def load_account(self, home_account_id: str) -> CachedAccount | None:
        """Return none."""
        return None

    def list_accounts(self) -> list[CachedAccount]:
        """Return none."""
        return []

    def save_account(self, account: CachedAccount) -> None:
        """Keep nothing."""

    def update_refresh_token(self, home_account_id: str, used: str, new: str | None) -> None:
        """Keep nothing."""

    def delete_account(self, home_account_id: str) -> None:
        """Forget nothing."""

    def single_flight(
        self, key: str, call: Callable[[], Result], *, wait: bool = True
    ) -> Result | None:
        """Return what ``call`` returns."""
        return call()
