"""German words are longer: the pages hold them, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from django_entra_auth.exceptions import SignInFailed, TokenThrottled
from django_entra_auth.interaction import answers, pages
from django_entra_auth.interaction.caller import Caller
from tests.admin.making_rows import make_error, make_month, make_people, make_person, make_sign_ins
from tests.e2e.admin.test_admin_pages import TOO_WIDE
from tests.e2e.flows.looks import check_looks
from tests.site.urls import urlpatterns as site_urls

ADMIN = "/admin/django_entra_auth/"
NAME = "maximiliane.mustermann-vorderhuber@contoso-deutschland.example"
IDS = {
    "error": "x",
    "error_codes": [50105],
    "correlation_id": "6f2c1c1e-0000-4000-8000-000000000001",
}
OTHER_PAGES = {
    "signed_out": {"everywhere": True, "passwords_remain": True},
    "sign_out": {"username": NAME, "at_provider": True, "can_end_everywhere": True},
    "which_account": {
        "expected_username": NAME,
        "received_username": f"x.{NAME}",
        "can_try_again": True,
    },
    "already_signed_in": {"username": NAME},
    "not_kept": {"continue_url": "/", "message": "…"},
}


def show(request: HttpRequest, name: str) -> HttpResponse:
    """A page as it would be with somebody of a long name on it."""
    if name == "wait":
        return answers.wait(request, Caller.NAVIGATION, TokenThrottled(retry_after=600))
    if name in OTHER_PAGES:
        return pages.render_page(request, name, OTHER_PAGES[name])
    return pages.render_failure(request, SignInFailed(name, result=IDS))


urlpatterns = [path("show/<name>/", show), *site_urls]


@pytest.fixture(autouse=True)
def _german(settings: Any) -> None:
    settings.LANGUAGE_CODE = "de"
    settings.ROOT_URLCONF = __name__


@pytest.mark.parametrize("name", ["blocked", "admin_consent_needed", "wait", *OTHER_PAGES])
def test_a_page_for_people(
    name: str,
    site: str,
    page: Page,
    screenshot: Any,
    assert_accessible: Callable[[Page], None],
) -> None:
    page.goto(f"{site}/show/{name}/")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    check_looks(page, name, screenshot, assert_accessible)
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate(TOO_WIDE) == []


@pytest.fixture
def operator(site: str, context: BrowserContext, page: Page) -> Page:
    """A tab of an operator."""
    user = make_person("olga", is_superuser=True)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])
    return page


@pytest.mark.parametrize(
    "name", ["tokenerrorrecord/", "tokenerrorrecord/throttles/", "entrasignin/", "detail"]
)
def test_a_page_for_operators(
    name: str,
    site: str,
    operator: Page,
    screenshot: Any,
    assert_accessible: Callable[[Page], None],
) -> None:
    people = make_people(5)
    make_month(200, people)
    make_sign_ins(5, people)
    record = make_error(
        number=500121, throttle_key="a" * 64, throttle_until=timezone.now(), user=people[0]
    )
    where = f"tokenerrorrecord/{record.pk}/change/" if name == "detail" else name
    operator.goto(f"{site}{ADMIN}{where}")
    for width in (1280, 390):
        operator.set_viewport_size({"width": width, "height": 900})
        screenshot(operator, f"{width}")
        assert operator.evaluate(TOO_WIDE) == []
    assert_accessible(operator)
