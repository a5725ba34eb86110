"""Fixtures for tests in a real browser: Chromium, a served site, a folder for screenshots."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from django_entra_auth.conf import SETTING_FIELDS
from tests.e2e.https import (
    https_context,
    https_entra,
    https_site,
    running_https_entra,
    site_certificate,
)
from tests.e2e.serving import SiteServer, serving
from tests.e2e.support import TIMEOUT_MS

__all__ = ["https_context", "https_entra", "https_site", "running_https_entra", "site_certificate"]

ARTEFACTS = Path(__file__).resolve().parent.parent / "artefacts"
# A process for each site would be started anew at every step between the site and Entra; that is
# most of a sign-in's time, and no rule about cookies, frames or origins depends on it.
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-site-isolation-trials",
    "--renderer-process-limit=1",
]
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
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """The first tab of `context`."""
    return context.new_page()


@pytest.fixture
def page_without_script(browser: Browser) -> Iterator[Page]:
    """A tab of somebody who has switched JavaScript off."""
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def transactional_db(file_database: Path) -> None:
    """A database file of this test's own, in place of the one in memory."""


@pytest.fixture
def site(transactional_db: None) -> Iterator[str]:
    """The tested project as a real server; gives "http://127.0.0.1:<port>", no slash at the end."""
    with serving(SiteServer()) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def serve(request: pytest.FixtureRequest, entra_settings: Any) -> Callable[..., str]:
    """`serve(RESPONSE_MODE=…, SESSION_…=…)` starts the site with these settings; its address."""

    def start(**overrides: Any) -> str:
        ours = {name: value for name, value in overrides.items() if name in SETTING_FIELDS}
        entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, **ours}
        for name in overrides.keys() - ours.keys():
            setattr(entra_settings, name, overrides[name])
        return str(request.getfixturevalue("site"))

    return start


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


def _describe(violation: dict[str, Any]) -> str:
    return f"{violation['id']} at {[node['target'] for node in violation['nodes']]}"
