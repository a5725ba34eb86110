"""Signing out at Entra ends the session here although no cookie travels."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import CHROMIUM_ARGS
from tests.e2e.sign_out.conftest import FRONT_CHANNEL, register
from tests.e2e.support import (
    TIMEOUT_MS,
    choose,
    count_prompts,
    expect_entra,
    expect_heading,
    expect_private,
    expect_signed_out,
    press,
    sign_in,
    sign_out,
    with_middleware,
)

one_engine = pytest.mark.parametrize("engine", ["db"], indirect=True)
# With rows of its own, and with nothing on the server.
two_engines = pytest.mark.parametrize("engine", ["db", "signed_cookies"], indirect=True)


def sign_out_at_entra(page: Page, entra: Any) -> None:
    page.goto(f"{entra.authority}/oauth2/v2.0/logout", wait_until="load")
    expect_heading(page, "You are signed out")


def assert_silent(answers: list[Any], number: int = 1, *, with_cookie: bool = False) -> None:
    """Each answer was in a frame, without a cookie either way, empty, kept nowhere."""
    assert len(answers) == number
    for answer in answers:
        sent, got = answer.request.all_headers(), answer.all_headers()
        assert answer.status == 200
        assert answer.frame.parent_frame is not None
        assert ("cookie" in sent) is with_cookie
        assert "set-cookie" not in got
        assert "cookie" not in got.get("vary", "").lower()
        assert answer.text() == ""
        assert sent["sec-fetch-site"] == "cross-site"


@pytest.mark.parametrize(
    ("engine", "same_site", "with_issuer"),
    [
        ("db", "Lax", False),
        ("db", "Strict", True),
        ("cache", "Strict", False),
        ("cached_db", "Lax", True),
        ("file", "Strict", True),
        ("signed_cookies", "Lax", True),
    ],
    indirect=["engine"],
)
def test_it_ends_the_session(open_site, entra, context, told, same_site, with_issuer):
    site = open_site(SESSION_COOKIE_SAMESITE=same_site, CSRF_COOKIE_SAMESITE=same_site)
    entra.application.front_channel_sends_issuer = with_issuer
    answers = told(context)
    page, at_entra = context.new_page(), context.new_page()
    page.goto(f"{site}/private/")
    choose(page, "Alice Adams")
    expect_private(page, "alice")
    sign_out_at_entra(at_entra, entra)
    assert_silent(answers)
    assert ("iss=" in answers[0].url) is with_issuer
    page.goto(f"{site}/private/")
    expect_entra(page, entra)


@one_engine
def test_under_policies_that_forbid_frames(open_site, entra_settings, entra, context, told):
    """The site's own headers must not turn the frame into an error."""
    site = open_site(
        MIDDLEWARE=with_middleware(entra_settings, "strict_policy"), X_FRAME_OPTIONS="DENY"
    )
    answers = told(context)
    refused: list[str] = []
    context.on("console", lambda message: refused.append(message.text))
    page, at_entra = context.new_page(), context.new_page()
    sign_in(page, f"{site}/private/")
    sign_out_at_entra(at_entra, entra)
    assert_silent(answers)
    assert at_entra.frames[1].url.startswith(f"{site}{FRONT_CHANNEL}")
    assert not [text for text in refused if "frame" in text.lower()]
    page.reload()
    expect_entra(page, entra)


@two_engines
def test_two_sites_of_one_entra_session_end(open_site, second_site, entra, context, told):
    site, answers = open_site(), told(context)
    page, other, at_entra = (context.new_page() for _ in range(3))
    sign_in(page, f"{site}/private/")
    other.goto(f"{second_site}/private/")
    expect_private(other, "alice")
    page.reload()
    expect_private(page, "alice")
    sign_out_at_entra(at_entra, entra)
    assert_silent(answers, 2)
    page.reload()
    expect_entra(page, entra)
    other.reload()
    expect_entra(other, entra)


@one_engine
def test_signing_out_of_one_site_ends_the_other(open_site, second_site, entra, context, told):
    site, answers = open_site(), told(context)
    page, other = context.new_page(), context.new_page()
    sign_in(page, f"{site}/private/")
    other.goto(f"{second_site}/private/")
    expect_private(other, "alice")
    sign_out(other, second_site, entra)
    assert len(answers) == 2
    page.reload()
    expect_entra(page, entra)


