"""The demo's Conditional Access page: each button ends where it began, after one prompt at most."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from demo_project.cases import CASES
from tests.e2e.flows.demo import Demo
from tests.e2e.flows.looks import check_looks
from tests.e2e.support import choose, expect_heading, pass_mfa, press, watch_policy


@pytest.fixture(autouse=True)
def console(context: BrowserContext) -> Iterator[list[str]]:
    """What the browser complains about; has to stay empty."""
    complaints = watch_policy(context)
    yield complaints
    assert complaints == []


@pytest.fixture
def cases(demo: Demo, page: Page) -> Page:
    """The page, open for Alice."""
    return open_cases(demo, page, "Alice Adams")


def open_cases(demo: Demo, page: Page, person: str) -> Page:
    page.goto(f"{demo.site}/conditional-access/")
    choose(page, person)
    expect_heading(page, "Conditional Access")
    return page


def read(demo: Demo, view: str) -> list[dict[str, Any]]:
    with urlopen(f"{demo.entra}/control/{view}") as response:
        return list(json.load(response)[view])


def count_prompts(demo: Demo) -> int:
    return sum(one["path"].endswith("/authorize") for one in read(demo, "requests"))


def run_of(page: Page) -> Locator:
    return page.get_by_role("region", name=re.compile("What happened"))


def expect_end(demo: Demo, page: Page, text: str) -> None:
    """The page is there again and tells what came of it."""
    expect(run_of(page).locator(".outcome")).to_have_text(text)
    expect(page).to_have_url(f"{demo.site}/conditional-access/")


def kinds(page: Page) -> list[str]:
    return [name.strip() for name in run_of(page).locator(".actor").all_inner_texts()]


def test_call_graph_prompts_nobody(demo, cases):
    before = count_prompts(demo)
    press(cases, "Call Graph")
    expect_end(demo, cases, "Graph answered: you are Alice Adams. Nobody was prompted.")
    assert count_prompts(demo) == before
    assert kinds(cases) == ["You", "Graph", "Done"]


def test_revoked_signs_in_again_and_calls_graph(demo, cases):
    before = count_prompts(demo)
    press(cases, "Revoke me")
    choose(cases, "Alice Adams")
    expect_end(demo, cases, "Graph answers again: you are Alice Adams. You were prompted once.")
    assert count_prompts(demo) == before + 1
    expect(run_of(cases)).to_contain_text("AADSTS50173")
    expect(run_of(cases)).to_contain_text("Entra asked you for your password")
    assert kinds(cases)[-3:] == ["Site", "Graph", "Done"]


def test_mail_asks_for_consent_when_it_is_needed(demo, cases):
    before = count_prompts(demo)
    press(cases, "Read mail")
    press(cases, "Accept")
    expect_end(demo, cases, "Your mailbox holds 3 messages. You were prompted once.")
    assert count_prompts(demo) == before + 1
    expect(run_of(cases)).to_contain_text("Entra asked you for your consent")
    press(cases, "Read mail")
    expect_end(demo, cases, "Your mailbox holds 3 messages. Nobody was prompted.")
    assert count_prompts(demo) == before + 1


def test_transfer_needs_a_second_factor(demo, cases):
    before, calls = count_prompts(demo), len(read(demo, "calls"))
    press(cases, "Transfer money")
    pass_mfa(cases)
    end = "120 euros were transferred to Bob Brown, once. You were prompted once."
    expect_end(demo, cases, end)
    assert count_prompts(demo) == before + 1
    made = [(one["path"], one["status"]) for one in read(demo, "calls")[calls:]]
    assert made == [("/v1.0/me/transfer", 401), ("/v1.0/me/transfer", 200)]
    expect(run_of(cases)).to_contain_text("Entra asked you for a one-time code")


def test_who_has_the_factor_already_is_not_prompted(demo, page):
    page.goto(f"{demo.site}/conditional-access/")
    choose(page, "Bob Brown")
    pass_mfa(page)
    press(page, "Transfer money")
    end = "120 euros were transferred to Bob Brown, once. Nobody was prompted."
    expect_end(demo, page, end)
    expect(run_of(page)).to_contain_text("without asking you, and repeated the call")


def test_form_is_kept_over_the_step_up(demo, cases):
    before = count_prompts(demo)
    cases.get_by_label("Message").fill("One two\nthree ☃ four")
    press(cases, "Send the form")
    press(cases, "Accept")
    expect_heading(cases, "Your form was kept")
    cases.get_by_role("button", name="Send").click()
    end = "Your message to Bob Brown arrived complete: 5 words. You were prompted once."
    expect_end(demo, cases, end)
    assert count_prompts(demo) == before + 1
    expect(run_of(cases)).to_contain_text("your agreement to the terms of use")


def test_htmx_comes_back_to_the_page(demo, cases):
    before = count_prompts(demo)
    press(cases, "Load the part")
    press(cases, "Register this device")
    again = "prompted once. Press the button again: this time it goes through."
    expect(run_of(cases).locator(".outcome")).to_contain_text(again)
    press(cases, "Load the part")
    expect(cases.get_by_text("This part of the page was loaded for")).to_be_visible()
    expect_end(demo, cases, "The part of the page was loaded. You were prompted once.")
    assert count_prompts(demo) == before + 1


def test_fetch_stays_on_the_page(demo, cases):
    before = count_prompts(demo)
    cases.get_by_label("Message").fill("I stay")
    press(cases, "Call by script")
    with cases.expect_popup() as opened:
        press(cases, "Continue")
    popup = opened.value
    popup.get_by_label("New password").fill("a-new-one")
    popup.get_by_label("The same again").fill("a-new-one")
    press(popup, "Change")
    expect_end(demo, cases, "The script got its answer. You were prompted once.")
    expect(cases.get_by_text(re.compile("Order .* was placed"))).to_be_visible()
    expect(cases.get_by_label("Message")).to_have_value("I stay")
    assert count_prompts(demo) == before + 1


def test_blocked_is_never_prompted(demo, cases):
    before = count_prompts(demo)
    press(cases, "Open my files")
    expect(cases.get_by_text("AADSTS53003")).to_be_visible()
    assert count_prompts(demo) == before
    cases.goto(f"{demo.site}/conditional-access/")
    end = "The site stopped, and a page said why. Nobody was prompted."
    expect_end(demo, cases, end)
    expect(run_of(cases)).to_contain_text("AADSTS53003")


def test_throttled_waits_until_the_next_click(demo, cases):
    before = count_prompts(demo)
    press(cases, "Throttle Entra")
    expect(cases.get_by_text("You are still signed in.")).to_be_visible()
    tokens = count_tokens(demo)
    press(cases, "Try again")
    expect(cases.get_by_text("You are still signed in.")).to_be_visible()
    assert count_tokens(demo) == tokens
    expect(cases.get_by_role("status")).to_have_text("You can try again now.", timeout=45_000)
    press(cases, "Try again")
    cases.wait_for_url(f"{demo.site}/conditional-access/")
    end = "Entra answers again, and the site has a new token. Nobody was prompted."
    expect_end(demo, cases, end)
    assert count_prompts(demo) == before
    assert count_tokens(demo) == tokens + 1


def count_tokens(demo: Demo) -> int:
    return sum(one["path"].endswith("/token") for one in read(demo, "requests"))


def test_recent_sign_in_asks_for_the_password(demo, cases):
    before = count_prompts(demo)
    press(cases, "Confirm it is me")
    choose(cases, "Alice Adams")
    expect_end(demo, cases, "You have just given your password. You were prompted once.")
    assert count_prompts(demo) == before + 1
    expect(run_of(cases)).to_contain_text("Max age")


def test_two_people_do_not_disturb_each_other(demo, cases, browser: Browser):
    press(cases, "Transfer money")
    expect_heading(cases, "Prove it is you")
    with browser.new_context() as other:
        second = open_cases(demo, other.new_page(), "Erin Evans")
        press(second, "Call Graph")
        expect_end(demo, second, "Graph answered: you are Erin Evans. Nobody was prompted.")
        assert kinds(second) == ["You", "Graph", "Done"]
        press(second, "Open my files")
        expect(second.get_by_text("AADSTS53003")).to_be_visible()
    pass_mfa(cases)
    end = "120 euros were transferred to Bob Brown, once. You were prompted once."
    expect_end(demo, cases, end)
    expect(run_of(cases)).not_to_contain_text("53003")


def test_nothing_secret_is_shown(demo, cases):
    press(cases, "Transfer money")
    pass_mfa(cases)
    expect(run_of(cases)).to_contain_text("120 euros")
    shown = run_of(cases).inner_text()
    assert not re.search(r"[\w-]{60,}", shown)
    assert "state" not in shown


def test_a_case_does_not_happen_by_a_link(demo, cases):
    tokens = len(read(demo, "calls"))
    for key in CASES:
        if CASES[key].way != "fetch" and CASES[key].way != "form":
            cases.goto(f"{demo.site}/conditional-access/{key}/")
            expect(cases).to_have_url(f"{demo.site}/conditional-access/")
    expect(run_of(cases)).to_have_count(0)
    assert len(read(demo, "calls")) == tokens


def test_without_javascript(demo, browser: Browser):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{demo.site}/conditional-access/")
        choose(page, "Erin Evans")
        page.get_by_role("button").last.click()
        expect_heading(page, "Conditional Access")
        expect(page.get_by_text("This case needs JavaScript.")).to_have_count(2)
        expect(page.get_by_role("button", name="Call by script")).to_be_disabled()
        page.get_by_role("button", name="Call Graph").click()
        expect_end(demo, page, "Graph answered: you are Erin Evans. Nobody was prompted.")


def test_looks(demo, cases, screenshot, assert_accessible):
    check_looks(cases, "cases", screenshot, assert_accessible)
    press(cases, "Transfer money")
    pass_mfa(cases)
    expect(run_of(cases)).to_be_visible()
    check_looks(cases, "run", screenshot, assert_accessible)
    press(cases, "Call by script")
    expect(cases.get_by_role("dialog")).to_be_visible()
    check_looks(cases, "dialog", screenshot, assert_accessible)
