"""Whatever Entra or an API answers: one automatic prompt, a clear page, and a way on."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from django_entra_auth.emulator.policies import Policy
from tests.e2e.challenges.moves import (
    CONSENT_FOR_MAIL,
    MFA_FOR_CONTEXT,
    MFA_FOR_MAIL,
    Person,
    pass_by_consent,
    pass_by_mfa,
    pass_by_password,
)
from tests.e2e.flows.looks import check_looks
from tests.e2e.support import choose, expect_heading, press
from tests.site.browser_challenges import lost_cookies, received

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
AGAIN = "The same step was asked for again"
SELECTED = "getSelection().toString()"


def challenge_every_refresh(entra: Any) -> None:
    entra.always_challenges = True
    entra.mutate_token_response = lambda answer: {**answer, "expires_in": 1}


def challenge_every_call(entra: Any) -> None:
    """The API asks for something else each time."""
    entra.graph.take_challenge = iter_challenges().__next__


def iter_challenges() -> Iterator[str]:
    for number in itertools.count(1_000):
        yield f'{{"access_token":{{"nbf":{{"essential":true,"value":"{number}"}}}}}}'


@pytest.mark.parametrize("mode", ["form_post", "query"])
@pytest.mark.parametrize(
    ("arrange", "path"),
    [(challenge_every_refresh, "/token/?x=1"), (challenge_every_call, "/api/?x=1")],
    ids=["token", "api"],
)
def test_an_endless_challenge_stops(
    arrange: Callable[[Any], None], path: str, alice: Person
) -> None:
    """Reloading stays stopped; the person's own click is one more prompt, and can succeed."""
    arrange(alice.entra)
    alice.go(path)
    alice.expect_at(path, AGAIN)
    assert alice.prompts == 1
    alice.page.reload()
    alice.expect_at(path, AGAIN)
    assert alice.prompts == 1
    alice.retry()
    alice.expect_at(path, AGAIN)
    assert alice.prompts == 2
    behave(alice.entra)
    alice.retry()
    alice.expect_done(path)
    assert alice.prompts == 3


def behave(entra: Any) -> None:
    entra.always_challenges = False
    entra.mutate_token_response = None
    entra.graph.__dict__.pop("take_challenge", None)
    entra.ignores_claims, entra.grants_fewer_scopes = False, frozenset()
    entra.faults.clear()


def test_the_stop_page(alice: Person, screenshot: Any, assert_clean: Callable[..., None]) -> None:
    challenge_every_refresh(alice.entra)
    page = alice.page
    alice.go("/token/?x=1")
    alice.expect_at("/token/?x=1", AGAIN)
    page.locator(".entra-copy dd").first.click()
    copied = page.evaluate(SELECTED)
    assert re.search(r"AADSTS50076", copied)
    assert len(re.findall(GUID, copied)) == 2
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", copied)
    page.evaluate("getSelection().removeAllRanges()")
    check_looks(page, "stop", screenshot, assert_clean)
    page.get_by_role("heading", level=1).click()
    assert reach_by_tab(page) == ["Try again", "Go to the start page", "details"]
    behave(alice.entra)
    page.get_by_role("link", name="Try again").focus()
    page.keyboard.press("Enter")
    alice.expect_done("/token/?x=1")
    assert alice.prompts == 2


REACHED = """() => {
  const here = document.activeElement;
  return here.matches(".entra-copy") ? "details" : here.innerText;
}"""


def reach_by_tab(page: Page) -> list[str]:
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(REACHED))
    return reached


def test_a_step_that_was_dropped_is_not_taken_for_done(alice: Person) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.entra.ignores_claims = True
    alice.go("/context/?x=1")
    alice.expect_stop("The step was not completed")
    assert alice.prompts == 1
    behave(alice.entra)
    alice.retry()
    pass_by_mfa(alice)
    alice.expect_done("/context/?x=1")
    assert alice.prompts == 2


def test_fewer_permissions_than_asked_for(alice: Person) -> None:
    alice.entra.policies.add(CONSENT_FOR_MAIL)
    alice.entra.grants_fewer_scopes = frozenset({"Mail.Read"})
    alice.go("/consent/?x=1")
    pass_by_consent(alice)
    alice.expect_stop("Permission was not given")
    assert alice.prompts == 1
    behave(alice.entra)
    alice.retry()
    alice.expect_done("/consent/?x=1")
    assert alice.prompts == 2


def test_who_declines_is_not_asked_again(alice: Person) -> None:
    alice.entra.policies.add(CONSENT_FOR_MAIL)
    alice.go("/consent/?x=1")
    press(alice.page, "Decline")
    alice.expect_stop("Permission was not given")
    assert alice.prompts == 1
    alice.go("/private/")
    alice.expect_at("/private/", "Private of alice@contoso.example")
    assert alice.prompts == 1
    alice.go("/consent/?x=1")
    pass_by_consent(alice)
    alice.expect_done("/consent/?x=1")
    assert alice.prompts == 2


