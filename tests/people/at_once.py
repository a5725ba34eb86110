"""Calls that begin at the same moment, each in a thread with a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

WAIT_SECONDS = 20

Found = TypeVar("Found")


def run_at_once(calls: Sequence[Callable[[], Found]]) -> list[Found]:
    """What each of the calls returns, in their order; the first exception is raised."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Found]) -> Found:
        start.wait(WAIT_SECONDS)
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
