"""Input that means harm: in the query, in sealed addresses, in headers, and in claims."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_entra_auth.conf import get_settings
from django_entra_auth.interaction.requirement import Requirement
from django_entra_auth.interaction.state import LOGIN_URL, Flow, seal_flow
from tests.challenges.asking import (
    BY_NAME,
    FRAMED,
    HTML,
    HTMX,
    NAVIGATE,
    PAGE,
    SCRIPTED,
    Caller,
    Walker,
    claims_of,
    make_walker,
)
from tests.challenges.sources import BY_NAME as SOURCES
from tests.challenges.sources import refuse_refresh
from tests.visitor import SITE, query_of, text_of

NAVIGATION, FETCH, FORM = BY_NAME["navigation"], BY_NAME["fetch"], BY_NAME["form"]
EVIL = {"access_token": {"evil": None}}


@pytest.fixture
def challenged(walker: Walker) -> Walker:
    SOURCES["context"].arrange(walker)
    return walker


def login_url(walker: Walker) -> str:
    return str(walker.ask(FETCH, "/context/").json()["login_url"])


def replace_challenge(url: str, sealed: str) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return f"/auth/login/?{urlencode({**query, 'challenge': sealed})}"


def challenge_in(url: str) -> str:
    return query_of(url)["challenge"]


def aged_url(walker: Walker, seconds: int) -> str:
    """An address as this browser got it some time ago."""
    claims = walker.client.session["_entra"]["claims"]
    flow = Flow(
        redirect_uri=f"{SITE}/auth/callback",
        next_url="/page/",
        expected=f"{claims['oid']}.{claims['tid']}",
        requirement=Requirement(auth_context="c1"),
    )
    sealed, _ = seal_flow(
        flow,
        walker.client.cookies["entra_browser"].value,
        get_settings(),
        purpose=LOGIN_URL,
        clock=lambda: time.time() - seconds,
    )
    return f"/auth/login/?{urlencode({'next': '/page/', 'challenge': sealed})}"


class TestQuery:
    @pytest.mark.parametrize("path", ["/context/", "/token/", "/auth/login/"])
    def test_nothing_there_reaches_entra(self, challenged: Walker, path: str) -> None:
        hostile = {
            "claims": json.dumps(EVIL), "scope": "Evil.All", "scopes": "Evil.All",
            "prompt": "consent", "login_hint": "mallory@evil.example", "domain_hint": "evil",
            "redirect_uri": "https://evil.example/", "max_age": "0", "auth_context": "c9",
            "response_mode": "query", "nonce": "evil", "state": "evil", "tenant": "evil",
            "reason": "evil", "resume": "evil", "expected": "evil",
        }  # fmt: skip
        walker = challenged
        if path == "/token/":
            refuse_refresh(walker, error="interaction_required")
        if path == "/auth/login/":
            walker = make_walker(challenged.entra)
            hostile["next"] = "/private/"
        answer = walker.client.get(path, hostile, headers=NAVIGATE)
        asked = query_of(answer["Location"])
        assert "evil" not in answer["Location"].lower().replace(asked["state"].lower(), "")
        assert "max_age" not in asked
        assert asked["response_mode"] == "form_post"

    def test_a_posted_form_cannot_either(self, challenged: Walker) -> None:
        token = challenged.client.cookies["csrftoken"].value
        fields = {"account": "same", "claims": json.dumps(EVIL), "prompt": "consent"}
        headers = {"X-CSRFToken": token}
        answer = challenged.client.post("/auth/login/", fields, headers=headers)
        asked = query_of(answer.context["continue_url"])
        assert "evil" not in asked["claims"]
        assert "prompt" not in asked


class TestSealedAddress:
    def test_as_it_came_it_opens(self, challenged: Walker) -> None:
        prompt = challenged.visit(login_url(challenged))
        assert "id_token" in claims_of(prompt["Location"])

    def refused(self, walker: Walker, url: str, next_url: str = "/page/") -> None:
        """Only `next` is left of it: someone who is signed in is told so."""
        answer = walker.visit(url)
        assert answer.status_code == 403
        assert "You are signed in" in text_of(answer)
        assert answer.context["next_url"].startswith(next_url)

    def test_altered_it_is_refused(self, challenged: Walker) -> None:
        url = login_url(challenged)
        sealed = challenge_in(url)
        for place in range(0, len(sealed), 37):
            other = "A" if sealed[place] != "A" else "B"
            altered = sealed[:place] + other + sealed[place + 1 :]
            self.refused(challenged, replace_challenge(url, altered))
        for odd in (sealed[:-1], sealed + "A", "", "x" * 5000, "é", "\x00"):
            self.refused(challenged, replace_challenge(url, odd))

    def test_aged_it_is_refused(self, challenged: Walker) -> None:
        assert "id_token" in claims_of(challenged.visit(aged_url(challenged, 3590))["Location"])
        self.refused(challenged, aged_url(challenged, 3610))

    def test_of_another_browser_it_is_refused(self, challenged: Walker) -> None:
        url = login_url(challenged)
        other = make_walker(challenged.entra)
        other.sign_in()
        self.refused(other, url)
        stranger = make_walker(challenged.entra).visit(url)
        assert "id_token" not in claims_of(stranger["Location"])

    def test_without_the_browser_cookie_it_is_refused(self, challenged: Walker) -> None:
        url = login_url(challenged)
        del challenged.client.cookies["entra_browser"]
        self.refused(challenged, url)

    def test_of_another_person_in_the_same_browser_it_is_refused(self, challenged: Walker) -> None:
        url = login_url(challenged)
        browser = challenged.client.cookies["entra_browser"].value
        other = make_walker(challenged.entra, person="erin")
        other.sign_in()
        other.client.cookies["entra_browser"] = browser
        self.refused(other, url)

    def test_after_a_sign_out_it_is_refused(self, challenged: Walker) -> None:
        url = login_url(challenged)
        token = challenged.client.cookies["csrftoken"].value
        challenged.client.post("/auth/logout/", headers={"X-CSRFToken": token})
        prompt = challenged.visit(url)
        assert "id_token" not in claims_of(prompt["Location"])
        assert "login_hint" not in query_of(prompt["Location"])

    def test_a_state_is_no_challenge_and_a_challenge_no_state(self, challenged: Walker) -> None:
        url = login_url(challenged)
        prompt = challenged.visit(url)["Location"]
        self.refused(challenged, replace_challenge(url, query_of(prompt)["state"]))
        answer = challenged.answer(prompt)
        answer.fields["state"] = challenge_in(url)
        page = challenged.deliver(answer)
        assert (page.status_code, "cannot be continued" in text_of(page)) == (400, True)

    def test_a_next_beside_it_changes_nothing(self, challenged: Walker) -> None:
        url = login_url(challenged).replace("%2Fpage%2F", "%2Fprivate%2F")
        prompt = challenged.visit(url)["Location"]
        landed = challenged.deliver(challenged.answer(prompt))
        assert landed["Location"] == PAGE


HOSTILE_URLS = [
    "https://evil.example/page/",
    "http://127.0.0.1:8001/page/",
    "https://127.0.0.1:8000/page/",
    "http://127.0.0.1:8000.evil.example/page/",
    "http://127.0.0.1:8000@evil.example/page/",
    "http://evil.example@127.0.0.1:8000/page/",
    "//evil.example/page/",
    "http://127.0.0.1:8000//evil.example/",
    "http://127.0.0.1:8000/\\evil.example/",
    "http://127.0.0.1:8000/%2fevil.example/",
    "http://127.0.0.1:8000/%5Cevil.example/",
    "javascript:alert(1)",
    "http://127.0.0.1:8000/auth/logout/",
    "http://127.0.0.1:8000/x/../auth/logout/",
    "http://[::1",
    "/page/",
]


class TestWayBack:
    @pytest.mark.parametrize("url", HOSTILE_URLS)
    @pytest.mark.parametrize("kind", ["htmx", "script", "frame"])
    def test_only_pages_of_this_site_are_gone_back_to(
        self, challenged: Walker, kind: str, url: str
    ) -> None:
        headers = {
            "htmx": {**SCRIPTED, "HX-Request": "true", "HX-Current-URL": url},
            "script": {**SCRIPTED, "Referer": url},
            "frame": {**FRAMED, "Referer": url},
        }[kind]
        caller = Caller("hostile", kind, headers)
        answer = challenged.ask(caller, "/context/")
        prompt = challenged.find_prompt(caller, answer)
        landed = challenged.deliver(challenged.answer(prompt))
        assert landed["Location"] == "/context/"

    @pytest.mark.parametrize("url", HOSTILE_URLS)
    def test_what_was_posted_goes_back_to_the_start_page(
        self, challenged: Walker, url: str
    ) -> None:
        headers = {**SCRIPTED, "Referer": url}
        caller = Caller("hostile", "script", headers, "POST", "application/json")
        prompt = challenged.find_prompt(caller, challenged.ask(caller, "/context/"))
        landed = challenged.deliver(challenged.answer(prompt))
        assert landed["Location"] == "/"

    @pytest.mark.parametrize(
        "url", ["/auth/login/?next=//evil.example/", "/auth/login/?next=https://evil.example/"]
    )
    def test_login_neither(self, url: str, entra: Any, site: Any, db: None) -> None:
        walker = make_walker(entra)
        landed = walker.deliver(walker.answer(walker.visit(url)["Location"]))
        assert landed["Location"] == "/"


SAFE = hypothesis_settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SAFE
@given(st.text(max_size=200), st.text(max_size=60), st.sampled_from(["htmx", "fetch", "form"]))
def test_no_header_breaks_the_answer(walker: Walker, url: str, accept: str, kind: str) -> None:
    headers = {
        "Accept": accept.encode("latin-1", "ignore").decode("latin-1"),
        "Referer": url.encode().decode("latin-1"),
        "HX-Current-URL": SITE + url.encode().decode("latin-1"),
        "Sec-Fetch-Mode": accept[:20],
    }
    headers.update(HTMX if kind == "htmx" else {})
    answer = walker.client.get("/context/", headers=headers)
    assert answer.status_code in {200, 302, 401}


def test_cross_site_posts_are_refused(challenged: Walker) -> None:
    """Nothing is kept of a form that Django's CSRF check has not let through."""
    client = challenged.client
    before = client.session.get("_entra_forms")
    headers = {**HTML, "Origin": "https://evil.example"}
    for path in ("/context/", "/auth/login/", "/auth/logout/"):
        answer = client.post(path, {"amount": "1", "account": "other"}, headers=headers)
        assert answer.status_code == 403, path
    assert client.session.get("_entra_forms") == before
    assert challenged.is_signed_in()


