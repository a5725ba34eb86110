"""One worker is told to wait: all workers wait, for everybody, and afterwards one asks first."""

from __future__ import annotations

import json
import multiprocessing.connection
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY

from django_entra_auth import sign_ins
from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.conf import get_settings
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.oauth2 import ThrottledHttpClient
from django_entra_auth.oauth2.http import HttpResponse
from django_entra_auth.session_entry import SESSION_KEY
from tests.cache.people import USER, Person, posts
from tests.cache.stampede_worker import Order, ask_in_tasks, open_session
from tests.cache.throttle_worker import Calls, serve
from tests.worker_process import WAIT_SECONDS, WorkerProcess, running_crew

PROCESSES, PEOPLE, CALLS = 4, 100, 1_000
RETRY_AFTER = 120
SHORT = 4
TASKS = 200

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture(scope="module")
def workers(redis_url: str) -> Iterator[list[WorkerProcess]]:
    with running_crew(PROCESSES, serve, redis_url) as crew:
        yield crew


@pytest.fixture
def sessions(entra: Any, entra_settings: Any) -> tuple[dict[str, Any], ...]:
    """100 sign-ins of three people whose access tokens have ended.

    Three came through the pages; the others are copies of them under ids of their own.
    """
    more = {"SCOPES": USER, "LOCAL_COPY_SECONDS": 0}
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, **more}
    people = [Person(entra, name) for name in ("alice", "bob", "erin")]
    accounts = [SignInTokenCache(one.id_hash, get_settings()).load_account("") for one in people]
    made = []
    for number in range(PEOPLE):
        person, account = people[number % 3], accounts[number % 3]
        assert account is not None
        entry = {**person.entry, "id": sign_ins.new_sign_in_id()}
        SignInTokenCache(sign_ins.hash_id(entry["id"]), get_settings()).save_account(account)
        made.append({SESSION_KEY: entry, BACKEND_SESSION_KEY: entry["backend"]})
    return tuple(made)


