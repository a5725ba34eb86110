"""Lets overlapping callers share one call and keeps the last good value of a fetched document."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, Generic, TypeVar

from .errors import ProtocolFailure, make_error

T = TypeVar("T")

FRESH_SECONDS: Final = 24 * 3600
USABLE_SECONDS: Final = 7 * FRESH_SECONDS
PAUSE_SECONDS: Final = 60
_LONGEST_WAIT: Final = 120

_OUTAGE_CATEGORIES = frozenset({"invalid_answer", "throttled", "transient"})


class SharedCalls(Generic[T]):
    """Runs one call for each key at a time; who comes meanwhile gets its outcome, or its error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Future[T]] = {}

    def run(self, key: str, call: Callable[[], T]) -> T:
        """Return what ``call`` returns, or what the call already running returns."""
        mine, running = self._join(key)
        return self._lead(key, mine, call) if running is None else _wait(running)

    def run_unless_running(self, key: str, call: Callable[[], T]) -> T | None:
        """Return what ``call`` returns, ``None`` at once while such a call is running."""
        mine, running = self._join(key)
        return self._lead(key, mine, call) if running is None else None

    def _join(self, key: str) -> tuple[Future[T], Future[T] | None]:
        mine: Future[T] = Future()
        with self._lock:
            running = self._running.get(key)
            if running is None:
                self._running[key] = mine
        return mine, running

    def _lead(self, key: str, mine: Future[T], call: Callable[[], T]) -> T:
        try:
            mine.set_result(call())
        except BaseException as exc:
            mine.set_exception(exc)
            raise
        finally:
            with self._lock:
                del self._running[key]
        return mine.result()


def _wait(running: Future[T]) -> T:
    try:
        return running.result(_LONGEST_WAIT)
    except FutureTimeoutError:
        text = "The sign-in service could not be asked: the answer took too long."
        raise ProtocolFailure(make_error("temporarily_unavailable", text)) from None


class LastGood(Generic[T]):
    """A document fetched when needed: fresh for a day, kept for a week while fetching fails.

    ``fetch`` gets ``True`` when caches on the way must be passed by; it returns the document and
    its age in seconds, or raises ``ProtocolFailure``. Only an outage falls back on the kept copy;
    an answer that says no (unknown tenant, refused metadata) does not. ``clock`` returns Unix
    time.
    """

    def __init__(
        self, fetch: Callable[[bool], tuple[T, int]], *, clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._shared: SharedCalls[T] = SharedCalls()
        self._kept: tuple[T, float] | None = None
        self._pause_until = 0.0
        self._last_demand: float | None = None

    def get(self) -> T:
        """Return the document, fetched when there is no fresh one. Raises ``ProtocolFailure``."""
        kept, now = self._kept, self._clock()
        if kept is not None and 0 <= now - kept[1] < FRESH_SECONDS:
            return kept[0]
        if kept is not None and now < self._pause_until and now - kept[1] < USABLE_SECONDS:
            return kept[0]
        return self._shared.run("", lambda: self._refresh(bypass=False))

    def get_newer(self) -> T:
        """Fetch again, at most once a minute; in between return the document at hand."""
        now = self._clock()
        last = self._last_demand
        if last is not None and 0 <= now - last < PAUSE_SECONDS:
            return self.get()
        self._last_demand = now
        return self._shared.run("", lambda: self._refresh(bypass=True))

    def _refresh(self, *, bypass: bool) -> T:
        try:
            value, age = self._fetch(bypass)
        except ProtocolFailure as failure:
            return self._fall_back(failure)
        now = self._clock()
        self._kept = (value, now - age)
        if age >= FRESH_SECONDS:
            # A shared cache stepped in for a provider that is down: do not ask at every request.
            self._pause_until = now + PAUSE_SECONDS
        return value

    def _fall_back(self, failure: ProtocolFailure) -> T:
        kept, now = self._kept, self._clock()
        is_usable = kept is not None and now - kept[1] < USABLE_SECONDS
        if kept is None or not is_usable or failure.result["category"] not in _OUTAGE_CATEGORIES:
            raise failure
        self._pause_until = now + PAUSE_SECONDS
        return kept[0]
