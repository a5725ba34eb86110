"""One call for many callers: outcomes and errors are shared, no holder blocks for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings

from django_entra_auth.cache import single_flight
from django_entra_auth.cache.entries import CacheOutage, Entries
from django_entra_auth.cache.single_flight import SingleFlight
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.shared_calls import SharedCalls

REDIS = "django.core.cache.backends.redis.RedisCache"
WAIT_SECONDS = 20


class Elsewhere(SingleFlight):
    """A flight of another process, as far as this one's own waiting room goes."""

    def run(self, key: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return self._run_shared(key, call)


@pytest.fixture(autouse=True)
def _redis(settings: Any, redis_url: str) -> Iterator[None]:
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis_url}}
    used = caches["default"]
    yield
    used.clear()


@pytest.fixture
def entries() -> Entries:
    return Entries(get_settings())


@pytest.fixture
def flight(entries: Entries) -> SingleFlight:
    return SingleFlight(entries, "somebody")


class Held:
    """A call that says when it has begun and ends when it is told to."""

    def __init__(self, outcome: dict[str, Any] | Exception) -> None:
        self.begun, self.end = threading.Event(), threading.Event()
        self.calls = 0
        self._outcome = outcome

    def __call__(self) -> dict[str, Any]:
        self.calls += 1
        self.begun.set()
        assert self.end.wait(WAIT_SECONDS)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Pauses:
    """Stands in for `time.sleep`: tells that somebody waits, and lets the holder go on."""

    def __init__(self, held: Held | None = None) -> None:
        self.seen: list[float] = []
        self._held = held

    def __call__(self, seconds: float) -> None:
        self.seen.append(seconds)
        if self._held is not None and len(self.seen) > 3:
            self._held.end.set()
        threading.Event().wait(0.002)


def never() -> dict[str, Any]:
    raise AssertionError("this call was not to be made")


@pytest.mark.parametrize("outcome", [{"access_token": "x"}, {"error": "invalid_grant"}])
def test_another_process_gets_the_outcome_and_makes_no_call(
    entries: Entries, flight: SingleFlight, outcome: dict[str, Any]
) -> None:
    held = Held(outcome)
    other = Elsewhere(entries, "somebody", sleep=Pauses(held))
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flight.run, "key", held)
        assert held.begun.wait(WAIT_SECONDS)
        assert other.run("key", never) == outcome
        assert leader.result(WAIT_SECONDS) == outcome
    assert held.calls == 1


def test_waiting_grows_to_a_tenth_of_a_second(entries: Entries, flight: SingleFlight) -> None:
    held = Held({"n": 1})
    pauses = Pauses(held)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(flight.run, "key", held)
        assert held.begun.wait(WAIT_SECONDS)
        Elsewhere(entries, "somebody", sleep=pauses).run("key", never)
    assert pauses.seen[:4] == [0.01, 0.02, 0.04, 0.08]
    assert max(pauses.seen) <= 0.1


def test_threads_share_one_call_and_one_of_them_asks_the_cache(flight: SingleFlight) -> None:
    held = Held({"n": 1})
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(flight.run, "key", held)
        assert held.begun.wait(WAIT_SECONDS)
        others = [pool.submit(flight.run, "key", held) for _ in range(19)]
        held.end.set()
        results = [future.result(WAIT_SECONDS) for future in [first, *others]]
    # Somebody who came only after the end has to run it anew; nobody runs beside the first.
    assert results == [{"n": 1}] * 20


def test_nobody_gets_the_dict_of_another(flight: SingleFlight) -> None:
    held = Held({"n": 1})
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(flight.run, "key", held) for _ in range(2)]
        assert held.begun.wait(WAIT_SECONDS)
        held.end.set()
        one, two = (future.result(WAIT_SECONDS) for future in futures)
    one["n"] = 2
    assert two == {"n": 1}


def test_keys_and_scopes_do_not_wait_for_each_other(entries: Entries, flight: SingleFlight) -> None:
    held = Held({"n": 1})
    with ThreadPoolExecutor(1) as pool:
        pool.submit(flight.run, "key", held)
        assert held.begun.wait(WAIT_SECONDS)
        assert flight.run("other", lambda: {"n": 2}) == {"n": 2}
        assert SingleFlight(entries, "nobody").run("key", lambda: {"n": 3}) == {"n": 3}
        held.end.set()


@pytest.mark.parametrize("same_process", [True, False])
def test_who_does_not_wait_gets_none_at_once(
    entries: Entries, flight: SingleFlight, same_process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_sleep(seconds: float) -> None:
        raise AssertionError("it waited")

    held = Held({"n": 1})
    other = SingleFlight(entries, "somebody", sleep=no_sleep)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flight.run, "key", held)
        assert held.begun.wait(WAIT_SECONDS)
        if not same_process:
            monkeypatch.setattr(single_flight, "_here", SharedCalls())
        assert other.run_unless_running("key", never) is None
        held.end.set()
        leader.result(WAIT_SECONDS)
    assert other.run_unless_running("key", lambda: {"n": 2}) == {"n": 2}


def test_an_exception_reaches_the_caller_and_releases_the_lock(flight: SingleFlight) -> None:
    def fail() -> dict[str, Any]:
        raise LookupError("no")

    for run in (flight.run, flight.run_unless_running):
        with pytest.raises(LookupError):
            run("key", fail)
        assert flight.run_unless_running("key", lambda: {"n": 1}) == {"n": 1}


