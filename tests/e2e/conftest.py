"""Fixtures for tests in a real browser: Chromium, a served site, a folder for screenshots."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

ARTEFACTS = Path(__file__).resolve().parent.parent / "artefacts"
CHROMIUM_ARGS = ["--no-sandbox", "--disable-background-networking"]
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="session")
def browser(chromium_path: str, cannot_run_here: Callable[[str], NoReturn]) -> Iterator[Browser]:
    """One headless Chromium for all browser tests."""
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright's event loop runs in the tests' own thread, where Django then refuses
        # the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        try:
            chromium = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGS)
        except Error as error:
            cannot_run_here(f"Chromium does not start: {error.message.splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile without cookies; `context.new_page()` is a tab."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """The first tab of `context`."""
    return context.new_page()


@pytest.fixture
def site(transactional_db: None) -> Iterator[str]:
    """The tested project as a real server; gives "http://127.0.0.1:<port>", no slash at the end."""
    server = SiteServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="site")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """`screenshot(page, "name")` keeps a picture of the whole page in tests/artefacts."""
    test = re.sub(r"\W+", "-", request.node.name).strip("-")

    def take(page: Page, name: str) -> Path:
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{test}-{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return take


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    """`assert_accessible(page)` fails on each serious or critical finding of axe."""

    def check(page: Page) -> None:
        found = Axe().run(page).response["violations"]
        serious = [_describe(one) for one in found if one["impact"] in SERIOUS]
        assert not serious, f"{page.title()}: " + "; ".join(serious)

    return check


class QuietRequestHandler(WSGIRequestHandler):
    """Writes no line per request into the test output."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class SiteServer(ThreadedWSGIServer):
    """The project's WSGI application with static files, on a free loopback port.

    Browsers keep connections open; the server cuts them when it is closed, so that no thread, and
    no database connection of a thread, outlives the test.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(
            ("127.0.0.1", 0), QuietRequestHandler, connections_override=_in_memory_connections()
        )
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.set_app(StaticFilesHandler(WSGIHandler()))

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        with self._lock:
            for connection in self._open:
                _cut(connection)
        super().server_close()


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _in_memory_connections() -> dict[str, Any]:
    """Connections that the server's threads have to share, because the data lives in them."""
    shared = {}
    for connection in connections.all():
        if connection.vendor == "sqlite" and connection.is_in_memory_db():
            connection.inc_thread_sharing()
            shared[connection.alias] = connection
    return shared


def _describe(violation: dict[str, Any]) -> str:
    return f"{violation['id']} at {[node['target'] for node in violation['nodes']]}"
