"""One call for many callers, in this process and in all others."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any
from weakref import WeakKeyDictionary

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.errors import make_error
from django_entra_auth.oauth2.shared_calls import SharedCalls

UNRELEASED = 1000
LOCK_SECONDS = 30  # longer than any one call to Entra may take
RELEASED_WITHIN = 2 / 3  # of the lock's life; who took longer leaves it to expire
OUTCOME_SECONDS = 10
FIRST_POLL_SECONDS = 0.01
LONGEST_POLL_SECONDS = 0.1

logger = logging.getLogger(__name__)

Outcome = dict[str, Any]

# The callers of this process wait for each other here, and only one of them asks the cache.
_here: SharedCalls[Outcome] = SharedCalls()

# Locks of finished calls that the cache was too far away to give back, by their key.
_unreleased: dict[str, str] = {}

_TAKEN: Outcome = {}  # stands for the outcome of a call that runs in another process


# Tasks of one event loop that ask the same; without it they queue for a few threads and the last
# would ask Entra again when the first has long had its answer.
_tasks: WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[Hashable, asyncio.Task[Outcome | None]]
] = WeakKeyDictionary()


async def share_call(
    key: Hashable, call: Callable[[], Coroutine[Any, Any, Outcome | None]]
) -> Outcome | None:
    """What `call` returns, run once for all tasks of this event loop that ask meanwhile.

    It goes on when a caller is cancelled: others may be waiting for it.
    """
    running = _tasks.setdefault(asyncio.get_running_loop(), {})
    task = running.get(key)
    if task is None:
        task = running[key] = asyncio.get_running_loop().create_task(call())
        task.add_done_callback(lambda _done: running.pop(key, None))
    return await asyncio.shield(task)


def _note_unreleased(lock_key: str, owner: str) -> None:
    if len(_unreleased) >= UNRELEASED:
        _unreleased.clear()
    _unreleased[lock_key] = owner


class SingleFlight:
    """Locks by the cache's atomic `add`; who comes second gets the first one's outcome.

    A holder that dies is waited for until its lock expires. `scope` keeps the keys of different
    sign-ins apart.
    """

    def __init__(
        self,
        entries: Entries,
        scope: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the locks in the cache behind `entries`; `clock` counts seconds."""
        self._entries = entries
        self._scope = scope
        self._sleep = sleep
        self._clock = clock

    def run(self, key: str, call: Callable[[], Outcome]) -> Outcome:
        """What `call` returns, or what the call already running anywhere returns."""
        outcome = _TAKEN
        # Who has joined a caller that would not wait has to wait for the other process itself.
        while outcome is _TAKEN:
            outcome = _here.run(f"{self._scope}:{key}", lambda: self._run_shared(key, call))
        return dict(outcome)

    def run_unless_running(self, key: str, call: Callable[[], Outcome]) -> Outcome | None:
        """What `call` returns, None at once while such a call is running anywhere."""

        def attempt() -> Outcome:
            begun = self._clock()
            owner = self._acquire(key)
            return _TAKEN if owner is None else self._lead(key, owner, begun, call)

        outcome = _here.run_unless_running(f"{self._scope}:{key}", attempt)
        return None if outcome is None or outcome is _TAKEN else dict(outcome)

    def _run_shared(self, key: str, call: Callable[[], Outcome]) -> Outcome:
        deadline = self._clock() + 2 * LOCK_SECONDS
        while (begun := self._clock()) < deadline:
            owner = self._acquire(key)
            if owner is not None:
                return self._lead(key, owner, begun, call)
            outcome = self._follow(key, deadline)
            if outcome is not None:
                return outcome
        text = "The sign-in service could not be asked: another worker took too long."
        return make_error("temporarily_unavailable", text)

    def _acquire(self, key: str) -> str | None:
        owner, lock_key = secrets.token_urlsafe(16), self._lock_key(key)
        try:
            if self._entries.add(lock_key, owner, LOCK_SECONDS):
                _unreleased.pop(lock_key, None)
                return owner
        except TemporarilyUnavailable:
            # The cache may have taken the lock, and only its answer was lost.
            _note_unreleased(lock_key, owner)
            raise
        held = _unreleased.get(lock_key)
        if held is None or self._entries.load(lock_key) != held:
            return None
        self._entries.delete(lock_key)
        _unreleased.pop(lock_key, None)
        return owner if self._entries.add(lock_key, owner, LOCK_SECONDS) else None

    def _lead(self, key: str, owner: str, begun: float, call: Callable[[], Outcome]) -> Outcome:
        try:
            outcome = call()
        except BaseException:
            self._release(key, owner, begun, None)
            raise
        self._release(key, owner, begun, outcome)
        return outcome

    def _release(self, key: str, owner: str, begun: float, outcome: Outcome | None) -> None:
        """Leave the outcome to those who wait elsewhere, and the lock to the next.

        The caller and the waiters of this process have the outcome without the cache.
        """
        try:
            if outcome is not None:
                self._entries.save(build_key("outcome", owner), outcome, OUTCOME_SECONDS)
            # Between looking and deleting, a lock near its end could become somebody else's. Were
            # it deleted nonetheless, by a process that stood still for long, one call too many
            # would be made, no more.
            is_young = self._clock() - begun < RELEASED_WITHIN * LOCK_SECONDS
            if is_young and self._entries.load(self._lock_key(key)) == owner:
                self._entries.delete(self._lock_key(key))
        except TemporarilyUnavailable:
            logger.warning("The cache is down: the outcome of a call is not shared")
            _note_unreleased(self._lock_key(key), owner)

    def _follow(self, key: str, deadline: float) -> Outcome | None:
        """The outcome of whoever holds the lock; None once the lock is gone without one."""
        owner = self._entries.load(self._lock_key(key))
        if owner is None:
            # Gone meanwhile, or sealed by a worker with a newer key: no reason to run in circles.
            self._sleep(FIRST_POLL_SECONDS if self._is_free(key) else LONGEST_POLL_SECONDS)
        pause = FIRST_POLL_SECONDS
        while owner is not None and self._clock() < deadline:
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_POLL_SECONDS)
            lock_key, outcome_key = self._lock_key(key), build_key("outcome", owner)
            found = self._entries.load_many([lock_key, outcome_key])
            if outcome_key in found:
                return dict(found[outcome_key])
            if found.get(lock_key) != owner:
                return None
        return None

    def _is_free(self, key: str) -> bool:
        return not self._entries.look([self._lock_key(key)])

    def _lock_key(self, key: str) -> str:
        return build_key("lock", self._scope, key)
