"""Requests of several people that overlap in one process never mix, in threads and in asyncio."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.http import JsonResponse
from django.test import Client
from django.test.testcases import LiveServerThread
from django.urls import include, path
from django.views.generic import View

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.testing import sign_in

PEOPLE = ["alice", "bob", "carol"]
ROUNDS = 10
WAIT_SECONDS = 20


class AsyncBarrier:
    """Opens for as many tasks as there are people, again and again."""

    def __init__(self, parties: int) -> None:
        self._parties = parties
        self._waiting = 0
        self._open = asyncio.Event()

    async def wait(self) -> None:
        gate = self._open
        self._waiting += 1
        if self._waiting == self._parties:
            self._waiting, self._open = 0, asyncio.Event()
            gate.set()
        await asyncio.wait_for(gate.wait(), WAIT_SECONDS)


meeting = threading.Barrier(len(PEOPLE))
async_meeting: list[AsyncBarrier] = []


def _seen(entra: Any) -> list[Any]:
    return [entra.is_signed_in, entra.account.username, entra.account.oid, entra.sign_in_id]


def _meet_and_look(request: Any) -> JsonResponse:
    """Everybody is inside the view before anybody looks, and again before anybody leaves."""
    meeting.wait(timeout=WAIT_SECONDS)
    before = _seen(request.entra)
    meeting.wait(timeout=WAIT_SECONDS)
    return JsonResponse({"before": before, "after": _seen(request.entra), "user": request.user.pk})


@entra_login_required
def decorated(request: Any) -> JsonResponse:
    return _meet_and_look(request)


def undecorated(request: Any) -> JsonResponse:
    return _meet_and_look(request)


class Mixed(EntraLoginRequiredMixin, View):
    def get(self, request: Any) -> JsonResponse:
        return _meet_and_look(request)


@entra_login_required
async def decorated_async(request: Any) -> JsonResponse:
    return await _meet_and_look_async(request)


async def undecorated_async(request: Any) -> JsonResponse:
    return await _meet_and_look_async(request)


class MixedAsync(EntraLoginRequiredMixin, View):
    async def get(self, request: Any) -> JsonResponse:
        return await _meet_and_look_async(request)


async def _meet_and_look_async(request: Any) -> JsonResponse:
    (barrier,) = async_meeting
    await barrier.wait()
    before = _seen(await request.aentra())
    await barrier.wait()
    after = _seen(await request.aentra())
    user = await request.auser()
    return JsonResponse({"before": before, "after": after, "user": user.pk})


urlpatterns = [
    path("decorated/", decorated),
    path("undecorated/", undecorated),
    path("mixed/", Mixed.as_view()),
    path("decorated-async/", decorated_async),
    path("undecorated-async/", undecorated_async),
    path("mixed-async/", MixedAsync.as_view()),
    path("auth/", include("django_entra_auth.urls")),
]
pytestmark = pytest.mark.urls(__name__)


class Person:
    """Somebody with a browser of their own, and what this browser has to see."""

    def __init__(self, name: str) -> None:
        client = Client()
        user = sign_in(client, name)
        entry = client.session["_entra"]
        self.cookie = f"sessionid={client.cookies['sessionid'].value}"
        seen = [True, f"{name}@contoso.example", entry["claims"]["oid"], entry["id"]]
        self.expected = {"before": seen, "after": seen, "user": user.pk}


@pytest.fixture
def file_people(file_database: Path, people: list[Person]) -> list[Person]:
    return people


@pytest.fixture(params=["db", "cache"])
def people(request: pytest.FixtureRequest, settings: Any) -> list[Person]:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    return [Person(name) for name in PEOPLE]


def _ask(host: str, port: int | None, url: str, person: Person) -> list[Any]:
    browser = http.client.HTTPConnection(host, port, timeout=WAIT_SECONDS)
    answers = []
    try:
        for _ in range(ROUNDS):
            browser.request("GET", url, headers={"Cookie": person.cookie})
            response = browser.getresponse()
            body = response.read()
            answers.append(json.loads(body) if response.status == 200 else response.status)
    finally:
        browser.close()
    return answers


@pytest.fixture
def server(file_people: list[Person]) -> Iterator[LiveServerThread]:
    """A threaded HTTP server that loads its middleware now, with the settings of this test."""
    as_it_is: Any = lambda handler: handler  # noqa: E731  no static files here
    thread = LiveServerThread("127.0.0.1", as_it_is)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait(WAIT_SECONDS)
    try:
        yield thread
    finally:
        thread.terminate()


@pytest.mark.parametrize("page", ["/decorated/", "/undecorated/", "/mixed/"])
def test_in_threads_nobody_sees_anybody_else(
    server: LiveServerThread, file_people: list[Person], page: str
) -> None:
    people = file_people
    meeting.reset()
    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(
            pool.map(lambda person: _ask(server.host, server.port, page, person), people)
        )
    for person, seen in zip(people, answers, strict=True):
        assert seen == [person.expected] * ROUNDS


async def _ask_asgi(application: Any, url: str, person: Person) -> Any:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": url,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"cookie", person.cookie.encode())],
    }
    communicator: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]
    await communicator.send_input({"type": "http.request"})
    start = await communicator.receive_output(timeout=WAIT_SECONDS)
    body = await communicator.receive_output(timeout=WAIT_SECONDS)
    await communicator.wait()
    return json.loads(body["body"]) if start["status"] == 200 else start["status"]


@pytest.mark.parametrize("page", ["/decorated-async/", "/undecorated-async/", "/mixed-async/"])
@pytest.mark.django_db
def test_in_asyncio_nobody_sees_anybody_else(people: list[Person], page: str) -> None:
    async def scenario() -> list[list[Any]]:
        # `handle` is the application without a thread, and so a database, for every request.
        application = get_asgi_application().handle
        async_meeting[:] = [AsyncBarrier(len(people))]
        return [
            list(await asyncio.gather(*(_ask_asgi(application, page, one) for one in people)))
            for _ in range(ROUNDS)
        ]

    for answers in async_to_sync(scenario)():
        assert answers == [person.expected for person in people]
