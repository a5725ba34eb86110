"""200 callers at the moment of expiry: one request, 200 equal answers, whatever Entra says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY

from django_entra_auth.emulator.faults import Fault
from django_entra_auth.session_entry import SESSION_KEY
from tests.cache.stampede_worker import Order, ask_in_tasks, ask_in_threads, serve
from tests.visitor import Visitor
from tests.worker_process import WAIT_SECONDS, WorkerProcess, running_crew

PROCESSES, CALLERS = 4, 50
HELD_SECONDS = 0.5  # how long Entra takes, so that all callers are there before it answers
REFUSAL = {
    "error": "invalid_grant",
    "error_description": "AADSTS50076: Multi-factor authentication is required.",
    "error_codes": [50076],
    "suberror": "basic_action",
}
SAME = ("error", "error_description", "error_codes", "suberror", "category", "status")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture(scope="module")
def workers(redis_url: str) -> Iterator[list[WorkerProcess]]:
    with running_crew(PROCESSES, serve, redis_url) as crew:
        yield crew


@pytest.fixture
def session(entra: Any, entra_settings: Any) -> dict[str, Any]:
    """The session of somebody whose token is about to end."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    entra.mutate_token_response = lambda answer: {**answer, "expires_in": 200}
    visitor = Visitor(entra)
    visitor.sign_in()
    entra.mutate_token_response = None
    kept = visitor.client.session
    return {name: kept[name] for name in (SESSION_KEY, BACKEND_SESSION_KEY)}


@pytest.fixture
def order(session: dict[str, Any], entra_settings: Any) -> Order:
    return Order(entra_settings.ENTRA_AUTH, session, CALLERS)


def let_end(redis: Any) -> None:
    """The token has come to its end; the sign-in has not."""
    assert redis.delete(*redis.keys("*entra:1:tokens:*")) == 1


def storm(workers: list[WorkerProcess], order: Order) -> list[Any]:
    """What all callers of all processes get when they begin together."""
    for worker in workers:
        worker.begin(order)
    for worker in workers:
        worker.channel.send("go")
    results = [result for worker in workers for result in worker.receive()]
    assert len(results) == PROCESSES * CALLERS
    return results


def refreshes(entra: Any) -> list[Any]:
    posts = [one for one in list(entra.requests) if one.path.endswith("/token")]
    return [one for one in posts if one.form["grant_type"] == "refresh_token"]


@pytest.mark.parametrize("mode", ["threads", "tasks"])
@pytest.mark.parametrize("evicted", [False, True])
def test_one_request_and_a_valid_token_for_all(
    entra: Any, workers: list[WorkerProcess], order: Order, redis: Any, mode: str, *, evicted: bool
) -> None:
    if evicted:
        let_end(redis)
    entra.faults.add("token", Fault(delay=HELD_SECONDS))
    results = storm(workers, Order(order.entra_auth, order.session, CALLERS, mode))
    assert len(refreshes(entra)) == 1
    assert len({result["access_token"] for result in results}) == 1
    assert all(result["expires_in"] > 3000 for result in results)
    assert redis.keys("*entra:1:lock:*") == []


@pytest.mark.parametrize("mode", ["threads", "tasks"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(400, json.dumps(REFUSAL), delay=HELD_SECONDS),
        Fault(429, "slow down", {"Retry-After": "30"}, delay=HELD_SECONDS),
    ],
    ids=["400", "429"],
)
def test_one_request_and_an_equal_error_for_all(
    entra: Any, workers: list[WorkerProcess], order: Order, redis: Any, fault: Fault, mode: str
) -> None:
    let_end(redis)
    entra.faults.add("token", fault, times=None)
    results = storm(workers, Order(order.entra_auth, order.session, CALLERS, mode))
    assert len(refreshes(entra)) == 1
    assert all("error" in result for result in results)
    assert len({repr([result.get(name) for name in SAME]) for result in results}) == 1
    if fault.status == 429:
        assert {result["category"] for result in results} == {"throttled"}
        assert all(0 < result["retry_after"] <= 30 for result in results)


