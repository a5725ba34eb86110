"""What a sign-out leaves in the browser, and sign-outs that begin at Entra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.support import (
    TIMEOUT_MS,
    choose,
    expect_entra,
    expect_heading,
    expect_private,
    expect_signed_out,
    go_back,
    press,
    sign_in,
    sign_out,
)

NO_BFCACHE = "--disable-back-forward-cache"  # what Playwright starts every Chromium with


@pytest.fixture
def caching_page(browser: Browser, chromium_path: str) -> Iterator[Page]:
    """A tab of a browser that keeps pages alive for the back button, as people's browsers do."""
    chromium = browser.browser_type.launch(
        executable_path=chromium_path, args=["--no-sandbox"], ignore_default_args=[NO_BFCACHE]
    )
    page = chromium.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    yield page
    chromium.close()


def use_and_sign_out(page: Page, site: str, entra: Any) -> None:
    page.goto(f"{site}/")
    page.evaluate("window.addEventListener('pageshow', e => { window.revived = e.persisted })")
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/private-class/?second=1")
    sign_out(page, site, entra)


def walk_back(page: Page) -> Iterator[tuple[str, str]]:
    """Press "back" down to the start of the history; address and content of every page."""
    for _ in range(page.evaluate("history.length")):
        go_back(page)
        if page.url == "about:blank":
            return
        yield page.url, page.content()


@pytest.mark.parametrize("kind", ["page", "caching_page"])
def test_back_button_shows_nothing_private(request, serve, entra, kind):
    site, page = serve(), request.getfixturevalue(kind)
    use_and_sign_out(page, site, entra)
    seen, revived = [], False
    for url, content in walk_back(page):
        seen.append(url)
        revived = revived or page.evaluate("window.revived === true")
        assert "Private of" not in content, url
        assert not (url.startswith(site) and "alice" in content), url
    assert f"{site}/" in seen, "never came back to where it began"
    assert revived == (kind == "caching_page"), "not the cache this test is about"


def test_sign_out_at_entra_ends_the_session_here(serve, entra, context):
    site = serve()
    entra.optional_claims.add("sid")
    entra.application.front_channel_logout_uri = f"{site}/auth/front-channel-logout"
    page, at_entra = context.new_page(), context.new_page()
    sign_in(page, f"{site}/private/")
    with at_entra.expect_response("**/auth/front-channel-logout*") as caught:
        at_entra.goto(f"{entra.authority}/oauth2/v2.0/logout")
    response = caught.value
    assert response.status == 200
    assert response.frame.parent_frame is not None
    assert "cookie" not in response.request.all_headers()
    assert "set-cookie" not in response.all_headers()
    page.reload()
    expect_entra(page, entra)


def test_sign_out_at_entra_spares_other_sessions(serve, entra, browser, context):
    """Bob's session on another machine goes on."""
    site = serve()
    entra.optional_claims.add("sid")
    entra.people["bob"].mfa_required = False
    entra.application.front_channel_logout_uri = f"{site}/auth/front-channel-logout"
    page, elsewhere = context.new_page(), browser.new_context()
    try:
        other = elsewhere.new_page()
        sign_in(page, f"{site}/private/")
        sign_in(other, f"{site}/private/", "Bob Brown")
        with page.expect_response("**/auth/front-channel-logout*"):
            page.goto(f"{entra.authority}/oauth2/v2.0/logout")
        other.reload()
        expect_private(other, "bob")
    finally:
        elsewhere.close()


def test_signed_out_page_of_a_passer_by(serve, page):
    """Nobody signed out here, so nothing is said about Microsoft's session."""
    page.goto(f"{serve()}/auth/logout/")
    expect_heading(page, "You are signed out")
    expect(page.get_by_text("You may still be signed in to Microsoft")).to_be_visible()


def test_signed_out_page_claims_no_more_than_happened(serve, entra, page):
    """Entra was never reached, so the person's session there lives on."""
    site = serve()
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/auth/logout/")
    page.route("**/oauth2/v2.0/logout*", lambda route: route.abort("aborted"))
    press(page, "Sign out")
    expect_heading(page, "One moment")
    page.goto(f"{site}/auth/logout/")
    expect_heading(page, "You are signed out")
    expect(page.get_by_text("and of your Microsoft account")).to_have_count(0, timeout=1000)


def test_sign_out_with_two_accounts_at_entra(serve, entra, context):
    """Without a hint Entra asks which account; either way one is signed out here."""
    site = serve()
    page = context.new_page()
    sign_in(page, f"{site}/private/")
    second = context.new_page()
    second.goto(f"{site}/auth/login/?next=/private/")
    press(second, "Use another account")
    press(second, "Use another account")
    choose(second, "Erin Evans")
    expect_private(second, "erin")
    second.goto(f"{site}/auth/logout/")
    press(second, "Sign out")
    expect_entra(second, entra, "Which account do you want to sign out?")
    choose(second, "Erin Evans")
    expect_signed_out(second, site, entra)
