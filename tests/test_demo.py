"""The demo's Conditional Access page in-process: switching, and a local Entra that is off."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.test import Client

from demo_project import local_entra
from demo_project.cases import CASES
from demo_project.prompts import find_prompt
from django_entra_auth.emulator.policies import Policy
from django_entra_auth.testing import sign_in

ORIGIN = "http://localhost:8400"
AUTHORIZE = (
    f"{ORIGIN}/tenant/oauth2/v2.0/authorize?state=secret&scope=openid+Mail.Read"
    "&claims=%7B%22a%22%3A1%7D&prompt=login&max_age=0"
)


class TestFindPrompt:
    def test_redirect(self):
        prompt = find_prompt(HttpResponseRedirect(AUTHORIZE), ORIGIN)
        assert prompt is not None
        assert (prompt.state, prompt.scopes, prompt.claims) == ("secret", "Mail.Read", '{"a":1}')
        assert (prompt.prompt, prompt.max_age) == ("login", "0")

    def test_htmx(self):
        response = HttpResponse(headers={"HX-Redirect": AUTHORIZE})
        prompt = find_prompt(response, ORIGIN)
        assert prompt is not None
        assert "HX-Redirect" in prompt.how

    def test_page_that_moves_on(self):
        url = AUTHORIZE.replace("&", "&amp;")
        page = f'<meta http-equiv="refresh" content="0;url={url}">'
        prompt = find_prompt(HttpResponse(page), ORIGIN)
        assert prompt is not None
        assert prompt.scopes == "Mail.Read"

    @pytest.mark.parametrize(
        "response",
        [
            HttpResponse("nothing"),
            HttpResponseRedirect("/profile/"),
            HttpResponseRedirect(f"{ORIGIN}/tenant/oauth2/v2.0/logout"),
            HttpResponseRedirect(AUTHORIZE.replace("8400", "84001")),
            StreamingHttpResponse([b"x"]),
        ],
    )
    def test_anything_else(self, response):
        assert find_prompt(response, ORIGIN) is None


def test_people_are_known_by_their_user_names():
    assert local_entra.find_short_name("Alice@contoso.example") == "alice"
    assert local_entra.find_short_name("nobody@contoso.example") is None


@pytest.mark.parametrize("key", [key for key, case in CASES.items() if case.policy])
def test_policies_are_ones_the_local_entra_takes(key):
    policy = dict(CASES[key].policy or {})
    policy["scopes"] = frozenset(policy["scopes"]) if "scopes" in policy else None
    assert Policy(**policy, people=frozenset({"alice"})).name


@pytest.fixture
def demo_site(entra_settings: Any, db: None) -> Any:
    """The demo's addresses and templates, on the tests' settings."""
    entra_settings.ROOT_URLCONF = "demo_project.urls"
    folder = Path(__file__).resolve().parents[1] / "templates"
    entra_settings.TEMPLATES = [{**entra_settings.TEMPLATES[0], "DIRS": [folder]}]
    *others, ours = entra_settings.MIDDLEWARE
    entra_settings.MIDDLEWARE = [*others, "demo_project.timeline.watch", ours]
    return entra_settings


@pytest.fixture
def alice(demo_site: Any) -> Client:
    client = Client(headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    sign_in(client, claims={"tid": demo_site.ENTRA_AUTH["AUTHORITY"].rpartition("/")[2]})
    return client


class TestSwitching:
    def test_concerns_the_person_alone_and_replaces_the_last(self, alice, entra):
        alice.post("/conditional-access/start/mail/")
        alice.post("/conditional-access/start/transfer/")
        (policy,) = entra.policies.all()
        assert policy.people == {"alice"}
        assert policy.context == "c1"

    def test_leaves_other_policies_alone(self, alice, entra):
        other = Policy(name="Demo for bob: c1", control="mfa", people=frozenset({"bob"}))
        entra.policies.add(other)
        alice.post("/conditional-access/start/graph/")
        assert entra.policies.all() == [other]

    @pytest.mark.parametrize("key", ["nothing", "form", "htmx"])
    def test_only_what_a_button_starts(self, alice, entra, key):
        assert alice.post(f"/conditional-access/start/{key}/").status_code == 404
        assert entra.policies.all() == []

    def test_not_by_get_nor_without_the_csrf_token(self, alice, entra):
        assert alice.get("/conditional-access/start/revoke/").status_code == 405
        alice.handler.enforce_csrf_checks = True
        assert alice.post("/conditional-access/start/revoke/").status_code == 403
        assert entra.people["alice"].revocations == 0

    def test_not_by_a_link_to_a_case(self, alice, entra):
        for key in CASES:
            answer = alice.get(f"/conditional-access/{key}/")
            assert answer.headers["Location"] == "/conditional-access/"
        assert entra.policies.all() == []
        assert entra.people["alice"].revocations == 0


def test_a_local_entra_that_is_off_is_a_page(alice, demo_site):
    demo_site.ENTRA_AUTH = {
        **demo_site.ENTRA_AUTH,
        "AUTHORITY": re.sub(r":\d+", ":9", demo_site.ENTRA_AUTH["AUTHORITY"]),
    }
    answer = alice.post("/conditional-access/start/graph/")
    assert answer.status_code == 503
    assert b"does not answer" in answer.content


def test_two_sessions_have_timelines_of_their_own(alice, entra):
    other = Client(headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    sign_in(other, "bob", claims={"tid": entra.tenant_id})
    alice.post("/conditional-access/start/graph/")
    other.post("/conditional-access/start/blocked/")
    assert b"What happened: Call Graph" in alice.get("/conditional-access/").content
    shown = other.get("/conditional-access/").content
    assert b"What happened: Blocked by policy" in shown


def test_trouble_of_the_demo_itself_is_no_step_of_the_last_timeline(alice, entra, demo_site):
    alice.post("/conditional-access/start/graph/")
    settings = demo_site.ENTRA_AUTH
    demo_site.ENTRA_AUTH = {**settings, "AUTHORITY": re.sub(r":\d+", ":9", settings["AUTHORITY"])}
    assert alice.post("/conditional-access/start/mail/").status_code == 503
    demo_site.ENTRA_AUTH = settings
    shown = alice.get("/conditional-access/newest/").content
    assert b"What happened: Call Graph" in shown
    assert b"503" not in shown


def test_a_proxy_of_the_outside_world_is_not_asked_for_the_local_entra(
    demo_site, entra, monkeypatch
):
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    client = Client(headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
    sign_in(client, claims={"tid": entra.tenant_id}, tokens={"User.Read": "no-token"})
    client.post("/conditional-access/start/graph/")
    client.get("/conditional-access/graph/")
    shown = client.get("/conditional-access/newest/").content
    assert b"Graph answered with 401" in shown
