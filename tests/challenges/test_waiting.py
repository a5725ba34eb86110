"""Trouble that passes, and faults of the configuration, for every kind of caller."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client

from django_entra_auth.emulator.faults import Fault
from tests.challenges.asking import (
    BY_NAME,
    CALLERS,
    HTML,
    KINDS,
    Caller,
    Walker,
    find_continue,
)
from tests.visitor import text_of

NAVIGATION, FORM, FETCH = BY_NAME["navigation"], BY_NAME["form"], BY_NAME["fetch"]
PRIVATE = "max-age=0, no-cache, no-store, must-revalidate, private"
PAGES = {"navigation", "form", "frame", "htmx", "htmx-form"}


def check_wait(answer: Any, caller: Caller, seconds: range) -> None:
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) in seconds
    assert answer["Cache-Control"] == PRIVATE
    is_page = caller.kind in PAGES
    assert answer["Content-Type"].startswith("text/html" if is_page else "application/json")
    html = answer.content.decode()
    assert 'http-equiv="refresh"' not in html, "people read at their own pace"
    assert ('href="/token/"' in html) is (caller.kind == "navigation")
    if not is_page:
        assert answer.json()["error"] == "temporarily_unavailable"


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_throttled(caller: Caller, walker: Walker, done: Any, prompts: Any) -> None:
    walker.entra.faults.throttle(40)
    check_wait(walker.ask(caller, "/token/"), caller, range(30, 41))
    before = walker.count("/token")
    check_wait(walker.ask(caller, "/token/"), caller, range(20, 41))
    assert walker.count("/token") == before
    assert (done, prompts) == ([], [])
    assert walker.is_signed_in()


@pytest.mark.parametrize("caller", KINDS, ids=str)
@pytest.mark.parametrize("outage", ["500", "503", "html", "reset"])
def test_down(outage: Any, caller: Caller, walker: Walker, done: Any, prompts: Any) -> None:
    walker.entra.faults.outage(outage)
    check_wait(walker.ask(caller, "/token/"), caller, range(1, 61))
    assert (done, prompts) == ([], [])
    assert walker.is_signed_in()


@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_the_cache_is_down(
    caller: Caller, walker: Walker, settings: Any, done: Any, prompts: Any
) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1/0"}}
    check_wait(walker.ask(caller, "/token/"), caller, range(1, 61))
    assert prompts == []
    assert walker.is_signed_in()


def test_a_token_that_is_still_valid_serves(walker: Walker, done: Any) -> None:
    assert walker.ask(NAVIGATION, "/token/").content == b"Done"
    walker.entra.faults.outage("503")
    assert walker.ask(NAVIGATION, "/token/").content == b"Done"


REJECTED = {
    "error": "invalid_client",
    "error_description": "AADSTS7000215: Invalid client secret provided: s3cr3t-t3xt <b>x</b>.",
    "error_codes": [7000215],
    "correlation_id": "11111111-2222-4333-8444-555555555555",
    "trace_id": "66666666-7777-4888-8999-aaaaaaaaaaaa",
}


def reject_client(walker: Walker) -> None:
    fault = Fault(401, json.dumps(REJECTED), {"Content-Type": "application/json"})
    walker.entra.faults.add("token", fault, times=None)


@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_a_rejected_configuration(
    caller: Caller, walker: Walker, done: Any, prompts: Any, caplog: Any
) -> None:
    walker.client.raise_request_exception = False
    reject_client(walker)
    answer = walker.ask(caller, "/token/")
    assert answer.status_code == 500
    assert answer["Cache-Control"] == PRIVATE
    shown = answer.content.decode()
    for internal in ("s3cr3t", "secret", "invalid_client", "client", "Traceback", "<b>"):
        assert internal not in shown
    assert "AADSTS7000215" in shown
    assert REJECTED["correlation_id"] in shown
    assert (done, prompts) == ([], [])
    assert walker.is_signed_in()
    assert any(record.levelname == "ERROR" for record in caplog.records)
    assert "s3cr3t" not in caplog.text


def test_after_it_was_mended_the_persons_click_goes_on(walker: Walker, done: Any) -> None:
    reject_client(walker)
    page = walker.ask(NAVIGATION, "/token/")
    walker.entra.faults.clear()
    assert page.context["retry_url"]
    assert walker.ask(NAVIGATION, "/token/").content == b"Done"


@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_entra_cannot_even_be_asked(
    caller: Caller, walker: Walker, done: Any, settings: Any, entra: Any
) -> None:
    """Nothing of the provider is known, and discovery is down: a page, or JSON, and 503."""
    entra.faults.outage("503", endpoint="discovery")
    caches["default"].clear()
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "DOMAIN_HINT": "another.example"}  # starts anew
    answer = walker.ask(caller, "/token/")
    if caller.kind in {"htmx-form", "frame", "script"}:
        # An address of this site: the trouble shows when it is opened.
        answer = walker.visit(walker.find_login(caller, answer))
    if caller.kind == "htmx-form":
        answer = walker.visit(find_continue(answer))
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer["Cache-Control"] == PRIVATE
    assert "cannot be reached" in text_of(answer)
    assert done == []
    entra.faults.clear()
    again = walker.visit(answer.context["retry_url"])["Location"]
    landed = walker.deliver(walker.answer(again))
    assert walker.repeat(caller, "/token/", landed).content == b"Done"


def test_a_long_wait_is_told_in_minutes(walker: Walker) -> None:
    walker.entra.faults.throttle(250)
    answer = walker.ask(NAVIGATION, "/token/")
    assert "Please try again after 5 minutes" in text_of(answer)
    assert 'data-entra-seconds="300"' in answer.content.decode()


def test_a_wait_page_never_leads_to_another_host(walker: Walker, settings: Any) -> None:
    """A view that takes any path sees "//evil.example/" as a path of this site."""
    settings.ROOT_URLCONF = "tests.challenges.site_of_any_path"
    walker.entra.faults.throttle(40)
    answer = walker.client.get("/", headers=HTML, PATH_INFO="//evil.example/x")
    assert answer.status_code == 503
    assert answer.context["retry_url"] == "/%2Fevil.example/x"


def test_throttled_while_nobody_is_signed_in(entra: Any, site: Any, db: None) -> None:
    entra.faults.throttle(40)
    assert Client(HTTP_HOST="127.0.0.1:8000").get("/token/", headers=HTML).status_code == 302


def test_the_wait_page_says_what_it_does(walker: Walker) -> None:
    walker.entra.faults.throttle(40)
    for caller in (NAVIGATION, FORM):
        text = text_of(walker.ask(caller, "/token/"))
        assert "You are still signed in." in text
        assert "Please try again after 45 seconds" in text
        assert ("Back button" in text) is (caller is FORM)
    assert walker.ask(FETCH, "/token/").json()["error"] == "temporarily_unavailable"