def test_while_the_old_token_lives_a_429_is_not_noticed(
    entra: Any, workers: list[WorkerProcess], order: Order
) -> None:
    fault = Fault(429, "slow down", {"Retry-After": "30"}, delay=HELD_SECONDS)
    entra.faults.add("token", fault, times=None)
    results = storm(workers, order)
    assert len(refreshes(entra)) == 1
    assert {result["token_source"] for result in results} == {"cache"}
    assert all(0 < result["expires_in"] <= 200 for result in results)


@pytest.mark.parametrize("ask", [ask_in_threads, ask_in_tasks])
def test_two_hundred_callers_of_one_process(entra: Any, order: Order, ask: Any) -> None:
    entra.faults.add("token", Fault(delay=HELD_SECONDS))
    results = ask(Order(order.entra_auth, order.session, PROCESSES * CALLERS))
    assert len(results) == PROCESSES * CALLERS
    assert len(refreshes(entra)) == 1
    assert len({result["access_token"] for result in results}) == 1
    assert all(result["expires_in"] > 3000 for result in results)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, "no JSON", delay=0.05),
        Fault(401, json.dumps({"error": "invalid_client"}), delay=0.05),
        Fault(400, json.dumps({"error": "temporarily_unavailable"}), delay=0.05),
    ],
    ids=["unreadable", "401", "transient"],
)
@pytest.mark.parametrize("ask", [ask_in_threads, ask_in_tasks])
def test_an_error_that_no_throttle_rule_keeps_is_shared_too(
    entra: Any, order: Order, redis: Any, fault: Fault, ask: Any
) -> None:
    let_end(redis)
    entra.faults.add("token", fault, times=None)
    # Far more than the threads that asyncio lends out, so that most tasks have to queue.
    results = ask(Order(order.entra_auth, order.session, CALLERS))
    assert all("error" in result for result in results)
    assert len({repr([result.get(name) for name in SAME]) for result in results}) == 1
    assert len(refreshes(entra)) == 1


def test_past_its_refresh_time_one_renews_and_nobody_waits(
    entra: Any, entra_settings: Any, workers: list[WorkerProcess]
) -> None:
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    entra.mutate_token_response = lambda answer: {**answer, "expires_in": 3600, "refresh_in": 0}
    visitor = Visitor(entra)
    visitor.sign_in()
    entra.mutate_token_response = None
    session = {name: visitor.client.session[name] for name in (SESSION_KEY, BACKEND_SESSION_KEY)}
    entra.faults.add("token", Fault(delay=HELD_SECONDS))
    results = storm(workers, Order(entra_settings.ENTRA_AUTH, session, CALLERS))
    assert len(refreshes(entra)) == 1
    by_token: dict[str, list[str]] = {}
    for result in results:
        by_token.setdefault(result["access_token"], []).append(result["token_source"])
    assert len(by_token) == 2
    assert sum(sources.count("identity_provider") for sources in by_token.values()) == 1


def test_after_a_killed_holder_others_go_on_within_the_locks_life(
    entra: Any, workers: list[WorkerProcess], order: Order, redis_url: str, redis: Any
) -> None:
    lock_seconds = 2
    let_end(redis)
    entra.faults.add("token", Fault(hang=True))
    holder = WorkerProcess(serve, redis_url)
    holder.begin(Order(order.entra_auth, order.session, 1, lock_seconds=lock_seconds))
    holder.channel.send("go")
    deadline = time.monotonic() + WAIT_SECONDS
    while not refreshes(entra):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    (lock,) = redis.keys("*entra:1:lock:*")
    assert 0 < redis.pttl(lock) <= 1000 * lock_seconds
    for worker in workers:
        worker.begin(order)
        worker.channel.send("go")
    holder.process.kill()
    holder.process.join(WAIT_SECONDS)
    killed_at = time.monotonic()
    results = [result for worker in workers for result in worker.receive()]
    took = time.monotonic() - killed_at
    holder.stop()
    assert len(results) == PROCESSES * CALLERS
    assert len({result["access_token"] for result in results}) == 1
    assert len(refreshes(entra)) == 2
    # The lock's life, a tenth of a second until that is seen, and the work itself.
    assert took < lock_seconds + 3
