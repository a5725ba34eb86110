"""Processes that serve the site of the drills over HTTP, sharing one database and one Redis."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.worker_process import WAIT_SECONDS, WorkerProcess

LOCK_SECONDS = 3  # how long a lock lives whose holder died, or could not release it


@dataclass(frozen=True)
class Order:
    """The settings to go on with."""

    entra_auth: dict[str, Any]
    caches: dict[str, Any]
    lock_seconds: int = LOCK_SECONDS


class SiteProcess(WorkerProcess):
    """A worker of the site."""

    def __init__(self, database: Path) -> None:
        super().__init__(_serve, str(database))
        self._port: int | None = None

    @property
    def origin(self) -> str:
        if self._port is None:
            self._port = self.receive()
        return f"http://127.0.0.1:{self._port}"

    def configure(self, order: Order) -> None:
        assert self.origin
        self.begin(order)


def _serve(channel: Connection, database: str) -> None:
    """Serve on a port of its own, say which, and take orders until None comes."""
    _configure(database)
    from django.test import override_settings
    from django.test.testcases import LiveServerThread

    from django_entra_auth.cache import single_flight

    as_it_is: Any = lambda handler: handler  # noqa: E731  no static files here
    server = LiveServerThread("127.0.0.1", as_it_is)
    server.daemon = True
    server.start()
    server.is_ready.wait(WAIT_SECONDS)
    channel.send(server.port)
    while (order := channel.recv()) is not None:
        single_flight.LOCK_SECONDS = order.lock_seconds
        override_settings(ENTRA_AUTH=order.entra_auth, CACHES=order.caches).enable()
        channel.send("ready")
    server.terminate()


def _configure(database: str) -> None:
    import django
    from django.conf import settings

    from tests.databases import SQLITE_OPTIONS
    from tests.settings import base

    values = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    engine = "django.db.backends.sqlite3"
    values["DATABASES"] = {
        "default": {"ENGINE": engine, "NAME": database, "OPTIONS": SQLITE_OPTIONS}
    }
    values["ROOT_URLCONF"] = "tests.chaos.site"
    values["MIDDLEWARE"] = ["tests.chaos.site.TellWaits", *base.MIDDLEWARE]
    settings.configure(**values)
    django.setup()
