"""The page of a kept form: shows without using up, sends on once, and refuses in words."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from django_entra_auth.interaction.browser import LOOPBACK_COOKIE
from django_entra_auth.interaction.resume_pages import NOT_KEPT, REFUSALS
from django_entra_auth.interaction.sent_form import URL_ENCODED, NotKept
from tests.interaction import resume_site
from tests.interaction.kept_forms import DOWN, THEIRS
from tests.visitor import make_client, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.interaction.resume_site")]

FIELDS = [("b", "1"), ("a", "2"), ("b", "3"), ("empty", ""), ("text", "<b>\"one'\r\ntwo & ü ☃")]
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


@pytest.fixture(autouse=True)
def _nothing_taken() -> None:
    resume_site.taken.clear()


def sign_in(client: Client, username: str = "alice") -> Client:
    user, _ = get_user_model().objects.get_or_create(username=username)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def client() -> Client:
    return sign_in(make_client(enforce_csrf_checks=True))


def post(client: Client, url: str, fields: list[tuple[str, str]]) -> Any:
    return client.post(url, urlencode(fields), content_type=URL_ENCODED)


def csrf(page: Any) -> tuple[str, str]:
    return re.findall(r'name="?(csrfmiddlewaretoken)"? value="([^"]+)"', page.content.decode())[-1]


def keep(client: Client, fields: list[tuple[str, str]] = FIELDS) -> str:
    """Send a form that is interrupted; the address of its page."""
    page = client.get("/form/")
    answer = post(client, "/take/?from=form", [csrf(page), *fields])
    assert answer.status_code == 200, answer.content
    return answer.content.decode().partition("url=")[2].partition('"')[0]


def inputs(page: Any) -> list[tuple[str, str]]:
    """The hidden fields of a page, as a browser sends them."""
    found = HIDDEN.findall(page.content.decode())
    return [(unescape(name), unescape(value)) for name, value in found]


def test_the_page_shows_what_will_be_sent(client: Client) -> None:
    page = client.get(keep(client))
    assert page.status_code == 200
    assert inputs(page)[-len(FIELDS) :] == FIELDS
    assert [name for name, _ in inputs(page)].count("csrfmiddlewaretoken") == 1
    text = text_of(page)
    for word in ("What will be sent", "&lt;b&gt;", "ü ☃", "(empty)", "Send"):
        assert word in text
    assert 'href="/take/?from=form"' in page.content.decode()


def test_sending_is_a_redirect_that_keeps_method_and_body(client: Client) -> None:
    url = keep(client)
    page = client.get(url)
    assert client.get(url).content  # looking twice uses nothing up
    answer = post(client, url, inputs(page))
    assert (answer.status_code, answer["Location"]) == (307, "/take/?from=form")
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "strict-origin"
    assert answer.content == b""
    again = post(client, answer["Location"], inputs(page))
    assert again.status_code == 200
    sent = {name: [v for n, v in FIELDS if n == name] for name, _ in FIELDS}
    assert {k: v for k, v in again.json()["fields"].items() if "csrf" not in k} == sent


def test_it_is_sent_once_and_the_second_click_loses_nothing(client: Client) -> None:
    url = keep(client)
    fields = inputs(client.get(url))
    assert post(client, url, fields).status_code == 307
    second = post(client, url, fields)
    assert second.status_code == 410
    text = text_of(second)
    assert "already sent" in text
    assert "What you have just sent" in text
    assert "ü ☃" in text
    assert dict(fields)["csrfmiddlewaretoken"] not in second.content.decode()
    assert client.get(url).status_code == 410


def test_without_a_csrf_token_nothing_is_sent_or_used_up(client: Client) -> None:
    url = keep(client)
    assert post(client, url, FIELDS).status_code == 403
    assert client.get(url).status_code == 200


def test_sensitive_fields_are_named_and_nowhere_else(client: Client) -> None:
    page = client.get(keep(client, [("card", "4111222"), ("note", "hi"), ("password", "s3cret")]))
    body = page.content.decode()
    assert "typed again" in body
    assert '<li dir="auto">card</li>' in body
    assert '<li dir="auto">password</li>' in body
    assert "4111222" not in body
    assert "s3cret" not in body
    assert [name for name, _ in inputs(page)] == ["csrfmiddlewaretoken", "note"]


def test_a_form_of_sensitive_fields_alone_cannot_be_sent(client: Client) -> None:
    page = client.get(keep(client, [("card", "4111222")]))
    assert "<button" not in page.content.decode()
    assert "fill it in again" in text_of(page)


def test_a_form_that_is_only_a_button_can_be_sent(client: Client) -> None:
    url = keep(client, [])
    page = client.get(url)
    assert "<button" in page.content.decode()
    assert "What will be sent" not in text_of(page)
    assert post(client, url, inputs(page)).status_code == 307


def test_long_values_are_shortened_for_the_eye_alone(client: Client) -> None:
    page = client.get(keep(client, [("text", "é" * 5000)]))
    assert inputs(page)[-1] == ("text", "é" * 5000)
    assert "shortened here" in text_of(page)
    assert text_of(page).count("é") == 200


def test_many_fields_are_folded(client: Client) -> None:
    many = [(f"field-{number}", str(number)) for number in range(200)]
    page = client.get(keep(client, many))
    assert inputs(page)[-200:] == many
    assert '<details class="entra-fields">' in page.content.decode()
    assert "(200)" in text_of(page)


@pytest.mark.parametrize("reason", ["shown", "expired"])
def test_its_pages_cannot_be_framed_or_stored(client: Client, reason: str) -> None:
    page = client.get(keep(client) if reason == "shown" else "/resume/unknown/")
    assert "no-store" in page["Cache-Control"]
    assert page["X-Frame-Options"] == "DENY"
    assert page["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert "form-action 'self'" in page["Content-Security-Policy"]
    for word in ("<script", "<style", "style=", "onclick", "http-equiv"):
        assert word not in page.content.decode()


def is_refused(page: Any, reason: str) -> bool:
    refusal = REFUSALS[reason]
    assert page.status_code == refusal.status, page.content
    assert 'href="/"' in page.content.decode()
    return str(refusal.title) in text_of(page)


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_form_is_refused(client: Client, method: str) -> None:
    token = [csrf(client.get("/form/"))]
    page = client.get("/resume/abc/") if method == "get" else post(client, "/resume/abc/", token)
    assert is_refused(page, "expired")


def test_another_person_is_refused_and_sees_nothing(client: Client) -> None:
    url = keep(client)
    other = sign_in(make_client(), "bob")
    other.cookies[LOOPBACK_COOKIE] = client.cookies[LOOPBACK_COOKIE].value
    page = other.get(url)
    assert is_refused(page, "elsewhere")
    assert "☃" not in page.content.decode()
    assert other.post(url).status_code == 403
    assert client.get(url).status_code == 200


def test_another_browser_is_refused(client: Client) -> None:
    url = keep(client)
    client.cookies[LOOPBACK_COOKIE] = THEIRS
    assert is_refused(client.get(url), "elsewhere")
    del client.cookies[LOOPBACK_COOKIE]
    assert is_refused(client.get(url), "elsewhere")


def test_another_session_of_the_same_browser_is_refused(client: Client) -> None:
    url = keep(client)
    other = sign_in(make_client())
    other.cookies[LOOPBACK_COOKIE] = client.cookies[LOOPBACK_COOKIE].value
    page = other.get(url)
    assert is_refused(page, "not_granted")
    assert f'href="{url}"' in page.content.decode()


def test_nobody_is_refused(client: Client) -> None:
    url = keep(client)
    stranger = make_client()
    assert is_refused(stranger.get(url), "elsewhere")


def test_what_was_posted_too_late_is_shown_for_copying(client: Client) -> None:
    page = post(client, "/resume/gone/", [csrf(client.get("/form/")), *FIELDS])
    assert is_refused(page, "expired")
    assert "ü ☃" in text_of(page)
    assert "<b>" not in page.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_outage_is_a_page_with_a_way_back(client: Client, method: str) -> None:
    url = keep(client)
    fields = inputs(client.get(url))
    with override_settings(CACHES=DOWN):
        page = client.get(url) if method == "get" else post(client, url, fields)
    assert is_refused(page, "cache_down")
    assert int(page["Retry-After"]) > 0
    assert f'href="{url}"' in page.content.decode()
    assert post(client, url, fields).status_code == 307


def test_every_reason_has_words() -> None:
    assert set(NOT_KEPT) == set(NotKept)
    assert "files" in str(NOT_KEPT[NotKept.FILES])
