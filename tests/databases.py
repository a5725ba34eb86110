"""A database in a file, for tests whose requests overlap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

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
