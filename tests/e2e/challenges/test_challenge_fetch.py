"""The script for pages that call the site by fetch, with the real site and a prompt of Entra."""

from __future__ import annotations

import json
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
from tests.e2e.support import choose, expect_heading, pass_mfa, press, sign_out, wait_until_loaded
from tests.site.browser_challenges import received

HERE = "/script-page/?x=1&y=%C3%BC"
CALL = """([names, init]) => {
  window.results = {};
  const token = (document.cookie.match(/csrftoken=([^;]+)/) || [])[1] || "";
  for (const name of names) {
    const headers = {"X-CSRFToken": token, "Content-Type": "application/json"};
    const call = window.entraFetch(`/answer/?name=${name}`, {...init, headers});
    call.then(async (response) => {
      window.results[name] = [response.status, await response.json()];
    });
  }
}"""
GET_RESULTS = """(count) => new Promise((resolve) => {
  const look = () => {
    if (Object.keys(window.results).length < count) return;
    clearInterval(looking);
    resolve(window.results);
  };
  const looking = setInterval(look, 20);
})"""


@pytest.fixture
def alice(alice: Person) -> Person:
    """On a page whose calls need a second factor."""
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.go(HERE)
    return alice


def call(person: Person, *names: str, **init: Any) -> None:
    wait_until_loaded(person.page)  # the script is deferred
    person.page.evaluate(CALL, [names, init])


def get_results(person: Person, count: int = 1) -> dict[str, Any]:
    return dict(person.page.evaluate(GET_RESULTS, count))


def open_prompt(person: Person) -> Page:
    with person.page.expect_popup() as opened:
        press(person.page, "Continue")
    return opened.value


def close(popup: Page) -> None:
    if not popup.is_closed():
        popup.wait_for_event("close")


def expect_dialog(person: Person, count: int) -> None:
    expect(person.page.locator("dialog")).to_have_count(count)


@pytest.mark.parametrize("mode", ["form_post", "query"])
def test_calls_wait_for_one_prompt_and_are_repeated(alice: Person) -> None:
    call(alice, "a", "b", "c")
    expect_dialog(alice, 1)
    assert alice.prompts == 0
    pass_mfa(open_prompt(alice))
    assert get_results(alice, 3) == {name: [200, {"who": ALICE}] for name in "abc"}
    expect_dialog(alice, 0)
    alice.expect_at(HERE, "Scripts")
    assert alice.prompts == 1
    assert len(alice.page.context.pages) == 1


def test_a_body_is_sent_again_with_the_same_csrf_token(alice: Person) -> None:
    body = json.dumps({"text": "ü ☃"})
    call(alice, "a", method="POST", body=body)
    pass_mfa(open_prompt(alice))
    assert get_results(alice)["a"] == [200, {"who": ALICE}]
    assert received == [{"body": [body]}]
    assert alice.prompts == 1


def test_after_esc_the_call_gets_its_refusal(alice: Person) -> None:
    call(alice, "a")
    expect_dialog(alice, 1)
    alice.page.keyboard.press("Escape")
    status, body = get_results(alice)["a"]
    assert (status, body["error"]) == (401, "interaction_required")
    expect_dialog(alice, 0)
    assert alice.prompts == 0


def test_without_a_popup_the_whole_page_goes(alice: Person) -> None:
    alice.page.evaluate("window.open = () => null")
    call(alice, "a")
    press(alice.page, "Continue")
    pass_by_mfa(alice)
    alice.expect_at(HERE, "Scripts")
    call(alice, "a")
    assert get_results(alice)["a"] == [200, {"who": ALICE}]
    assert alice.prompts == 1


def test_a_prompt_that_is_broken_off_can_be_taken_up_again(alice: Person) -> None:
    call(alice, "a")
    popup = open_prompt(alice)
    press(popup, "Cancel and go back to Local application")
    expect_heading(popup, "You cancelled the sign-in")
    expect_dialog(alice, 1)
    press(popup, "Try again")
    pass_mfa(popup)
    assert get_results(alice)["a"] == [200, {"who": ALICE}]
    close(popup)
    assert alice.prompts == 2


def test_a_closed_window_leaves_the_dialog(alice: Person) -> None:
    call(alice, "a")
    open_prompt(alice).close()
    expect_dialog(alice, 1)
    pass_mfa(open_prompt(alice))
    assert get_results(alice)["a"] == [200, {"who": ALICE}]
    assert alice.prompts == 2


def test_another_account_in_the_window_is_not_let_in(alice: Person) -> None:
    """ "Try again as Alice" goes on in the window, and the page that waits is served."""
    alice.entra.revoke_sign_ins("alice")
    call(alice, "a")
    popup = open_prompt(alice)
    choose(popup, "Erin Evans")
    pass_mfa(popup)
    expect_heading(popup, "Which account do you want to use?")
    expect_dialog(alice, 1)
    press(popup, f"Try again as {ALICE}")
    pass_by_password(Person(popup, alice.site, alice.entra))
    pass_mfa(popup)
    assert get_results(alice)["a"] == [200, {"who": ALICE}]
    close(popup)
    assert alice.prompts == 2


def test_a_signed_out_person_signs_in_in_the_window(alice: Person) -> None:
    """The page is from before the sign-out in another tab."""
    other = alice.page.context.new_page()
    sign_out(other, alice.site, alice.entra)
    other.close()
    call(alice, "a")
    popup = open_prompt(alice)
    pass_by_password(Person(popup, alice.site, alice.entra))
    pass_mfa(popup)
    assert get_results(alice)["a"] == [200, {"who": ALICE}]
    close(popup)
    assert alice.prompts == 1
