"""Nobody is sent in circles: every case counts how often the browser came to Entra."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.support import (
    TIMEOUT_MS,
    choose,
    count_prompts,
    expect_entra,
    expect_heading,
    expect_private,
    pass_mfa,
    press,
    sign_in,
)

BLOCKED = 2  # Chromium's content setting
NO_SESSION = "Your browser did not keep the session"


@pytest.fixture
def context_without_cookies(
    browser: Browser, chromium_path: str, tmp_path: Path
) -> Iterator[BrowserContext]:
    """A profile whose owner forbade the site, not Entra, to keep cookies."""
    preferences = {
        "profile": {
            "content_settings": {
                "exceptions": {"cookies": {"http://127.0.0.1,*": {"setting": BLOCKED}}}
            }
        }
    }
    file = tmp_path / "profile" / "Default" / "Preferences"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(preferences))
    context = browser.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=chromium_path, args=["--no-sandbox"]
    )
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.mark.parametrize("path", ["/reports/?year=2026", "/admin/auth/user/"])
def test_person_without_permission(serve, entra, page, mode, path):
    site = serve(RESPONSE_MODE=mode)
    page.goto(site + path)
    choose(page, "Alice Adams")
    expect_heading(page, "You are already signed in")
    expect(page.get_by_text("alice@contoso.example")).to_be_visible()
    press(page, "Try the page again")
    expect_heading(page, "You are already signed in")
    page.goto(site + path)
    expect_heading(page, "You are already signed in")
    assert count_prompts(entra) == 1


def test_way_out_is_another_account(serve, entra, page):
    site = serve(SUPERUSER_ROLES=["Admin"], STAFF_ROLES=["Admin"])
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/admin/auth/user/")
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    press(page, "Use another account")
    choose(page, "Erin Evans")
    expect(page).to_have_url(f"{site}/admin/auth/user/")
    expect_heading(page, "Select user to change")
    assert count_prompts(entra) == 2


# SESSION_COOKIE_SECURE over http is none: Chromium keeps such cookies of loopback addresses.
LOST = [{"SESSION_COOKIE_DOMAIN": "elsewhere.example"}, {"SESSION_COOKIE_PATH": "/elsewhere/"}]


@pytest.mark.parametrize("lost", LOST, ids=["domain", "path"])
def test_session_cookie_is_not_kept(serve, entra, context, mode, lost):
    site = serve(RESPONSE_MODE=mode, **lost)
    page = context.new_page()
    page.goto(f"{site}/private/?x=1")
    choose(page, "Alice Adams")
    expect_heading(page, NO_SESSION)
    assert count_prompts(entra) == 1
    press(page, "Try again")  # the person's own click goes ahead, once
    expect_heading(page, NO_SESSION)
    assert count_prompts(entra) == 2


def test_no_cookie_at_all_is_kept(serve, entra, context_without_cookies, mode):
    site = serve(RESPONSE_MODE=mode)
    page = context_without_cookies.new_page()
    page.goto(f"{site}/private/?x=1")
    choose(page, "Alice Adams")
    expect_heading(page, "This sign-in was started elsewhere")
    expect(page.get_by_text("Allow cookies for this site")).to_be_visible()
    assert context_without_cookies.cookies(site) == []
    assert count_prompts(entra) == 2


def test_cookies_are_allowed_at_last(serve, entra, page):
    """The link on the page leads to where the person wanted to go."""
    site = serve(SESSION_COOKIE_PATH="/elsewhere/")
    page.goto(f"{site}/private/?x=1")
    choose(page, "Alice Adams")
    expect_heading(page, NO_SESSION)
    serve(SESSION_COOKIE_PATH="/")
    press(page, "Try again")
    expect_private(page, "alice", f"{site}/private/?x=1")


def test_strict_session_cookie(serve, entra, page, mode):
    site = serve(RESPONSE_MODE=mode, SESSION_COOKIE_SAMESITE="Strict")
    page.goto(f"{site}/private/?x=1")
    choose(page, "Bob Brown")
    pass_mfa(page)
    expect_private(page, "bob", f"{site}/private/?x=1")
    page.reload()
    expect_private(page, "bob", f"{site}/private/?x=1")
    assert count_prompts(entra) == 1


@pytest.mark.parametrize("samesite", ["Lax", "Strict"])
def test_second_account_is_not_swapped_in(serve, entra, context, mode, samesite):
    site = serve(RESPONSE_MODE=mode, SESSION_COOKIE_SAMESITE=samesite)
    first, second = context.new_page(), context.new_page()
    first.goto(f"{site}/private/?tab=1")
    second.goto(f"{site}/private/?tab=2")
    expect_entra(second, entra)
    choose(first, "Alice Adams")
    expect_private(first, "alice", f"{site}/private/?tab=1")
    choose(second, "Erin Evans")
    expect_heading(second, "Which account do you want to use?")
    first.reload()
    expect_private(first, "alice")
    assert count_prompts(entra) == 2

    press(second, "Try again as alice@contoso.example")
    expect_private(second, "alice", f"{site}/private/?tab=2")
    assert count_prompts(entra) == 3


@pytest.mark.parametrize("samesite", ["Lax", "Strict"])
def test_second_account_by_choice(serve, entra, context, samesite):
    site = serve(SESSION_COOKIE_SAMESITE=samesite)
    first, second = context.new_page(), context.new_page()
    first.goto(f"{site}/private/?tab=1")
    second.goto(f"{site}/private/?tab=2")
    choose(first, "Alice Adams")
    expect_private(first, "alice", f"{site}/private/?tab=1")
    choose(second, "Erin Evans")
    press(second, "Sign out and sign in as erin@contoso.example")
    choose(second, "Erin Evans")
    expect_private(second, "erin", f"{site}/private/?tab=2")
    first.reload()
    expect_private(first, "erin")
