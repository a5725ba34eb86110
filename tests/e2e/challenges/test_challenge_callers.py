"""Requests that no person follows: htmx, frames, and what the browser fetches ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.challenges.moves import MFA_FOR_CONTEXT, Person, pass_by_mfa
from tests.e2e.support import expect_heading, press
from tests.site.browser_challenges import received, visits

# As htmx does it: the headers, the redirect on the client's side, and the swap.
HTMX = """async ([method, url, fields]) => {
  const token = (document.cookie.match(/csrftoken=([^;]+)/) || [])[1] || "";
  const headers = {"HX-Request": "true", "HX-Current-URL": location.href, "X-CSRFToken": token};
  const body = method === "GET" ? undefined : new URLSearchParams(fields);
  const response = await fetch(url, {method, headers, body});
  const target = response.headers.get("HX-Redirect");
  if (target) { setTimeout(() => { location.href = target; }); return "moving"; }
  return response.ok ? await response.text() : String(response.status);
}"""
HERE = "/script-page/?x=1&y=%C3%BC"


@pytest.fixture
def alice(alice: Person) -> Person:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    return alice


def ask(person: Person, method: str, path: str, **fields: str) -> str:
    return str(person.page.evaluate(HTMX, [method, path, fields]))


def test_a_part_of_a_page(alice: Person) -> None:
    alice.go(HERE)
    assert ask(alice, "GET", "/context/") == "moving"
    pass_by_mfa(alice)
    alice.expect_at(HERE, "Scripts")
    assert "<h1>Done</h1>" in ask(alice, "GET", "/context/")
    assert alice.prompts == 1


def test_a_form_by_htmx_is_not_sent_again_and_the_page_says_so(alice: Person) -> None:
    alice.go(HERE)
    assert ask(alice, "POST", "/order/", note="one") == "moving"
    expect_heading(alice.page, "One more step before this can be sent")
    expect(alice.page.get_by_text("What you sent was not kept")).to_be_visible()
    assert alice.prompts == 0
    press(alice.page, "Continue here")
    pass_by_mfa(alice)
    alice.expect_at(HERE, "Scripts")
    assert received == []
    assert "<h1>Done</h1>" in ask(alice, "POST", "/order/", note="two")
    assert received == [{"note": ["two"]}]
    assert alice.prompts == 1


def test_a_frame_leads_out_and_back(alice: Person, assert_accessible: Any) -> None:
    path = "/frame-page/?x=1"
    alice.go(path)
    frame = alice.page.frame_locator("iframe")
    expect(frame.get_by_role("heading")).to_have_text("Sign in to see this")
    assert_accessible(alice.page)
    assert alice.prompts == 0
    frame.get_by_role("link", name="Continue in the whole window").click()
    pass_by_mfa(alice)
    alice.expect_at(path, "Outside")
    expect(frame.get_by_role("heading")).to_have_text("Done")
    assert alice.prompts == 1


AHEAD = {
    "link": "/prefetch-page/",
    "rules": "/prefetch-page/?rules=prefetch",
    "prerender": "/prefetch-page/?rules=prerender",
}


@pytest.mark.parametrize("kind", AHEAD)
def test_what_is_fetched_ahead_begins_nothing(
    kind: str, open_site: Callable[..., str], page: Page, entra: Any
) -> None:
    alice = Person(page, open_site(policy=False), entra).sign_in()
    entra.policies.add(MFA_FOR_CONTEXT)
    alice.go(AHEAD[kind])
    ahead = wait_for_visit(page, "/context/")
    assert "prefetch" in ahead.purpose
    assert ahead.status == 503
    assert alice.prompts == 0
    press(page, "Go there")
    pass_by_mfa(alice)
    alice.expect_done("/context/?ahead=1")
    assert alice.prompts == 1


def wait_for_visit(page: Page, path: str) -> Any:
    for _ in range(300):
        for visit in list(visits):
            if visit.path == path:
                return visit
        page.wait_for_timeout(50)
    raise AssertionError(f"Chromium did not ask for {path}")
