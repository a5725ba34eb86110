"""People of several directories: choosing an account, being refused, coming as a customer."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from django_entra_auth.emulator import (
    B2C_DOMAINS,
    B2C_POLICY,
    CONSUMER_TENANT_ID,
    CUSTOMERS_DOMAINS,
    FABRIKAM_TENANT_ID,
    TENANT_ID,
    Person,
)
from tests.e2e.flows.looks import check_looks
from tests.e2e.support import (
    choose,
    count_prompts,
    count_sign_ins,
    expect_entra,
    expect_heading,
    press,
    wait_until_loaded,
    watch_policy,
)

BOTH = [TENANT_ID, FABRIKAM_TENANT_ID]


@pytest.fixture
def looks(page: Page, screenshot: Any, assert_accessible: Any) -> Any:
    """`looks("name")` keeps pictures of the page as it stands."""
    return lambda name: check_looks(page, name, screenshot, assert_accessible)


def expect_page_of(page: Page, username: str) -> None:
    expect_heading(page, f"Private of {username}")


def test_choosing_between_accounts_of_two_tenants(open_at, entra, page, context, looks):
    complaints = watch_policy(context)
    site = open_at("organizations", ALLOWED_TENANTS=BOTH)
    page.goto(f"{site}/private/")
    choose(page, "Alice Adams")
    expect_page_of(page, "alice@contoso.example")
    page.goto(f"{site}/auth/login/?next=/private/")
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    press(page, "Use another account")
    choose(page, "Grace Green")
    expect_page_of(page, "grace@fabrikam.example")
    page.goto(f"{site}/auth/login/?next=/private/")
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    expect(page.get_by_role("button", name="Grace Green")).to_be_visible()
    looks("pick")
    choose(page, "Alice Adams")
    expect_page_of(page, "alice@contoso.example")
    assert count_sign_ins(entra) == 2
    assert complaints == []


def test_a_tenant_that_has_no_access(open_at, entra, page, looks):
    site = open_at("organizations", ALLOWED_TENANTS=[TENANT_ID])
    page.goto(f"{site}/private/?tab=2")
    choose(page, "Grace Green")
    expect_heading(page, "Your organization has no access here")
    expect(page.get_by_text(FABRIKAM_TENANT_ID)).to_be_visible()
    looks("refused")
    # The page offers another account, not the same one again.
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    press(page, "Use another account")
    choose(page, "Alice Adams")
    expect_page_of(page, "alice@contoso.example")
    expect(page).to_have_url(f"{site}/private/?tab=2")
    assert count_prompts(entra) == 2


def test_a_personal_account_that_has_no_access(open_at, page):
    site = open_at("common", ALLOWED_TENANTS=["*"])
    page.goto(f"{site}/private/")
    choose(page, "Mia Moore")
    expect_heading(page, "Your organization has no access here")
    expect(page.get_by_text(CONSUMER_TENANT_ID)).to_be_visible()


def test_a_guest_who_has_no_access(open_at, page, looks):
    site = open_at(TENANT_ID, BLOCK_GUESTS=True)
    page.goto(f"{site}/private/")
    choose(page, "Carol Clark")
    expect_heading(page, "Guests have no access here")
    looks("refused")
    # Going on is no way in: the person is not signed in here, and is refused again.
    page.goto(f"{site}/private/")
    wait_until_loaded(page)
    expect_heading(page, "Guests have no access here")


def test_two_people_of_one_name(open_at, entra, page, browser):
    """A directory in which somebody bears Alice's name: each has a page of their own."""
    name = "alice@contoso.example"
    twin = Person(name, "Alice Imposter", tid=FABRIKAM_TENANT_ID, password="other-horse")
    entra.people["twin"] = twin
    site = open_at("organizations", ALLOWED_TENANTS=BOTH)
    page.goto(f"{site}/whoami/")
    choose(page, "Alice Adams")
    wait_until_loaded(page)
    expect(page).to_have_url(f"{site}/whoami/")
    mine = page.inner_text("body")
    with browser.new_context() as other:
        theirs = other.new_page()
        theirs.goto(f"{site}/whoami/")
        choose(theirs, "Alice Imposter")
        expect(theirs).to_have_url(f"{site}/whoami/")
        wait_until_loaded(theirs)
        assert theirs.inner_text("body") != mine
        assert name in theirs.inner_text("body")


def test_a_customer_of_external_id(open_at, entra, page, context, looks):
    complaints = watch_policy(context)
    site = open_at(CUSTOMERS_DOMAINS[0])
    page.goto(f"{site}/private/")
    expect_entra(page, entra)
    expect(page.get_by_text("Contoso Customers")).to_be_visible()
    expect(page.get_by_role("button", name="Alice Adams")).to_have_count(0)
    looks("sign-in")
    choose(page, "Olga Olsen")
    expect_page_of(page, "olga@shop.example")
    page.goto(f"{site}/auth/logout/")
    press(page, "Sign out")
    expect_heading(page, "You are signed out")
    page.goto(f"{site}/private/")
    expect_entra(page, entra)
    assert complaints == []


def test_a_customer_of_b2c(open_at, entra, page, looks):
    site = open_at(f"{B2C_DOMAINS[0]}/{B2C_POLICY}")
    page.goto(f"{site}/private/")
    press(page, "Forgot your password?")
    expect_heading(page, "Your password cannot be reset here")
    looks("forgot")
    press(page, "Try again")
    choose(page, "Paul Price")
    expect(page).to_have_url(f"{site}/private/")