@pytest.fixture
def spread(workers: list[WorkerProcess], entra_settings: Any) -> Callable[..., list[Any]]:
    """Lets all processes call together; what came of all calls."""

    def spread(sessions: tuple[dict[str, Any], ...], **more: Any) -> list[Any]:
        calls = Calls(entra_settings.ENTRA_AUTH, sessions, CALLS // PROCESSES, **more)
        for worker in workers:
            worker.begin(calls)
        return [result for worker in workers for result in worker.receive()]

    return spread


def meet_429(entra: Any, session: dict[str, Any], *, seconds: int) -> float:
    """One call of this process is told to wait; when that will be over (epoch seconds)."""
    fault = Fault(429, '{"error": "busy"}', {"Retry-After": str(seconds)})
    entra.faults.add("token", fault)
    result = open_session(session).acquire_token_silent(USER)
    assert result["category"] == "throttled"
    assert not result.get("throttled")
    entra.requests.clear()
    return time.time() + seconds


def test_a_thousand_calls_of_a_hundred_people_ask_nothing(
    entra: Any, sessions: tuple[dict[str, Any], ...], spread: Callable[..., list[Any]]
) -> None:
    meet_429(entra, sessions[0], seconds=RETRY_AFTER)
    results = spread(sessions)
    assert len(results) == CALLS
    assert posts(entra) == []
    assert {result["category"] for result in results} == {"throttled"}
    assert {result["throttled"] for result in results} == {True}
    assert all(0 < result["retry_after"] <= RETRY_AFTER for result in results)


def test_at_its_end_one_goes_first_and_frees_the_others(
    entra: Any,
    sessions: tuple[dict[str, Any], ...],
    workers: list[WorkerProcess],
    spread: Callable[..., list[Any]],
    entra_settings: Any,
) -> None:
    """Its answer is held back: while it is out, nobody else of the four processes asks."""
    may_answer, held = threading.Event(), []

    def hold(answer: dict[str, Any]) -> dict[str, Any]:
        held.append(1)
        may_answer.wait(WAIT_SECONDS)
        return answer

    over = meet_429(entra, sessions[0], seconds=SHORT)
    entra.mutate_token_response = hold
    for number, worker in enumerate(workers):
        # Nobody is served by two processes: callers for the same person wait for each other.
        theirs = sessions[number::PROCESSES]
        worker.begin(Calls(entra_settings.ENTRA_AUTH, theirs, 16, not_before=over + 0.2))
    waiting, results = list(workers), []
    while len(waiting) > 1:  # all but the process of the one that went first
        channels = [worker.channel for worker in waiting]
        ready = multiprocessing.connection.wait(channels, WAIT_SECONDS)
        assert ready, "more than one process has sent a probe"
        for worker in [one for one in waiting if one.channel in ready]:
            results += worker.receive()
            waiting.remove(worker)
    assert len(held) == 1
    may_answer.set()
    assert {result["category"] for result in results} == {"throttled"}
    last = waiting[0].receive()
    assert [one.get("token_source") for one in last].count("identity_provider") >= 1
    entra.mutate_token_response = None
    after = spread(sessions)
    assert {"error" in result for result in after} == {False}


def test_when_the_one_is_told_to_wait_again_all_others_wait_too(
    entra: Any, sessions: tuple[dict[str, Any], ...], spread: Callable[..., list[Any]]
) -> None:
    over = meet_429(entra, sessions[0], seconds=SHORT)
    fault = Fault(429, '{"error": "busy"}', {"Retry-After": str(RETRY_AFTER)}, delay=0.2)
    entra.faults.add("token", fault, times=None)
    results = spread(sessions, not_before=over + 0.2)
    assert len(posts(entra)) == 1
    assert {result["category"] for result in results} == {"throttled"}
    assert sum(not result.get("throttled") for result in results) >= 1


class Busy:
    """A token endpoint that always asks to wait."""

    def __init__(self) -> None:
        self.sent = 0

    def get(self, url: str, **kwargs: Any) -> HttpResponse:
        raise NotImplementedError

    def post(self, url: str, **kwargs: Any) -> HttpResponse:
        self.sent += 1
        return HttpResponse(429, "busy", {"retry-after": "30"})


class Watched(DjangoHTTPCache):
    """Lets something happen, once, when a worker gives its place up or is about to take it."""

    def __init__(self) -> None:
        self.on_delete: Callable[[], object] | None = None
        self.on_add: Callable[[], object] | None = None

    def add(self, key: str, value: Any, timeout: float) -> bool:
        act, self.on_add = self.on_add, None
        if act:
            act()
        return super().add(key, value, timeout)

    def delete(self, key: str) -> None:
        super().delete(key)
        act, self.on_delete = self.on_delete, None
        if act:
            act()


class Staged:
    """Two workers whose common Retry-After has just come to its end."""

    def __init__(self) -> None:
        self.now, self.endpoint = 1000.0, Busy()
        self.caches = Watched(), Watched()
        self.workers = [
            ThrottledHttpClient(self.endpoint, http_cache=cache, clock=lambda: self.now)
            for cache in self.caches
        ]
        self.ask(0)
        self.now += 31

    def ask(self, number: int) -> HttpResponse:
        return self.workers[number].post("https://sts.example/token", data={"client_id": "one"})


def test_between_the_answer_to_the_one_and_its_being_noted_nobody_asks(redis: Any) -> None:
    staged = Staged()
    staged.caches[0].on_delete = lambda: staged.ask(1)
    staged.ask(0)
    assert staged.endpoint.sent == 2


def test_who_has_looked_before_the_one_was_answered_does_not_ask_after_it(redis: Any) -> None:
    staged = Staged()
    staged.caches[1].on_add = lambda: staged.ask(0)
    assert staged.ask(1).throttled
    assert staged.endpoint.sent == 2


REFUSAL = {
    "error": "invalid_grant",
    "error_description": "AADSTS50076: Multi-factor authentication is required.",
    "error_codes": [50076],
    "suberror": "basic_action",
}


@pytest.mark.parametrize(
    ("fault", "category"),
    [
        (Fault(400, json.dumps(REFUSAL), delay=0.3), "interaction"),
        (Fault(429, '{"error": "busy"}', {"Retry-After": "30"}, delay=0.3), "throttled"),
        (Fault(delay=0.3), None),
    ],
    ids=["400", "429", "token"],
)
def test_two_hundred_tasks_of_one_event_loop_ask_once(
    entra: Any,
    entra_settings: Any,
    sessions: tuple[dict[str, Any], ...],
    fault: Fault,
    category: str | None,
) -> None:
    entra.requests.clear()
    entra.faults.add("token", fault, times=None)
    results = ask_in_tasks(Order(entra_settings.ENTRA_AUTH, sessions[0], TASKS))
    assert len(results) == TASKS
    assert len(posts(entra)) == 1
    assert {result.get("category") for result in results} == {category}
    assert len({result.get("access_token") for result in results}) == 1
    assert all(("access_token" in result) is (category is None) for result in results)
