"""Decides between a kept token and a new one, and lets overlapping callers share the new one."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from .errors import ProtocolFailure, Result
from .scopes import covers, find_resource, normalize_scopes
from .token_cache import CachedToken, Holder, TokenCache, kept_if_possible

SKEW: Final = 300
"""Seconds before its end at which a token counts as expired."""
_PAUSE: Final = 60
_JITTER: Final = 0.1
"""Part of the time until a renewal by which it may come early: tokens issued together, as in the
morning, would otherwise all be renewed in the same second."""
_MAX_TOKENS: Final = 4
_OUTAGES: Final = frozenset({"throttled", "transient"})


@dataclass(frozen=True)
class Wanted:
    """The token somebody asks for; ``scopes`` are normalized, ``claims`` is a challenge."""

    holder: Holder
    resource: str
    scopes: frozenset[str]
    claims: str | None = None
    force: bool = False

    @property
    def must_be_new(self) -> bool:
        """Whether a kept token will not do."""
        return self.force or self.claims is not None

    @property
    def flight_key(self) -> str:
        """What is equal for callers who can share one request; a hash, as claims may be long."""
        parts = (
            self.holder.kind,
            self.holder.id,
            self.resource,
            *sorted(self.scopes),
            str(self.claims),
            str(self.force),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def make_wanted(
    holder: Holder, scopes: list[str], *, claims: str | None = None, force: bool = False
) -> Wanted:
    """Return what is asked for with ``scopes`` as the caller wrote them."""
    return Wanted(holder, find_resource(scopes), normalize_scopes(scopes), claims, force)


def find_ready(
    tokens: tuple[CachedToken, ...], scopes: frozenset[str], now: float
) -> Result | None:
    """Return a token that needs no thought: far from its end, not due for renewal.

    ``scopes`` are normalized, ``now`` is Unix time.
    """
    token = _choose(tokens, scopes, now)
    if token is None or token.expires_at - now < SKEW:
        return None
    if token.refresh_at is not None and now >= token.refresh_at:
        return None
    return _present(token, now)


class Acquirer:
    """Serves tokens from a cache, refreshing them in time.

    ``clock`` returns Unix time, ``randomness`` a number from 0 up to 1.
    """

    def __init__(
        self,
        cache: TokenCache,
        *,
        clock: Callable[[], float],
        randomness: Callable[[], float] = random.random,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._randomness = randomness

    def find_last(self, wanted: Wanted) -> Result | None:
        """Return a kept token until its very end, for as long as the cache cannot be asked."""
        if wanted.must_be_new:
            return None
        token = self._choose(self._cache.peek_tokens(wanted.holder, wanted.resource), wanted)
        return None if token is None else self._present(token)

    def acquire(self, wanted: Wanted, fetch: Callable[[], Result]) -> Result:
        """Return a kept token while it is good, else what ``fetch`` gets.

        ``fetch`` returns a token response or raises ``ProtocolFailure``. After its refresh time
        a token is still served while one caller fetches the next; if that fails it goes on
        serving, and for an outage does so until it really ends.
        """
        before = self._cache.load_tokens(wanted.holder, wanted.resource)
        token = None if wanted.must_be_new else self._choose(before, wanted)
        if token is None:
            return self._fetch_shared(wanted, fetch, before)
        now = self._clock()
        if token.expires_at - now >= SKEW:
            if token.refresh_at is None or now < token.refresh_at:
                return self._present(token)
            return self._renew(wanted, fetch, before, token)
        result = self._fetch_shared(wanted, fetch, before)
        is_outage = result.get("category") in _OUTAGES
        return self._present(token) if is_outage else result

    def peek(self, wanted: Wanted) -> Result | None:
        """Return a kept token that has not come to its end, ``None`` when there is none."""
        tokens = self._cache.load_tokens(wanted.holder, wanted.resource)
        token = None if wanted.must_be_new else self._choose(tokens, wanted)
        if token is None or token.expires_at - self._clock() < SKEW:
            return None
        return self._present(token)

    def keep(self, wanted: Wanted, result: Mapping[str, Any]) -> None:
        """Keep the access token of a response; after a challenge it is the resource's only one."""
        token = self._read(wanted, result)
        if token is None:
            return
        older = self._cache.load_tokens(wanted.holder, wanted.resource)
        others = () if wanted.claims is not None else self._useful(older, token)
        tokens = (token, *others)[:_MAX_TOKENS]
        self._cache.save_tokens(wanted.holder, wanted.resource, tokens)

    def _choose(self, tokens: tuple[CachedToken, ...], wanted: Wanted) -> CachedToken | None:
        return _choose(tokens, wanted.scopes, self._clock())

    def _present(self, token: CachedToken) -> Result:
        return _present(token, self._clock())

    def _renew(
        self,
        wanted: Wanted,
        fetch: Callable[[], Result],
        before: tuple[CachedToken, ...],
        token: CachedToken,
    ) -> Result:
        """Let one caller fetch the next token while the present one goes on serving."""
        result = self._cache.single_flight(
            wanted.flight_key, lambda: self._fetch_once(wanted, fetch, before), wait=False
        )
        if result is None:
            return self._present(token)
        if "error" not in result:
            return result
        later = replace(token, refresh_at=self._clock() + _PAUSE)
        tokens = self._cache.load_tokens(wanted.holder, wanted.resource)
        # Only while it is still there: a sign-out or a newer token comes first.
        if token in tokens:
            postponed = tuple(later if kept == token else kept for kept in tokens)
            self._cache.save_tokens(wanted.holder, wanted.resource, postponed)
        return self._present(token)

    def _fetch_shared(
        self, wanted: Wanted, fetch: Callable[[], Result], before: tuple[CachedToken, ...]
    ) -> Result:
        try:
            result = self._cache.single_flight(
                wanted.flight_key, lambda: self._fetch_once(wanted, fetch, before)
            )
        except ProtocolFailure as failure:  # another caller's request took too long
            result = failure.result
        return dict(result or {})

    def _fetch_once(
        self, wanted: Wanted, fetch: Callable[[], Result], before: tuple[CachedToken, ...]
    ) -> Result:
        """Fetch, unless somebody else did so since the caller looked."""
        since = self._cache.load_tokens(wanted.holder, wanted.resource)
        if since != before and wanted.claims is None:
            token = self._choose(since[:1], wanted)
            if token is not None and token not in before:
                return self._present(token)
        try:
            result = fetch()
        except ProtocolFailure as failure:
            with kept_if_possible():
                self._forget_challenged(wanted, failure.result)
            return dict(failure.result)
        with kept_if_possible():
            self.keep(wanted, result)
        return result

    def _forget_challenged(self, wanted: Wanted, failure: Mapping[str, Any]) -> None:
        """Drop the tokens that an API has just refused; in an outage that can wait."""
        if wanted.claims is not None and failure.get("category") not in _OUTAGES:
            self._cache.save_tokens(wanted.holder, wanted.resource, ())

    def _useful(
        self, tokens: tuple[CachedToken, ...], newer: CachedToken
    ) -> tuple[CachedToken, ...]:
        now = self._clock()
        return tuple(
            token
            for token in tokens
            if token.expires_at > now and not covers(newer.scopes, token.scopes)
        )

    def _read(self, wanted: Wanted, result: Mapping[str, Any]) -> CachedToken | None:
        access_token, lifetime = result.get("access_token"), result.get("expires_in", 0)
        if not access_token or lifetime <= 0:
            return None
        now = self._clock()
        granted = result.get("scope")
        scopes = wanted.scopes if not granted else normalize_scopes(granted.split())
        # ".default" asks for whatever was consented and is never named in an answer.
        scopes |= {scope for scope in wanted.scopes if scope.endswith(".default")}
        refresh_in = result.get("refresh_in")
        return CachedToken(
            access_token,
            scopes,
            now + lifetime,
            None if refresh_in is None else now + self._spread(refresh_in),
            str(result.get("token_type", "Bearer")),
        )

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - _JITTER * self._randomness())


def _choose(
    tokens: tuple[CachedToken, ...], scopes: frozenset[str], now: float
) -> CachedToken | None:
    for token in tokens:
        if token.expires_at > now and covers(token.scopes, scopes):
            return token
    return None


def _present(token: CachedToken, now: float) -> Result:
    result: Result = {
        "access_token": token.access_token,
        "token_type": token.token_type,
        "expires_in": int(token.expires_at - now),
        "token_source": "cache",
    }
    if token.refresh_at is not None:
        result["refresh_on"] = int(token.refresh_at)
    return result
