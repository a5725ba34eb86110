"""Fixtures for tests of challenge.js: its site, with a strict policy, and a page of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.e2e.challenge_js.server import ENTRA, POLICY, Received, ReplyServer, Site

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


@pytest.fixture
def challenge_site() -> Iterator[tuple[Site, str]]:
    """The site and its origin; Entra is another origin without a policy."""
    site = Site(render_to_string("django_entra_auth/challenge_done.html"), headers=dict(HEADERS))

    def reply(request: Received) -> tuple[int, str, str] | str:
        site.received.append(request)
        return site.reply(request)

    with ReplyServer(reply, site.headers) as server:
        page = ENTRA.format(back=f"{server.origin}/auth/callback")
        with ReplyServer(lambda _: (200, "text/html", page)) as entra:
            site.entra_origin = entra.origin
            yield site, server.origin
            site.held.set()


@pytest.fixture
def site_of_challenge(challenge_site: tuple[Site, str]) -> Site:
    return challenge_site[0]


@pytest.fixture
def complaints(context: BrowserContext) -> list[str]:
    """Fills with everything the console calls an error, but for refused calls themselves."""
    found: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            found.append(message.text)

    context.on("console", listen)
    context.on("weberror", lambda error: found.append(str(error.error)))
    return found


@pytest.fixture
def open_page(challenge_site: tuple[Site, str], page: Page) -> Callable[[], Page]:
    """`open_page()` opens the site's page, as the person's settings are by then."""

    def open_it() -> Page:
        page.goto(f"{challenge_site[1]}/")
        return page

    return open_it