def test_a_reload_of_the_refusal_asks_once_more(alice: Person) -> None:
    """The answer was used; the page that needs the person says what it needs."""
    alice.entra.policies.add(CONSENT_FOR_MAIL)
    alice.go("/consent/?x=1")
    press(alice.page, "Decline")
    alice.expect_stop("Permission was not given")
    alice.page.reload()
    pass_by_consent(alice)
    alice.expect_done("/consent/?x=1")
    assert alice.prompts == 2


def test_an_answer_that_is_brought_again_prompts_nobody(alice: Person) -> None:
    """From the history: what it was for is there already."""
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    callbacks: list[str] = []
    alice.page.on("request", lambda one: callbacks.append(one.url))
    alice.go("/context/?x=1")
    pass_by_mfa(alice)
    alice.expect_done("/context/?x=1")
    (answer,) = [url for url in callbacks if "handle=" in url]
    alice.page.goto(answer)
    alice.expect_done("/context/?x=1")
    assert alice.prompts == 1


def test_a_binding_that_is_lost_each_time_is_no_loop(alice: Person) -> None:
    """A proxy lets only cookies through that it knows; the session's is one of them."""
    lost_cookies.add("entra_browser")
    alice.go("/context/?x=1")
    alice.expect_stop("This sign-in was started elsewhere")
    assert alice.prompts == 2  # the second one is the restart that helps where it was lost once
    lost_cookies.clear()
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.go("/context/?x=1")
    pass_by_mfa(alice)
    alice.expect_done("/context/?x=1")
    assert alice.prompts == 3


def test_another_account_is_not_let_in_and_the_same_one_goes_on(
    alice: Person, screenshot: Any, assert_clean: Callable[..., None]
) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.entra.revoke_sign_ins("alice")
    alice.go("/context/?x=1")
    choose(alice.page, "Erin Evans")
    pass_by_mfa(alice)
    alice.expect_stop("Which account do you want to use?")
    check_looks(alice.page, "which", screenshot, assert_clean)
    assert alice.prompts == 1
    press(alice.page, "Try again as alice@contoso.example")
    pass_by_password(alice)
    pass_by_mfa(alice)
    alice.expect_done("/context/?x=1")
    assert alice.prompts == 2


def test_a_form_survives_another_account(alice: Person) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.entra.revoke_sign_ins("alice")
    alice.go("/order/?x=1")
    alice.page.get_by_label("Note").fill("one")
    press(alice.page, "Order")
    choose(alice.page, "Erin Evans")
    pass_by_mfa(alice)
    press(alice.page, "Try again as alice@contoso.example")
    pass_by_password(alice)
    pass_by_mfa(alice)
    expect_heading(alice.page, "Your form was kept")
    alice.page.get_by_role("button", name="Send").click()
    alice.expect_done("/order/?x=1")
    assert received == [{"note": ["one"]}]
    assert alice.prompts == 2


def test_the_other_account_is_a_choice_of_ones_own(alice: Person) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.entra.revoke_sign_ins("alice")
    alice.go("/context/?x=1")
    choose(alice.page, "Erin Evans")
    pass_by_mfa(alice)
    press(alice.page, "Sign out and sign in as erin@contoso.example")
    choose(alice.page, "Erin Evans")
    alice.expect_done("/context/?x=1", "erin@contoso.example")


@pytest.mark.parametrize("kind", ["503", "reset"])
def test_entra_goes_down_between_prompt_and_end(kind: Any, alice: Person) -> None:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.go("/order/?x=1")
    alice.page.get_by_label("Note").fill("one")
    press(alice.page, "Order")
    alice.page.get_by_label("One-time code").wait_for()
    alice.entra.faults.outage(kind)
    pass_by_mfa(alice)
    alice.expect_stop("Microsoft cannot be reached")
    assert alice.prompts == 1
    behave(alice.entra)
    alice.retry()
    expect_heading(alice.page, "Your form was kept")
    alice.page.get_by_role("button", name="Send").click()
    alice.expect_done("/order/?x=1")
    assert received == [{"note": ["one"]}]
    assert alice.prompts == 2


def test_a_block_is_no_prompt_at_all(alice: Person) -> None:
    alice.entra.policies.add(Policy(name="b", control="block", scopes=MFA_FOR_MAIL.scopes))
    alice.go("/token/?x=1")
    alice.expect_at("/token/?x=1", "Your organization does not allow this sign-in")
    expect(alice.page.get_by_text("AADSTS53003")).to_be_visible()
    assert alice.prompts == 0
    alice.entra.policies.clear()
    alice.retry()
    alice.expect_done("/token/?x=1")
    assert alice.prompts == 1
