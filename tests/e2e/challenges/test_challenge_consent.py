"""A permission that only an administrator can give: who asks, who gives it, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.challenges.moves import ADMIN_FOR_MAIL, Person
from tests.e2e.flows.looks import check_looks
from tests.e2e.support import choose, expect_entra, expect_heading, press

NEEDED = "An administrator has to allow this first"
GIVEN = "The permissions were given"
PATH = "/consent/?x=1"


@pytest.fixture
def alice(alice: Person) -> Person:
    """Who needs what only an administrator can give."""
    alice.entra.policies.add(ADMIN_FOR_MAIL)
    alice.go(PATH)
    alice.expect_at(PATH, NEEDED)
    assert alice.prompts == 0
    return alice


def become_heidi(page: Page) -> None:
    """At Entra, with nobody else's session in the way or with Alice's."""
    press(page, "Sign in with another account")
    choose(page, "Heidi")


@pytest.mark.parametrize("mode", ["form_post", "query"])
def test_an_administrator_beside_the_person(
    alice: Person, screenshot: Any, assert_clean: Callable[..., None], mode: str
) -> None:
    expect(alice.page.get_by_text("AADSTS90094")).to_be_visible()
    if mode == "query":
        check_looks(alice.page, "needed", screenshot, assert_clean)
    press(alice.page, "I am an administrator")
    expect_entra(alice.page, alice.entra, "Approval required")
    become_heidi(alice.page)
    press(alice.page, "Accept")
    expect_heading(alice.page, GIVEN)
    if mode == "query":
        check_looks(alice.page, "given", screenshot, assert_clean)
    press(alice.page, "Continue")
    alice.expect_done(PATH)
    assert alice.prompts == 1


def test_an_administrator_elsewhere(alice: Person, browser: Browser) -> None:
    """Heidi gets the link, and is not signed in to anything by it."""
    link = alice.page.get_by_role("link", name="I am an administrator").get_attribute("href")
    with browser.new_context() as elsewhere:
        heidi = elsewhere.new_page()
        heidi.goto(str(link))
        choose(heidi, "Heidi")
        press(heidi, "Accept")
        expect_heading(heidi, GIVEN)
        assert not [one for one in elsewhere.cookies() if one["name"] == "sessionid"]
    alice.retry()
    alice.expect_done(PATH)
    assert alice.prompts == 1


def test_an_administrator_says_no(alice: Person) -> None:
    """What comes back says `admin_consent=True` all the same."""
    press(alice.page, "I am an administrator")
    become_heidi(alice.page)
    press(alice.page, "Decline")
    expect_heading(alice.page, "The permissions were not given")
    assert alice.prompts == 0
    alice.go("/private/")
    alice.expect_at("/private/", "Private of alice@contoso.example")
    alice.go(PATH)
    alice.expect_at(PATH, NEEDED)
