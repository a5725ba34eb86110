"""A form that a prompt interrupts: what impatient and doubtful people do, and files."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.challenges.moves import MFA_FOR_CONTEXT, Person, pass_by_mfa
from tests.e2e.support import expect_heading, go_back, press
from tests.site.browser_challenges import received, visits


@pytest.fixture
def alice(alice: Person) -> Person:
    """Sending a form needs a second factor."""
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    return alice


def fill(person: Person, text: str, path: str = "/order/?x=1") -> None:
    person.go(path)
    person.page.get_by_label("Note").fill(text)


def order(page: Page) -> Any:
    return page.get_by_role("button", name="Order")


def send(page: Page) -> None:
    page.get_by_role("button", name="Send").click()


def test_an_impatient_person_sends_it_once(alice: Person) -> None:
    """A double click, a reload, Back and Forward: one prompt, one order."""
    fill(alice, "one")
    order(alice.page).dblclick(no_wait_after=True)
    pass_by_mfa(alice)
    expect_heading(alice.page, "Your form was kept")
    alice.page.reload()
    kept = alice.page.url
    send(alice.page)
    alice.expect_done("/order/?x=1")
    assert received == [{"note": ["one"]}]
    go_back(alice.page)
    alice.page.goto(kept)
    expect_heading(alice.page, "This form was already sent")
    assert received == [{"note": ["one"]}]
    assert alice.prompts == 1


def test_send_is_double_clicked(alice: Person) -> None:
    fill(alice, "one")
    order(alice.page).click()
    pass_by_mfa(alice)
    alice.page.get_by_role("button", name="Send").dblclick(no_wait_after=True)
    alice.expect_done("/order/?x=1")
    assert received == [{"note": ["one"]}]


def test_two_forms_in_two_tabs_are_kept_apart(alice: Person) -> None:
    """Both were sent before either prompt was passed."""
    second = Person(alice.page.context.new_page(), alice.site, alice.entra)
    for person, text in ((alice, "first"), (second, "second")):
        fill(person, text)
        order(person.page).click()
        person.page.get_by_label("One-time code").wait_for()
    for person in (second, alice):
        pass_by_mfa(person)
        expect_heading(person.page, "Your form was kept")
    for person in (alice, second):
        send(person.page)
        person.expect_done("/order/?x=1")
    assert received == [{"note": ["first"]}, {"note": ["second"]}]


def test_who_turns_back_from_the_prompt_finds_the_form(alice: Person) -> None:
    """Nothing was sent; sending it again is a prompt of its own."""
    fill(alice, "one")
    order(alice.page).click()
    alice.page.get_by_label("One-time code").wait_for()
    while "/order/" not in alice.page.url:
        alice.page.go_back()
    expect_heading(alice.page, "Form")
    assert received == []
    alice.page.get_by_label("Note").fill("two")
    order(alice.page).click()
    pass_by_mfa(alice)
    send(alice.page)
    alice.expect_done("/order/?x=1")
    assert received == [{"note": ["two"]}]


def attach(person: Person) -> None:
    fill(person, "with a file", "/upload/?x=1")
    file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"what it holds"}
    person.page.get_by_label("File").set_input_files(file)


def test_continuing_here_with_a_file_ends_at_the_form(alice: Person) -> None:
    """The page says before the prompt what is lost."""
    attach(alice)
    order(alice.page).click()
    expect_heading(alice.page, "One more step before this can be sent")
    expect(
        alice.page.get_by_text("Your form was not kept, because files cannot be")
    ).to_be_visible()
    assert alice.prompts == 0
    press(alice.page, "Continue here")
    pass_by_mfa(alice)
    alice.expect_at("/upload/?x=1", "Form")
    assert (received, alice.prompts) == ([], 1)
    posts = [one for one in visits if one.method == "POST" and one.path == "/upload/"]
    assert len(posts) == 1
