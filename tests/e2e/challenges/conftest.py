"""Fixtures for challenges in Chromium: a site full of them, under a strict policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from django_entra_auth.cache.token_cache import local_copies
from tests.e2e.challenges.moves import Person
from tests.e2e.support import watch_policy, with_middleware
from tests.site import browser_challenges

STATIC = Path(browser_challenges.__file__).parent / "static"
OUTERMOST = [
    "tests.site.browser_challenges.note_visits",
    "tests.site.browser_challenges.lose_cookies",
]


@pytest.fixture
def mode() -> str:
    """How Entra's answer comes back, where a test does not try both ways."""
    return "form_post"


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    """What other tests have left in lists and in this process's own copies."""
    browser_challenges.visits.clear()
    browser_challenges.received.clear()
    browser_challenges.lost_cookies.clear()
    browser_challenges.is_held.clear()
    browser_challenges.release.clear()
    local_copies.clear()


@pytest.fixture
def open_site(serve: Callable[..., str], entra_settings: Any, mode: str) -> Callable[..., str]:
    """`open_site(SETTING=…)` starts the site with these settings and a strict policy."""

    def start(**overrides: Any) -> str:
        policy = [] if overrides.pop("policy", True) is False else ["strict_policy"]
        entra_settings.MIDDLEWARE = [
            *OUTERMOST,
            *(with_middleware(entra_settings, name)[0] for name in policy),
            *overrides.pop("MIDDLEWARE", entra_settings.MIDDLEWARE),
        ]
        return serve(
            ROOT_URLCONF="tests.site.urls_browser_challenges",
            STATICFILES_DIRS=[str(STATIC)],
            SCOPES=["User.Read"],
            RESPONSE_MODE=mode,
            **overrides,
        )

    return start


@pytest.fixture
def alice(open_site: Callable[..., str], page: Page, entra: Any) -> Person:
    """Alice, signed in at a site with plain settings."""
    return Person(page, open_site(), entra).sign_in()


@pytest.fixture(autouse=True)
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """What the console says about the policy; has to stay empty."""
    found = watch_policy(context)
    yield found
    assert found == []


@pytest.fixture
def assert_clean() -> Callable[..., None]:
    """`assert_clean(page)` fails on whatever axe finds."""

    def check(page: Page) -> None:
        found = {one["id"] for one in Axe().run(page).response["violations"]}
        assert found == set(), page.title()

    return check
