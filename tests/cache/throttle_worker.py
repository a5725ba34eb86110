"""A process of a site with many people: asks for everybody's token again and again."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

WAIT_SECONDS = 90
THREADS = 16


@dataclass(frozen=True)
class Calls:
    """`count` calls, each for one of the people; none before `not_before` (epoch seconds)."""

    entra_auth: dict[str, Any]
    sessions: tuple[dict[str, Any], ...]
    count: int
    not_before: float = 0.0


class Worker:
    """A process and the line to it."""

    def __init__(self, cache_url: str) -> None:
        context = get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, cache_url), daemon=True)
        self.process.start()
        theirs.close()

    def receive(self) -> Any:
        assert self.channel.poll(WAIT_SECONDS), "the worker says nothing"
        return self.channel.recv()

    def begin(self, calls: Calls) -> None:
        """Returns when the worker is ready, and it has begun, or waits for its time to come."""
        self.channel.send(calls)
        assert self.receive() == "ready"

    def stop(self) -> None:
        if self.process.is_alive():
            self.channel.send(None)
            self.process.join(WAIT_SECONDS)
        self.channel.close()
        self.process.close()


def _serve(channel: Connection, cache_url: str) -> None:
    from tests.cache.stampede_worker import _configure

    _configure(cache_url)
    from django.conf import settings

    from django_entra_auth.client import get_application

    while (calls := channel.recv()) is not None:
        settings.ENTRA_AUTH = calls.entra_auth
        get_application()
        channel.send("ready")
        time.sleep(max(0.0, calls.not_before - time.time()))
        channel.send(_carry_out(calls))


def open_session(session: dict[str, Any]) -> Any:
    """`request.entra` of a request with this session, whose user is already loaded."""
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest

    from django_entra_auth.session import EntraSession

    request: Any = HttpRequest()
    request.session, request.user = SessionBase(), SimpleNamespace(is_authenticated=True, pk=None)
    request.session.update(session)
    request.entra = EntraSession(request, request.user)
    return request.entra


def _carry_out(calls: Calls) -> list[Any]:
    """What came of each call; access tokens stay here."""

    def ask(session: dict[str, Any]) -> Any:
        result = open_session(session).acquire_token_silent(["User.Read"])
        return {name: value for name, value in (result or {}).items() if name != "access_token"}

    people = [random.choice(calls.sessions) for _ in range(calls.count)]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, people))
