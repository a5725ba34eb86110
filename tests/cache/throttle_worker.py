"""A process of a site with many people: asks for everybody's token again and again."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tests.cache.stampede_worker import configure, open_session

THREADS = 16


@dataclass(frozen=True)
class Calls:
    """`count` calls, each for one of the people; none before `not_before` (epoch seconds)."""

    entra_auth: dict[str, Any]
    sessions: tuple[dict[str, Any], ...]
    count: int
    not_before: float = 0.0


def serve(channel: Connection, cache_url: str) -> None:
    """Carry out calls until None comes; say "ready", then what came of them."""
    configure(cache_url)
    from django.conf import settings

    from django_entra_auth.client import get_application

    while (calls := channel.recv()) is not None:
        settings.ENTRA_AUTH = calls.entra_auth
        get_application()
        channel.send("ready")
        time.sleep(max(0.0, calls.not_before - time.time()))
        channel.send(_carry_out(calls))


def _carry_out(calls: Calls) -> list[Any]:
    """What came of each call; access tokens stay here."""

    def ask(session: dict[str, Any]) -> Any:
        result = open_session(session).acquire_token_silent(["User.Read"])
        return {name: value for name, value in (result or {}).items() if name != "access_token"}

    people = [random.choice(calls.sessions) for _ in range(calls.count)]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, people))