def test_an_exception_reaches_waiting_threads_too(flight: SingleFlight) -> None:
    held = Held(LookupError("no"))
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(flight.run, "key", held) for _ in range(3)]
        assert held.begun.wait(WAIT_SECONDS)
        held.end.set()
        for future in futures:
            with pytest.raises(LookupError):
                future.result(WAIT_SECONDS)


def test_after_an_exception_elsewhere_the_next_one_makes_the_call(
    entries: Entries, flight: SingleFlight
) -> None:
    held = Held(LookupError("no"))
    other = Elsewhere(entries, "somebody", sleep=Pauses(held))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(flight.run, "key", held)
        assert held.begun.wait(WAIT_SECONDS)
        assert other.run("key", lambda: {"n": 2}) == {"n": 2}


def test_a_holder_that_never_ends_is_waited_for_until_its_lock_ends(
    entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_flight, "LOCK_SECONDS", 1)
    dead = SingleFlight(entries, "somebody")
    assert dead._acquire("key")
    assert Elsewhere(entries, "somebody").run("key", lambda: {"n": 2}) == {"n": 2}


def test_waiting_ends_with_an_error_when_everybody_is_slow(
    entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SingleFlight(entries, "somebody")._acquire("key")
    monkeypatch.setattr(single_flight, "LOCK_SECONDS", 0.05)
    result = Elsewhere(entries, "somebody").run("key", never)
    assert (result["error"], result["category"]) == ("temporarily_unavailable", "transient")


def test_the_lock_of_somebody_else_is_left_alone(entries: Entries, flight: SingleFlight) -> None:
    """A holder that stalled past its lock's end must not release the next one's."""
    lock_key = flight._lock_key("key")

    def stall() -> dict[str, Any]:
        entries.delete(lock_key)
        assert entries.add(lock_key, "the next owner", 30)
        return {"n": 1}

    assert flight.run("key", stall) == {"n": 1}
    assert entries.load(lock_key) == "the next owner"


@pytest.mark.parametrize(("seconds", "stays"), [(19, False), (21, True), (31, True)])
def test_a_holder_near_its_locks_end_leaves_it_to_expire(
    entries: Entries, seconds: float, *, stays: bool
) -> None:
    """Between looking and deleting, the lock could become the next one's."""
    now = [100.0]

    def call() -> dict[str, Any]:
        now[0] += seconds
        return {"n": 1}

    flight = SingleFlight(entries, "somebody", clock=lambda: now[0])
    assert flight.run("key", call) == {"n": 1}
    assert (entries.load(flight._lock_key("key")) is not None) is stays
    # Who comes now gets the outcome that is there, or makes a call of their own.
    later = Elsewhere(entries, "somebody").run("key", lambda: {"n": 2})
    assert later == ({"n": 1} if stays else {"n": 2})


@pytest.mark.parametrize("fail", ["save", "load", "delete"])
def test_an_outcome_is_not_lost_with_the_cache(
    entries: Entries, monkeypatch: pytest.MonkeyPatch, fail: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The cache goes while the call runs: caller and waiters of this process have the outcome."""

    def down(*args: Any) -> None:
        raise CacheOutage

    held = Held({"n": 1})
    flight = SingleFlight(entries, "somebody")
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(flight.run, "key", held) for _ in range(5)]
        assert held.begun.wait(WAIT_SECONDS)
        monkeypatch.setattr(entries, fail, down)
        held.end.set()
        assert [future.result(WAIT_SECONDS) for future in futures] == [{"n": 1}] * 5
    assert "not shared" in caplog.text


def test_who_joins_one_that_did_not_wait_is_not_left_with_nothing(
    entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process a renewal finds the lock taken elsewhere; a waiting caller has joined it."""
    assert SingleFlight(entries, "somebody")._acquire("key")
    asked, go_on = threading.Event(), threading.Event()
    acquire = SingleFlight._acquire

    def slow_acquire(self: SingleFlight, key: str) -> str | None:
        asked.set()
        assert go_on.wait(WAIT_SECONDS)
        return acquire(self, key)

    eager, patient = SingleFlight(entries, "somebody"), SingleFlight(entries, "somebody")
    monkeypatch.setattr(eager, "_acquire", slow_acquire.__get__(eager))
    joined = threading.Event()
    join = single_flight._here._join

    def seen_join(key: str) -> Any:
        found = join(key)
        if found[1] is not None:
            joined.set()
        return found

    monkeypatch.setattr(single_flight._here, "_join", seen_join)
    with ThreadPoolExecutor(2) as pool:
        renewal = pool.submit(eager.run_unless_running, "key", never)
        assert asked.wait(WAIT_SECONDS)
        waiting = pool.submit(patient.run, "key", lambda: {"n": 2})
        assert joined.wait(WAIT_SECONDS)
        go_on.set()
        assert renewal.result(WAIT_SECONDS) is None
        entries.delete(patient._lock_key("key"))
        assert waiting.result(WAIT_SECONDS) == {"n": 2}


def test_an_outage_is_told(flight: SingleFlight, settings: Any) -> None:
    down = {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}}
    with override_settings(CACHES=down):
        broken = SingleFlight(Entries(get_settings()), "somebody")
        with pytest.raises(TemporarilyUnavailable):
            broken.run("key", never)


def test_nothing_of_an_outcome_is_readable(flight: SingleFlight) -> None:
    flight.run("find-this-key", lambda: {"access_token": "find-this-token"})
    store = caches["default"]._cache.get_client()  # type: ignore[attr-defined]
    keys = store.keys("*")
    assert len(keys) == 1
    wire = b"".join([*keys, *(store.get(key) for key in keys)])
    assert b"find-this" not in wire
    assert 0 < store.ttl(keys[0]) <= single_flight.OUTCOME_SECONDS