def test_a_kept_form_of_another_flow_is_refused(challenged: Walker, done: Any) -> None:
    """Each flow opens the form it has kept, and no other."""
    first = challenged.find_prompt(FORM, challenged.ask(FORM, "/context/"))
    second = challenged.find_prompt(FORM, challenged.ask(FORM, "/context/?again"))
    landed = challenged.deliver(challenged.answer(second))
    mine = landed["Location"]
    [other] = [
        f"/auth/resume/{name}/"
        for name in challenged.client.session["_entra_forms"]
        if name not in mine
    ]
    page = challenged.visit(other)
    assert page.status_code == 403
    assert "2 & 3" not in text_of(page)
    assert challenged.send_on(mine).content == b"Done"
    landed = challenged.deliver(challenged.answer(first))
    assert landed["Location"] == other
    assert challenged.send_on(other).content == b"Done"
    assert len(done) == 2


def test_a_kept_form_opens_for_nobody_else(challenged: Walker) -> None:
    prompt = challenged.find_prompt(FORM, challenged.ask(FORM, "/context/"))
    resume_url = challenged.deliver(challenged.answer(prompt))["Location"]
    other = make_walker(challenged.entra, person="erin")
    other.sign_in()
    for client in (other.client, Client(HTTP_HOST="127.0.0.1:8000")):
        page = client.get(resume_url)
        assert page.status_code in {403, 404}
        assert "2 &amp; 3" not in page.content.decode()
