"""How every shipped page and every page of the local Entra looks, and whether all can use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.flows.looks import check_looks
from tests.e2e.support import (
    choose,
    expect_entra,
    expect_heading,
    expect_private,
    pass_mfa,
    press,
    sign_in,
)


@pytest.fixture
def look(
    page: Page, screenshot: Any, assert_accessible: Callable[[Page], None]
) -> Callable[..., None]:
    """`look("name")` judges what `page` shows."""

    def judge(name: str, tab: Page | None = None) -> None:
        check_looks(tab or page, name, screenshot, assert_accessible)

    return judge


def stay(page: Page, pattern: str) -> None:
    """Keep the page where it is when it moves on by itself."""

    def stop(route: Route) -> None:
        route.abort("aborted")

    page.route(pattern, stop)


def test_error_page(serve, entra, page, look):
    site = serve(CREATE_USERS=False)
    page.goto(f"{site}/private/")
    press(page, "Cancel and go back to Local application")
    expect_heading(page, "You cancelled the sign-in")
    look("cancelled")
    press(page, "Try again")
    choose(page, "Alice Adams")
    expect_heading(page, "You have no account here")
    look("unknown")


def test_error_page_with_all_details(serve, entra, page, look):
    site = serve()
    entra.application.require_consent = True
    page.goto(f"{site}/private/")
    choose(page, "Alice Adams")
    press(page, "Decline")
    expect(page.get_by_text("AADSTS65004")).to_be_visible()
    expect(page.get_by_text("Correlation ID")).to_be_visible()
    look("declined")


def test_which_account_page(serve, entra, context, page, look):
    site = serve()
    other = context.new_page()
    page.goto(f"{site}/private/")
    other.goto(f"{site}/private/")
    choose(other, "Alice Adams")
    expect_private(other, "alice")
    choose(page, "Erin Evans")
    expect_heading(page, "Which account do you want to use?")
    look("which-account")


def test_already_signed_in_and_sign_out_pages(serve, entra, page, look):
    site = serve()
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/reports/")
    expect_heading(page, "You are already signed in")
    look("already-signed-in")
    page.goto(f"{site}/auth/logout/")
    look("sign-out")
    stay(page, "**/oauth2/v2.0/logout*")
    press(page, "Sign out")
    expect_heading(page, "One moment")
    look("continue")
    page.goto(f"{site}/auth/logout/")
    expect_heading(page, "You are signed out")
    look("signed-out")


def test_no_session_page(serve, entra, page, look):
    site = serve(SESSION_COOKIE_PATH="/elsewhere/")
    page.goto(f"{site}/private/")
    choose(page, "Alice Adams")
    expect_heading(page, "Your browser did not keep the session")
    look("no-session")


def test_pages_of_a_sign_in_at_entra(serve, entra, page, look):
    site = serve()
    entra.application.require_consent = True
    page.goto(f"{site}/private/")
    look("sign-in")
    choose(page, "Dave Davis")
    expect(page.get_by_role("alert")).to_contain_text("AADSTS50057")
    look("sign-in-refused")
    choose(page, "Bob Brown")
    expect_entra(page, entra, "Prove it is you")
    look("mfa")
    pass_mfa(page, "000000")
    expect(page.get_by_role("alert")).to_be_visible()
    look("mfa-wrong")
    pass_mfa(page)
    expect_entra(page, entra, "Permissions requested")
    look("consent")
    stay(page, "**/auth/callback")
    press(page, "Accept")
    expect_entra(page, entra, "Going back to the application")
    look("form-post")


def test_account_pages_at_entra(serve, entra, page, look):
    site = serve(SUPERUSER_ROLES=["Admin"])
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/reports/")
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    look("pick-account")
    press(page, "Use another account")
    choose(page, "Erin Evans")
    expect(page).to_have_url(f"{site}/reports/")
    page.goto(f"{entra.authority}/oauth2/v2.0/logout")
    expect_entra(page, entra, "Which account do you want to sign out?")
    look("pick-sign-out")
    choose(page, "Erin Evans")
    expect_entra(page, entra, "You are signed out")
    look("signed-out")


def test_other_pages_of_entra(entra, page, look):
    page.goto(entra.origin)
    look("home")
    page.goto(f"{entra.authority}/oauth2/v2.0/authorize?client_id=unknown")
    expect_heading(page, "Sorry, you cannot be signed in")
    look("error")
    press(page, "About this error")
    look("error-help")
    page.goto(f"{entra.origin}/nowhere")
    look("not-found")
