"""pytest fixtures; use them by `pytest_plugins = ["django_entra_auth.testing.fixtures"]`.

pytest and pytest-django have to be there, for `entra_browser_page` Playwright too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from django_entra_auth.emulator import Emulator
from django_entra_auth.testing.browser import BrowserMissing, open_browser, open_page
from django_entra_auth.testing.local_entra import emulator_settings, fresh

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from django_entra_auth.testing.browser import EntraPage

__all__ = [
    "entra_browser",
    "entra_browser_options",
    "entra_browser_page",
    "entra_emulator",
    "entra_emulator_server",
]


@pytest.fixture(scope="session")
def entra_emulator_server() -> Iterator[Emulator]:
    """The one running local Entra: its keys take longer to make than most tests take."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def entra_emulator(entra_emulator_server: Emulator, settings: Any) -> Iterator[Emulator]:
    """A local Entra as after its start, at which the project signs in for this test."""
    for name, value in emulator_settings(entra_emulator_server).items():
        setattr(settings, name, value)
    with fresh(entra_emulator_server):
        yield entra_emulator_server


@pytest.fixture(scope="session")
def entra_browser_options() -> dict[str, Any]:
    """Options of Playwright's `launch`; define a fixture of this name to set some."""
    return {}


@pytest.fixture(scope="module")
def entra_browser(entra_browser_options: dict[str, Any]) -> Iterator[Browser]:
    """A Chromium for the browser tests of one module.

    Not for the session: Playwright keeps an event loop running in the tests' thread, and while one
    runs no asynchronous test can start another.
    """
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(open_browser(**entra_browser_options))
        except BrowserMissing as missing:
            pytest.fail(str(missing), pytrace=False)
        yield browser


@pytest.fixture
def entra_browser_page(
    entra_browser: Browser, live_server: Any, entra_emulator: Emulator
) -> Iterator[EntraPage]:
    """A page of a fresh profile at the served project: `page.sign_in("alice", "/reports/")`."""
    with open_page(entra_browser, live_server.url, entra_emulator) as page:
        yield page
