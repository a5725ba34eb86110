"""A database in a file, for tests whose requests overlap."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from tests.once import make_once

# Twenty tabs write at once: they queue for the file instead of failing.
SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
}


@contextmanager
def use_database(path: Path) -> Iterator[None]:
    """Every thread works on the SQLite file `path`.

    An in-memory database is one connection that all threads of the served site share, and two
    requests at the same time then write into each other's transaction.
    """
    configured = connections.settings["default"]
    before = {name: configured[name] for name in ("NAME", "OPTIONS")}
    connection = connections["default"]
    configured.update(NAME=str(path), OPTIONS=SQLITE_OPTIONS)
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        configured.update(before)
        connections["default"] = connection


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    """An SQLite file with all tables and no rows; tests work on copies."""

    def migrate(folder: Path) -> None:
        with django_db_blocker.unblock(), use_database(folder / "migrated.sqlite3"):
            call_command("migrate", verbosity=0)

    return make_once(tmp_path_factory, "migrated", migrate) / "migrated.sqlite3"


@pytest.fixture
def file_database(
    migrated_database: Path, tmp_path: Path, django_db_blocker: Any
) -> Iterator[Path]:
    """A database file of this test's own, in place of the one in memory.

    Threads that share the one connection of a database in memory read each other's rows.
    """
    path = tmp_path / "test.sqlite3"
    shutil.copyfile(migrated_database, path)
    with django_db_blocker.unblock(), use_database(path):
        yield path
