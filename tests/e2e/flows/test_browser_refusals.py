"""A sign-in that does not work out: where the person stands, and how they go on."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from tests.e2e.support import (
    choose,
    count_prompts,
    expect_entra,
    expect_heading,
    expect_private,
    form_post_only,
    pass_mfa,
    press,
    sign_in,
)

ASKED = "/private/?tab=2&q=caf%C3%A9"


@pytest.fixture
def site(serve, mode, site):
    serve(RESPONSE_MODE=mode)
    return site


def test_cancel_and_try_again(site, entra, page):
    page.goto(site + ASKED)
    press(page, "Cancel and go back to Local application")
    expect_heading(page, "You cancelled the sign-in")
    press(page, "Try again")
    choose(page, "Alice Adams")
    expect_private(page, "alice", site + ASKED)
    assert count_prompts(entra) == 2


@form_post_only
def test_cancel_at_the_second_factor(site, entra, page):
    page.goto(site + ASKED)
    choose(page, "Bob Brown")
    press(page, "Cancel and go back to Local application")
    expect_heading(page, "You cancelled the sign-in")
    press(page, "Try again")
    pass_mfa(page)
    expect_private(page, "bob", site + ASKED)


@form_post_only
def test_failed_second_factor_stays_at_entra(site, entra, page):
    page.goto(site + ASKED)
    choose(page, "Bob Brown")
    pass_mfa(page, "000000")
    expect(page.get_by_role("alert")).to_contain_text("AADSTS500121")
    expect_entra(page, entra, "Prove it is you")
    pass_mfa(page)
    expect_private(page, "bob", site + ASKED)


def test_declined_consent_and_second_thoughts(site, entra, page):
    entra.application.require_consent = True
    page.goto(site + ASKED)
    choose(page, "Alice Adams")
    press(page, "Decline")
    expect_heading(page, "Permission was not given")
    expect(page.get_by_text("AADSTS65004")).to_be_visible()
    press(page, "Try again")
    press(page, "Accept")
    expect_private(page, "alice", site + ASKED)


@form_post_only
def test_disabled_person_stays_at_entra(site, entra, page):
    page.goto(site + ASKED)
    choose(page, "Dave Davis")
    expect(page.get_by_role("alert")).to_contain_text("AADSTS50057")
    expect_entra(page, entra)
    page.goto(f"{site}/")
    expect_heading(page, "Home")
    sign_in(page, site + ASKED)
    expect_private(page, "alice", site + ASKED)
    assert get_user_model().objects.count() == 1


@form_post_only
def test_disabled_django_user(site, entra, context):
    page = context.new_page()
    sign_in(page, site + ASKED)
    get_user_model().objects.update(is_active=False)
    context.clear_cookies(domain="127.0.0.1")
    page.reload()
    expect_heading(page, "Your account here is disabled")
    assert count_prompts(entra) == 2
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    press(page, "Use another account")
    choose(page, "Erin Evans")
    expect_private(page, "erin", site + ASKED)
    assert count_prompts(entra) == 3


@form_post_only
def test_django_user_disabled_while_signed_in(site, entra, page):
    """What the page says has to fit: the browser did keep the session."""
    sign_in(page, site + ASKED)
    get_user_model().objects.update(is_active=False)
    page.reload()
    expect_heading(page, "Your account here is disabled")
    assert count_prompts(entra) <= 2


@form_post_only
def test_unknown_person(site, entra, page, serve):
    serve(CREATE_USERS=False)
    page.goto(site + ASKED)
    choose(page, "Alice Adams")
    expect_heading(page, "You have no account here")
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    assert get_user_model().objects.count() == 0
