"""The pages of a sign-out, as people see them and with nothing but HTML."""

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
    expect_signed_out,
    press,
    sign_in,
    watch_policy,
    with_middleware,
)

pytestmark = pytest.mark.parametrize("engine", ["db"], indirect=True)

EVERYWHERE = "Sign me out of this site on all my other devices too"


@pytest.fixture
def look(
    page: Page, screenshot: Any, assert_accessible: Callable[[Page], None]
) -> Callable[[str], None]:
    """`look("name")` judges what `page` shows."""
    return lambda name: check_looks(page, name, screenshot, assert_accessible)


def test_how_they_look(open_site, entra, page, look):
    site = open_site()
    page.goto(f"{site}/auth/logout/")
    expect_heading(page, "You are signed out")
    look("passer-by")
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/auth/logout/")
    look("question")
    page.get_by_label(EVERYWHERE).check()
    press(page, "Sign out")
    expect_signed_out(page, site, entra)
    look("everywhere")


def test_what_a_person_with_a_password_is_told(open_site, entra, page, look):
    from django.contrib.auth import get_user_model

    site = open_site()
    sign_in(page, f"{site}/private/")
    user = get_user_model().objects.get()
    user.set_password("correct horse")
    user.save()
    page.context.clear_cookies()  # a changed password has ended that session
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/auth/logout/")
    page.get_by_label(EVERYWHERE).check()
    press(page, "Sign out")
    expect_signed_out(page, site, entra)
    expect(page.get_by_text("where you signed in with a password")).to_be_visible()
    look("password")


def test_with_the_keyboard_alone(open_site, entra, page):
    site = open_site()
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/auth/logout/")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_label(EVERYWHERE)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect_signed_out(page, site, entra)
    expect(page.get_by_text("on other devices have been ended")).to_be_visible()


def test_without_javascript(open_site, entra, page_without_script):
    site, page = open_site(), page_without_script
    page.goto(f"{site}/private/")
    choose(page, "Alice Adams")
    press(page, "Continue")
    expect_private(page, "alice")
    page.goto(f"{site}/auth/logout/")
    page.get_by_label(EVERYWHERE).check()
    press(page, "Sign out")
    expect_signed_out(page, site, entra)
    page.goto(f"{site}/private/")
    expect_entra(page, entra)


def test_under_a_strict_policy(open_site, entra_settings, entra, context):
    """A form that led to Entra by a redirect would be stopped by `form-action`."""
    complaints = watch_policy(context)
    site = open_site(MIDDLEWARE=with_middleware(entra_settings, "strict_policy"))
    page = context.new_page()
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/auth/logout/")
    press(page, "Sign out")
    expect_signed_out(page, site, entra)
    assert complaints == []


def test_what_a_second_click_can_still_do(open_site, entra, page, look):
    """The way to Entra was lost with the first answer: the page offers it once more."""
    site = open_site()
    sign_in(page, f"{site}/private/")
    page.goto(f"{site}/auth/logout/")

    def send_twice(route: Route) -> None:
        route.fetch()
        route.continue_()

    page.route("**/auth/logout/", send_twice, times=1)
    press(page, "Sign out")
    expect_heading(page, "You are signed out")
    expect(page.get_by_text("You may still be signed in to Microsoft")).to_be_visible()
    press(page, "Sign out of Microsoft too")
    expect_signed_out(page, site, entra)
    page.goto(f"{site}/private/")
    expect_entra(page, entra)
