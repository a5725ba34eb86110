"""Entra asks to wait or is down: a page that counts down and goes on by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
def test_the_page_goes_on_by_itself(
    arrange: Callable[[Any], None],
    heading: str,
    alice: Person,
) -> None:
    arrange(alice.entra)
    alice.go("/token/?x=1")
    alice.expect_at("/token/?x=1", heading)
    expect(alice.page.get_by_text("You are still signed in.")).to_be_visible()
    assert 0 < alice.page.evaluate(COUNTED) <= 5
    alice.expect_done("/token/?x=1")
    assert alice.prompts == 0


def test_how_it_looks(alice: Person, screenshot: Any, assert_clean: Callable[..., None]) -> None:
    """Long enough to be looked at; other pages work meanwhile, and Try now asks again."""
    alice.entra.faults.throttle(50)
    # Going on by itself is what this page is for, and it says so, and when.
    clean = partial(assert_clean, allowed={"meta-refresh"})
    alice.go("/token/?x=1")
    alice.expect_at("/token/?x=1", "Microsoft is busy")
    check_looks(alice.page, "busy", screenshot, clean)
    asked = sum(one.path.endswith("/token") for one in list(alice.entra.requests))
    press(alice.page, "Try now")
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
