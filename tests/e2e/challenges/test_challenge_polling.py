"""Pages that talk to the site all the time, while the person is being prompted in another tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.challenges.moves import (
    ALICE,
    MFA_FOR_CONTEXT,
    Person,
    pass_by_mfa,
    pass_by_password,
)
from tests.e2e.support import expect_heading
from tests.site.browser_challenges import is_held, received, release

AGAIN = "The same step was asked for again"
ENOUGH = 10
WAIT_FOR_POLLS = """([outcome, wanted]) => new Promise((resolve) => {
  const start = window.polled.counts[outcome] || 0;
  const look = () => {
    if ((window.polled.counts[outcome] || 0) - start < wanted) return;
    clearInterval(looking);
    resolve();
  };
  const looking = setInterval(look, 20);
})"""
STOP = """() => new Promise((resolve) => {
  window.stopPolling();
  const look = () => {
    if (window.polled.running) return;
    clearInterval(looking);
    resolve(window.polled.counts);
  };
  const looking = setInterval(look, 20);
})"""


@pytest.fixture
def alice(open_site: Callable[..., str], page: Page, entra: Any) -> Person:
    """At a site that writes the session with every answer."""
    return Person(page, open_site(SESSION_SAVE_EVERY_REQUEST=True), entra).sign_in()


@pytest.fixture
def polling(alice: Person) -> Page:
    """A tab that asks every 100 ms, each fifth time slowly."""
    tab = alice.page.context.new_page()
    tab.goto(f"{alice.site}/poll-page/")
    wait_for_polls(tab)
    return tab


def wait_for_polls(tab: Page) -> None:
    tab.evaluate(WAIT_FOR_POLLS, [f"200 {ALICE}", ENOUGH])


def test_a_step_up_counts_although_older_sessions_are_written_back(
    alice: Person, polling: Page
) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.go("/context/?x=1")
    alice.page.get_by_label("One-time code").wait_for()
    wait_for_polls(polling)
    pass_by_mfa(alice)
    alice.expect_done("/context/?x=1")
    for number in range(2, 5):
        wait_for_polls(polling)
        alice.go(f"/context/?x={number}")
        alice.expect_done(f"/context/?x={number}")
    assert polling.evaluate(STOP).keys() == {f"200 {ALICE}"}
    assert alice.prompts == 1
    alice.go("/context/?x=5")
    alice.expect_done("/context/?x=5")
    assert alice.prompts == 1


def test_a_new_sign_in_after_a_revocation_holds(alice: Person, polling: Page) -> None:
    alice.entra.revoke_sign_ins("alice")
    alice.go("/api/?x=1")
    wait_for_polls(polling)
    pass_by_password(alice)
    alice.expect_done("/api/?x=1")
    wait_for_polls(polling)
    alice.go("/api/?x=2")
    alice.expect_done("/api/?x=2")
    assert polling.evaluate(STOP).keys() == {f"200 {ALICE}"}
    assert alice.prompts == 1


def test_a_form_still_opens_after_its_prompt(alice: Person, polling: Page) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    send_order(alice)
    wait_for_polls(polling)
    pass_by_mfa(alice)
    wait_for_polls(polling)
    send_on(alice)
    expect(polling.get_by_role("heading")).to_have_text("Polls")
    assert alice.prompts == 1


def send_order(alice: Person) -> None:
    alice.go("/order/?x=1")
    alice.page.get_by_label("Note").fill("one")
    alice.page.get_by_role("button", name="Order").click()


def send_on(alice: Person) -> None:
    expect_heading(alice.page, "Your form was kept")
    alice.page.get_by_role("button", name="Send").click()
    alice.expect_done("/order/?x=1")
    assert received == [{"note": ["one"]}]


HOLD = """() => { window.held = fetch("/hold/").then((response) => response.status); }"""


@contextmanager
def older_session_written_back(alice: Person) -> Iterator[None]:
    """A request that began before the block ends after it."""
    tab = alice.page.context.new_page()
    tab.goto(f"{alice.site}/empty/")
    tab.evaluate(HOLD)
    assert is_held.wait(15)
    try:
        yield
    finally:
        release.set()
    assert tab.evaluate("window.held") == 200


def test_what_a_flow_has_granted_is_not_written_away(alice: Person) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    with older_session_written_back(alice):
        send_order(alice)
        pass_by_mfa(alice)
        expect_heading(alice.page, "Your form was kept")
    alice.page.reload()
    send_on(alice)
    assert alice.prompts == 1


def test_a_loop_is_told_although_its_mark_was_written_away(alice: Person) -> None:
    alice.entra.always_challenges = True
    alice.entra.mutate_token_response = lambda answer: {**answer, "expires_in": 1}
    with older_session_written_back(alice):
        alice.go("/token/?x=1")
        alice.expect_at("/token/?x=1", AGAIN)
    alice.page.reload()
    alice.expect_at("/token/?x=1", AGAIN)
    assert alice.prompts == 1
