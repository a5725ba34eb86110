"""A kept form in a real browser: shown, sent on by a 307 that passes Django's CSRF check, once."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from django_entra_auth.emulator.policies import Policy
from tests.e2e.flows.looks import check_looks
from tests.e2e.support import (
    count_prompts,
    expect_heading,
    form_post_only,
    pass_mfa,
    press,
    sign_out,
    watch_policy,
    with_middleware,
)
from tests.e2e.support import sign_in as sign_in_at_entra
from tests.interaction import resume_site
from tests.site import challenges

FIELDS = [
    *[(f"field-{number % 150}", f"value {number} é") for number in range(200)],
    ("empty", ""),
    ("text", "one\r\n<b>\"two\"</b> & 'three'\r\n"),
    ("日本", "☃ 👩‍💻 \u202eabc"),
]
FILL = """fields => {
  for (const [name, value] of fields) {
    const area = document.createElement("textarea");
    area.name = name;
    area.value = value;
    document.forms[0].append(area);
  }
}"""


@pytest.fixture(autouse=True)
def settings(settings: Any) -> Any:
    settings.ROOT_URLCONF = "tests.interaction.resume_site"
    settings.MIDDLEWARE = with_middleware(settings, "strict_policy")
    resume_site.taken.clear()
    return settings


@pytest.fixture(params=["http", "https"])
def origin(request: pytest.FixtureRequest, settings: Any) -> str:
    """The site's address, over both schemes: Django checks more over https."""
    return str(request.getfixturevalue("site" if request.param == "http" else "https_site"))


def sign_in(context: BrowserContext, origin: str) -> None:
    client = Client()
    user = get_user_model().objects.create(username="alice")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": origin}]
    )


def interrupt(page: Page, origin: str, fields: list[tuple[str, str]]) -> None:
    """Send a form that is kept; waits for its page."""
    page.goto(f"{origin}/form/")
    page.evaluate(FILL, fields)
    press(page, "Go")
    expect_heading(page, "Your form was kept")


def send(page: Page) -> None:
    page.get_by_role("button", name="Send").click()


def without_token(body: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(body, keep_blank_values=True)
    return [(name, value) for name, value in pairs if name != "csrfmiddlewaretoken"]


def test_each_field_arrives_once_and_as_it_was(origin, https_context, assert_accessible):
    complaints = watch_policy(https_context)
    sign_in(https_context, origin)
    page = https_context.new_page()
    interrupt(page, origin, FIELDS)
    assert_accessible(page)
    expect(page.get_by_text("What will be sent (203)")).to_be_visible()
    page.reload()
    send(page)
    expect(page).to_have_url(f"{origin}/take/?from=form")
    got = json.loads(page.inner_text("pre"))["fields"]
    assert got["日本"] == ["☃ 👩‍💻 \u202eabc"]
    (taken,) = resume_site.taken
    assert without_token(taken["body"]) == FIELDS
    assert taken["body"].count("csrfmiddlewaretoken") == 1
    assert taken["origin"] == origin
    assert complaints == []


def test_the_way_back_does_not_send_it_again(site, context):
    sign_in(context, site)
    page = context.new_page()
    interrupt(page, site, [("note", "hi")])
    url = page.url
    send(page)
    expect(page).to_have_url(f"{site}/take/?from=form")
    page.goto(url)
    expect_heading(page, "This form was already sent")
    assert len(resume_site.taken) == 1


def test_an_impatient_double_click_sends_it_once_and_loses_nothing(site, context):
    sign_in(context, site)
    page = context.new_page()
    interrupt(page, site, [("note", "hi there")])
    page.get_by_role("button", name="Send").dblclick(no_wait_after=True)
    expect(page.get_by_text("hi there")).to_be_visible()
    page.wait_for_load_state()
    assert len(resume_site.taken) <= 1


def test_back_to_the_page_sends_nothing(site, context):
    sign_in(context, site)
    page = context.new_page()
    interrupt(page, site, [("note", "hi")])
    press(page, "Back to the page without sending")
    expect_heading(page, "Take")
    page.go_back()
    send(page)
    expect(page).to_have_url(re.compile("/take/"))
    assert len(resume_site.taken) == 1


@pytest.mark.parametrize("name", ["shown", "refused", "folded"])
def test_its_pages_look_right(site, context, name, screenshot, assert_accessible):
    sign_in(context, site)
    page = context.new_page()
    fields = [
        ("Recipient", "Müller & Söhne"), ("note", "long " * 100 + "\nsecond line"), ("empty", ""),
        ("card", "4111"), ("x" * 60, "y" * 300),
    ]  # fmt: skip
    interrupt(page, site, FIELDS if name == "folded" else fields)
    if name == "refused":
        url = page.url
        other = context.new_page()
        other.goto(url)
        send(other)
        expect(other).to_have_url(re.compile("/take/"))
        send(page)
        expect_heading(page, "This form was already sent")
    check_looks(page, f"resume-{name}", screenshot, assert_accessible)


# The whole way, through a prompt of Entra


@pytest.fixture
def challenges_site(serve: Any, mode: str) -> str:
    challenges.received.clear()
    return str(serve(ROOT_URLCONF="tests.site.urls_challenges", RESPONSE_MODE=mode))


def submit(page: Page, url: str) -> None:
    page.goto(url)
    page.evaluate(FILL, FIELDS)
    send(page)


def expected() -> dict[str, list[str]]:
    pairs = [("amount", "12"), ("note", ""), *FIELDS]
    return {name: [v for n, v in pairs if n == name] for name, _ in pairs}


def test_a_form_that_needs_a_step_up_arrives_complete_and_once(challenges_site, entra, context):
    entra.policies.add(Policy(name="c1", control="mfa", context="c1"))
    complaints = watch_policy(context)
    page = context.new_page()
    sign_in_at_entra(page, f"{challenges_site}/private/")
    before = count_prompts(entra)
    submit(page, f"{challenges_site}/late-step-up/")
    pass_mfa(page)
    expect_heading(page, "Your form was kept")
    assert challenges.received == []
    send(page)
    expect(page).to_have_url(f"{challenges_site}/late-step-up/")
    expect(page.locator("pre")).to_be_visible()
    assert challenges.received == [expected()]
    assert count_prompts(entra) == before + 1
    assert complaints == []


@form_post_only
def test_a_form_in_a_second_tab_still_posts_after_the_step_up(challenges_site, entra, context):
    first, second = context.new_page(), context.new_page()
    sign_in_at_entra(first, f"{challenges_site}/private/")
    second.goto(f"{challenges_site}/late-step-up/")
    second.get_by_role("textbox").last.fill("second tab")
    submit(first, f"{challenges_site}/late-step-up/")
    expect_heading(first, "Your form was kept")
    send(second)
    expect(second.locator("pre")).to_be_visible()
    assert challenges.received == [{"amount": ["12"], "note": ["second tab"]}]


@form_post_only
def test_a_kept_form_is_gone_after_a_sign_out(challenges_site, entra, context):
    page = context.new_page()
    sign_in_at_entra(page, f"{challenges_site}/private/")
    submit(page, f"{challenges_site}/late-step-up/")
    expect_heading(page, "Your form was kept")
    url = page.url
    assert any(":form:" in key for key in cache._cache)
    sign_out(page, challenges_site, entra)
    assert not any(":form:" in key for key in cache._cache)
    page.goto(url)
    expect_heading(page, "This form is no longer here")
