"""The operator's pages in a real browser: how they look, by keyboard, under a strict policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.models import EntraSignIn, ErrorKind
from django_entra_auth.testing import sign_in
from tests.admin.making_rows import (
    RESOURCES,
    TENANTS,
    make_error,
    make_month,
    make_people,
    make_sign_ins,
)
from tests.e2e.support import watch_policy, with_middleware

ERRORS = "/admin/django_entra_auth/tokenerrorrecord/"
SIGN_INS = "/admin/django_entra_auth/entrasignin/"
CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
GUID = "0b0d1f64-3c27-4c3c-8d5c-0f6a5d0f2a11"
KEY = "a" * 64
# What is wider than the place it has, and so would have to be scrolled sideways.
TOO_WIDE = """() => [document.scrollingElement, ...document.querySelectorAll(
    "#changelist .results, .entra-scroll, #content, .entra-panel")]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => `${one.tagName}.${one.className}: ${one.scrollWidth} > ${one.clientWidth}`)"""


@pytest.fixture
def operator(
    settings: Any, site: str, context: BrowserContext, page: Page
) -> Iterator[tuple[Page, str]]:
    """A superuser's tab and the site's address, under a strict policy that is kept to."""
    settings.MIDDLEWARE = with_middleware(settings, "strict_policy")
    complaints = watch_policy(context)
    user = get_user_model().objects.create_superuser("olga", "olga@contoso.example", "x")
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])
    yield page, site
    assert complaints == []


@pytest.fixture
def look(
    operator: tuple[Page, str],
    screenshot: Callable[[Page, str], Path],
    assert_accessible: Callable[[Page], None],
) -> Callable[..., None]:
    """`look(name)` judges the page, light and dark, and on a phone; keeps pictures."""

    def judge(name: str) -> None:
        page, _site = operator
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": 1280, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            screenshot(page, f"{name}-{scheme}")
            assert_accessible(page)
            assert page.evaluate(TOO_WIDE) == []
        page.set_viewport_size({"width": 390, "height": 844})
        screenshot(page, f"{name}-phone")
        assert_accessible(page)
        assert page.evaluate(TOO_WIDE) == []

    return judge


def hold_back(status: int, seconds: int) -> None:
    entry = {"status": status, "text": "", "until": timezone.now().timestamp() + seconds}
    DjangoHTTPCache().set(KEY, entry, seconds)
    make_error(
        kind=ErrorKind.THROTTLE,
        category="throttled",
        number=90055,
        resource=RESOURCES[0],
        throttle_key=KEY,
        throttle_until=timezone.now() + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize("count", [0, 1, 100_000])
def test_every_page_looks_right_and_can_be_used_by_all(
    operator: tuple[Page, str], look: Callable[[str], None], count: int
) -> None:
    page, site = operator
    people = make_people(min(count, 50) or 1)
    make_month(count, people)
    make_sign_ins(count, people)
    if count:
        hold_back(429, 290)
    pages = {"list": ERRORS, "throttles": f"{ERRORS}throttles/", "sign-ins": SIGN_INS}
    for name, path in pages.items():
        page.goto(site + path)
        look(name)


def test_long_names_and_addresses_fit_too(
    operator: tuple[Page, str], look: Callable[[str], None]
) -> None:
    page, site = operator
    person = get_user_model().objects.create(username="maximiliane.mustermann-" * 5 + "@x.example")
    number = {"number": 500121, "resource": "api://" + "a-rather-long-name-of-an-api." * 4}
    make_error(user=person, suberror="device_authentication_failed", count=4321, **number)
    make_sign_ins(1, [person])
    EntraSignIn.objects.update(contexts=[f"c{number}" for number in range(1, 26)])
    hold_back(429, 290)
    for name, path in {
        "list": ERRORS,
        "throttles": f"{ERRORS}throttles/",
        "sign-ins": SIGN_INS,
    }.items():
        page.goto(site + path)
        look(name)


def test_the_page_of_one_error(operator: tuple[Page, str], look: Callable[[str], None]) -> None:
    page, site = operator
    record = make_error(
        user=make_people(1)[0],
        claims=CLAIMS,
        correlation_id=GUID,
        tid=TENANTS[0],
        resource=RESOURCES[0],
        suberror="message_only",
        reason="blocked",
        count=3,
    )
    page.goto(f"{site}{ERRORS}{record.pk}/change/")
    look("detail")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("region", name="To copy").click()
    chosen = page.evaluate("getSelection().toString()")
    assert chosen.startswith("Error number: AADSTS53003")
    assert chosen.rstrip().endswith(CLAIMS)
    assert GUID in chosen


def test_from_the_overview_to_a_number_by_keyboard(operator: tuple[Page, str]) -> None:
    page, site = operator
    make_error()
    make_error(number=50076, category="interaction")
    page.goto(site + ERRORS)
    link = page.locator(".entra-overview").get_by_role("link", name="50076")
    link.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site}{ERRORS}?number=50076")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_letting_go_by_keyboard(operator: tuple[Page, str]) -> None:
    page, site = operator
    hold_back(429, 290)
    page.goto(site + ERRORS)
    page.get_by_role("link", name="Held back now").focus()
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Let one request through now")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The next request goes through").first).to_be_visible()
    expect(button).to_have_count(0)


def test_the_countdown_counts_the_very_seconds_without_script(
    operator: tuple[Page, str], browser: Any
) -> None:
    page, site = operator
    hold_back(429, 290)
    page.goto(f"{site}{ERRORS}throttles/")
    bits = page.locator(".entra-countdown").get_attribute("class") or ""
    expected = sum(int(name[10:]) for name in bits.split() if name.startswith("entra-bit-"))
    assert 270 < expected <= 290
    shown = """getComputedStyle(document.querySelector(".entra-countdown"), "::after")
        .getPropertyValue("--entra-seconds")"""
    first = int(page.evaluate(shown))
    assert expected - 15 <= first <= expected
    page.evaluate("document.getAnimations().forEach(one => { one.currentTime += 100000 })")
    assert first - 115 <= int(page.evaluate(shown)) <= first - 100


def test_signing_somebody_out(operator: tuple[Page, str], look: Callable[[str], None]) -> None:
    page, site = operator
    client = Client()
    sign_in(client, "alice")
    page.goto(site + SIGN_INS)
    page.get_by_role("row", name="alice").get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(label="Sign out everywhere")
    page.locator("button[name=index]").click()
    expect(page.get_by_role("heading", name="Sign out everywhere")).to_be_visible()
    look("confirm")
    page.get_by_role("link", name="No, take me back").click()
    expect(page).to_have_url(site + SIGN_INS)
    assert EntraSignIn.objects.count() == 1
    page.get_by_role("row", name="alice").get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(label="Sign out everywhere")
    page.locator("button[name=index]").click()
    button = page.get_by_role("button", name="Yes, I")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 sign-in was ended.")).to_be_visible()
    assert not EntraSignIn.objects.exists()
    assert not SessionStore(client.cookies["sessionid"].value).load()


def test_hostile_texts_run_nothing(operator: tuple[Page, str], context: BrowserContext) -> None:
    page, site = operator
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    person = get_user_model().objects.create(username=hostile)
    record = make_error(user=person, resource=hostile, claims=hostile, suberror=hostile[:32])
    for path in (ERRORS, f"{ERRORS}?q={hostile}", f"{ERRORS}{record.pk}/change/"):
        page.goto(site + path)
        assert page.locator("img[src=x]").count() == 0
    assert dialogs == []
