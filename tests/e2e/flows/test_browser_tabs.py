"""Several tabs at once, reloads, and the back button in the middle of things."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.e2e.support import (
    choose,
    count_prompts,
    count_sign_ins,
    deliver,
    expect_entra,
    expect_private,
    form_post_only,
    go_back,
    press,
    sign_in,
    sign_out,
)

TABS = 20


@pytest.fixture
def site(serve, mode, site):
    serve(RESPONSE_MODE=mode)
    return site


def open_tabs(context: BrowserContext, site: str) -> dict[str, Page]:
    """Tabs on the site's start page and the addresses they are for."""
    tabs = {f"{site}/private/?tab={number}": context.new_page() for number in range(TABS)}
    for page in tabs.values():
        page.goto(f"{site}/")
    return tabs


def go_everywhere(tabs: dict[str, Page]) -> None:
    """All tabs at the same time; waits for none."""
    for url, page in tabs.items():
        page.evaluate("url => { setTimeout(() => { location.href = url }) }", url)


def collect_callbacks(context: BrowserContext) -> list[Request]:
    """A list that fills with the requests to the callback."""
    seen: list[Request] = []

    def listen(request: Request) -> None:
        if "/auth/callback" in request.url:
            seen.append(request)

    context.on("request", listen)
    return seen


@form_post_only
def test_two_tabs_started_before_either_finishes(site, entra, context):
    first, second = context.new_page(), context.new_page()
    first.goto(f"{site}/private/?tab=1")
    second.goto(f"{site}/private/?tab=2")
    choose(second, "Alice Adams")
    expect_private(second, "alice", f"{site}/private/?tab=2")
    choose(first, "Alice Adams")
    expect_private(first, "alice", f"{site}/private/?tab=1")
    second.reload()
    expect_private(second, "alice", f"{site}/private/?tab=2")
    assert count_prompts(entra) == 2


@pytest.mark.parametrize("mode", ["query"])
def test_twenty_tabs_wait_for_one_sign_in(site, entra, context):
    entra.loop_detection = False  # twenty equal silent sign-ins at once would be one loop to it
    (first_url, first), *others = open_tabs(context, site).items()
    first.goto(first_url)
    expect_entra(first, entra)
    go_everywhere(dict(others))
    for _, page in others:
        expect_entra(page, entra)
    assert count_prompts(entra) == TABS
    choose(first, "Alice Adams")
    expect_private(first, "alice", first_url)
    for _, page in others:
        page.evaluate("setTimeout(() => location.reload())")
    for url, page in others:
        expect_private(page, "alice", url)
    assert count_sign_ins(entra) == 1
    assert get_user_model().objects.count() == 1


@form_post_only
def test_tabs_that_reach_entra_at_the_same_time(site, entra, context):
    """Each of two parallel requests gets a cookie of Entra's, the browser keeps the second."""
    first, second = context.new_page(), context.new_page()
    first.goto(f"{site}/private/?tab=1")
    context.clear_cookies(domain="localhost")
    second.goto(f"{site}/private/?tab=2")
    choose(first, "Alice Adams")
    expect_private(first, "alice", f"{site}/private/?tab=1")


@form_post_only
def test_twenty_tabs_of_somebody_known_at_entra(site, entra, context):
    """The browser has no cookie of this site yet when all of them ask for one."""
    entra.loop_detection = False
    sign_in(context.new_page(), f"{site}/private/")
    tabs = open_tabs(context, site)
    context.clear_cookies(domain="127.0.0.1")
    go_everywhere(tabs)
    for url, page in tabs.items():
        arrive(page, url)
    assert count_sign_ins(entra) == 1
    assert count_prompts(entra) <= 1 + 2 * TABS


def arrive(page: Page, url: str) -> None:
    """Be on the page, at most by one click.

    A tab that was sent to `login` just before another one finished meets a page, not a redirect.
    """
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile("^(Private of alice|You are already signed in)"))
    if heading.inner_text() == "You are already signed in":
        press(page, "Try the page again")
    expect_private(page, "alice", url)


def test_callback_again_while_signed_in(site, entra, context, mode):
    """By its address, by its reload, and by the form that brought it."""
    callbacks, page = collect_callbacks(context), context.new_page()
    asked = f"{site}/private/?x=1"
    sign_in(page, asked)
    for request in list(callbacks):
        page.goto("about:blank")
        replay(page, entra, request)
        expect_private(page, "alice", asked)
    assert len(callbacks) >= 2
    assert count_prompts(entra) == 1


def test_callback_again_after_the_sign_out(site, entra, context):
    """It starts a new sign-in, once, and signs nobody in by itself."""
    callbacks, page = collect_callbacks(context), context.new_page()
    sign_in(page, f"{site}/private/?x=1")
    request = callbacks[0]
    sign_out(page, site, entra)
    replay(page, entra, request)
    expect_entra(page, entra)
    assert count_prompts(entra) == 2
    choose(page, "Alice Adams")
    expect_private(page, "alice", f"{site}/private/?x=1")


@form_post_only
def test_back_after_signing_in_is_harmless(site, entra, page):
    asked = f"{site}/private/?x=1"
    page.goto(f"{site}/")
    sign_in(page, asked)
    while page.evaluate("history.length") and page.url != f"{site}/":
        go_back(page)
        assert "This sign-in" not in page.title()
    page.goto(asked)
    expect_private(page, "alice", asked)
    assert count_sign_ins(entra) == 1


class Replayed:
    """A request to the callback, as an answer that can be delivered again."""

    def __init__(self, request: Request) -> None:
        self.method, self.url = request.method, request.url
        self.fields = request.post_data_json if request.method == "POST" else {}


def replay(page: Page, entra: object, request: Request) -> None:
    deliver(page, entra, Replayed(request))
