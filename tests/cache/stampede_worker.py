"""A process of a site with many workers: asks for one sign-in's token from many sides at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

REDIS = "django.core.cache.backends.redis.RedisCache"
WAIT_SECONDS = 30


@dataclass(frozen=True)
class Order:
    """What to ask for: `session` is the signed-in session's data, `mode` threads or tasks."""

    entra_auth: dict[str, Any]
    session: dict[str, Any]
    callers: int
    mode: str = "threads"
    lock_seconds: int = 30


def serve(channel: Connection, cache_url: str) -> None:
    """Carry out orders until None comes; each says "ready", waits for a word, and answers."""
    configure(cache_url)
    while (order := channel.recv()) is not None:
        run = _prepare(order)
        channel.send("ready")
        channel.recv()
        channel.send(run(order))


def configure(cache_url: str) -> None:
    import django
    from django.conf import settings

    from tests.settings import base

    values = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    values["CACHES"] = {"default": {"BACKEND": REDIS, "LOCATION": cache_url}}
    settings.configure(**values)
    django.setup()


def _prepare(order: Order) -> Any:
    from django.conf import settings

    from django_entra_auth.cache import single_flight
    from django_entra_auth.client import get_application

    settings.ENTRA_AUTH = order.entra_auth
    single_flight.LOCK_SECONDS = order.lock_seconds
    get_application()
    return {"threads": ask_in_threads, "tasks": ask_in_tasks}[order.mode]


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


def ask_in_threads(order: Order) -> list[Any]:
    """One request a thread, all beginning at the same moment."""
    start = threading.Barrier(order.callers)

    def ask(_: int) -> Any:
        entra = open_session(order.session)
        start.wait(WAIT_SECONDS)
        return entra.acquire_token_silent(["User.Read"])

    with ThreadPoolExecutor(order.callers) as pool:
        return list(pool.map(ask, range(order.callers)))


def ask_in_tasks(order: Order) -> list[Any]:
    """One request a task, all in one event loop."""

    async def ask_all() -> list[Any]:
        requests = [open_session(order.session) for _ in range(order.callers)]
        return list(
            await asyncio.gather(
                *(entra.aacquire_token_silent(["User.Read"]) for entra in requests)
            )
        )

    return asyncio.run(ask_all())
