"""Entra asks to wait or is down: a page that counts down; the next try is the person's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.challenges.moves import Person
from tests.e2e.flows.looks import check_looks
from tests.e2e.support import press
from tests.site.browser_challenges import received

COUNTED = """() => {
  const shown = document.querySelector(".entra-countdown");
  return Number(getComputedStyle(shown, "::after").getPropertyValue("--entra-seconds"));
}"""


def throttle(entra: Any) -> None:
    entra.faults.throttle(2)


def go_down(entra: Any) -> None:
    entra.faults.outage("503", times=2)  # the call and its one repeat


TROUBLE = [(throttle, "Microsoft is busy"), (go_down, "Microsoft cannot be reached")]


@pytest.mark.parametrize(("arrange", "heading"), TROUBLE, ids=["throttled", "down"])
def test_the_page_counts_down_and_says_when_it_is_time(
    arrange: Callable[[Any], None],
    heading: str,
    alice: Person,
) -> None:
    arrange(alice.entra)
    alice.go("/token/?x=1")
    alice.expect_at("/token/?x=1", heading)
    expect(alice.page.get_by_text("You are still signed in.")).to_be_visible()
    assert 0 < alice.page.evaluate(COUNTED) <= 5
    expect(alice.page.get_by_role("status")).to_have_text("You can try again now.")
    alice.expect_at("/token/?x=1", heading)
    press(alice.page, "Try again")
    alice.expect_done("/token/?x=1")
    assert alice.prompts == 0


def test_without_scripts_it_says_the_same_and_the_link_works(browser: Any, alice: Person) -> None:
    state: Any = alice.page.context.storage_state()
    plain = browser.new_context(java_script_enabled=False, storage_state=state)
    alice.entra.faults.throttle(2)
    page = plain.new_page()
    page.goto(f"{alice.site}/token/?x=1")
    expect(page.get_by_role("status")).to_contain_text("Please try again after 5 seconds.")
    page.wait_for_timeout(2100)
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_text("Done")).to_be_visible()
    plain.close()


def test_how_it_looks(alice: Person, screenshot: Any, assert_clean: Callable[..., None]) -> None:
    """Long enough to be looked at; other pages work meanwhile, and Try again asks again."""
    alice.entra.faults.throttle(50)
    alice.go("/token/?x=1")
    alice.expect_at("/token/?x=1", "Microsoft is busy")
    check_looks(alice.page, "busy", screenshot, assert_clean)
    asked = sum(one.path.endswith("/token") for one in list(alice.entra.requests))
    press(alice.page, "Try again")
    alice.expect_at("/token/?x=1", "Microsoft is busy")
    assert sum(one.path.endswith("/token") for one in list(alice.entra.requests)) == asked
    alice.go("/private/")
    alice.expect_at("/private/", "Private of alice@contoso.example")
    assert alice.prompts == 0


def test_a_form_in_the_way_is_not_sent_by_itself(alice: Person) -> None:
    """There is no refresh: Back has what was filled in."""
    alice.entra.faults.outage("503", times=2)
    alice.go("/token-form/?x=1")
    alice.page.get_by_label("Note").fill("one")
    press(alice.page, "Order")
    alice.expect_at("/token-form/?x=1", "Microsoft cannot be reached")
    assert alice.page.locator("meta[http-equiv=refresh]").count() == 0
    alice.page.go_back()
    expect(alice.page.get_by_label("Note")).to_have_value("one")
    assert received == []