@pytest.fixture(scope="session")
def open_profile(
    browser: Browser, chromium_path: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[bool], BrowserContext]]:
    """`open_profile(travel)` is a Chromium that lets cookies into frames of other sites, or not."""
    with ExitStack() as stack:

        @functools.cache
        def launch(travel: bool) -> BrowserContext:
            folder = tmp_path_factory.mktemp("profile")
            (folder / "Default").mkdir()
            preferences = {
                "cookie_controls_mode": 0 if travel else 1,
                "block_third_party_cookies": not travel,
            }
            (folder / "Default" / "Preferences").write_text(json.dumps({"profile": preferences}))
            context = browser.browser_type.launch_persistent_context(
                folder, executable_path=chromium_path, args=CHROMIUM_ARGS, ignore_https_errors=True
            )
            context.set_default_timeout(TIMEOUT_MS)
            return stack.enter_context(context)

        yield launch


@pytest.fixture
def profile(
    open_profile: Callable[[bool], BrowserContext], travel: bool
) -> Iterator[BrowserContext]:
    """A profile with or without cookies in frames, as a new one is."""
    context = open_profile(travel)
    yield context
    for page in context.pages[1:]:
        page.close()
    context.pages[0].goto("about:blank")
    context.clear_cookies()


@pytest.mark.parametrize(
    ("engine", "travel"),
    [
        ("db", True),
        ("cache", True),
        ("cached_db", True),
        ("file", True),
        ("signed_cookies", True),
        ("db", False),
        ("signed_cookies", False),
    ],
    indirect=["engine"],
)
def test_cookies_that_may_travel_are_not_needed(
    https_entra, entra_settings, told, engine, tmp_path, profile, travel, request
):
    """With SameSite=None they come along where the browser still lets them, and change nothing."""
    entra_settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    entra_settings.SESSION_FILE_PATH = str(tmp_path)
    entra_settings.SESSION_COOKIE_SAMESITE = "None"
    entra_settings.SESSION_COOKIE_SECURE = True
    site = request.getfixturevalue("https_site")  # it keeps the engine it starts with
    https_entra.optional_claims.add("sid")
    register(https_entra.application, site)
    answers = told(profile)
    page, at_entra = profile.new_page(), profile.new_page()
    page.goto(f"{site}/private/")
    choose(page, "Alice Adams")
    expect_private(page, "alice")
    sign_out_at_entra(at_entra, https_entra)
    assert_silent(answers, with_cookie=travel)
    page.goto(f"{site}/private/")
    expect_entra(page, https_entra)


@one_engine
def test_without_the_registered_address_the_session_stays(open_site, entra, context, told):
    """What the page says about other sites is meant seriously."""
    site, answers = open_site(), told(context)
    entra.application.front_channel_logout_uri = None
    page, at_entra = context.new_page(), context.new_page()
    sign_in(page, f"{site}/private/")
    at_entra.goto(f"{entra.authority}/oauth2/v2.0/logout")
    expect_heading(at_entra, "You are signed out")
    assert not answers
    page.reload()
    expect_private(page, "alice")


@two_engines
def test_everywhere_from_one_browser_ends_another(open_site, entra, browser, page):
    site, elsewhere = open_site(), browser.new_context()
    try:
        other = elsewhere.new_page()
        other.set_default_timeout(TIMEOUT_MS)
        sign_in(page, f"{site}/private/")
        sign_in(other, f"{site}/private/")
        page.goto(f"{site}/auth/logout/")
        page.get_by_label("on all my other devices").check()
        press(page, "Sign out")
        expect_signed_out(page, site, entra)
        expect(page.get_by_text("on other devices have been ended")).to_be_visible()
        before = count_prompts(entra)
        other.goto(f"{site}/private/")
        # Entra still knows that browser, and nobody had to type anything; but it was asked.
        expect_private(other, "alice")
        assert count_prompts(entra) == before + 1
    finally:
        elsewhere.close()
