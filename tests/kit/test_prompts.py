"""`assert_prompts` knows every shape of a prompt, and what does not ask for enough."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse, JsonResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings

from django_entra_auth.testing import assert_prompts, minimal_settings, sign_in
from tests.kit.site import CLAIMS

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.kit.site")]

SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
SHAPES: dict[str, dict[str, Any]] = {
    "navigation": {},
    "script": {"headers": SCRIPT},
    "frame": {"headers": FRAME},
    "htmx": {"headers": {"HX-Request": "true", "HX-Current-URL": "http://testserver/"}},
    "form": {"method": "post"},
    "htmx-form": {"method": "post", "headers": {"HX-Request": "true"}},
}


@pytest.fixture(autouse=True)
def _minimal() -> Any:
    with override_settings(ENTRA_AUTH=minimal_settings()):
        yield


def ask(client: Client, path: str, *, method: str = "get", **options: Any) -> Any:
    return getattr(client, method)(path, **options)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_prompt(client: Client, shape: str) -> None:
    sign_in(client)
    assert_prompts(ask(client, "/context/", **SHAPES[shape]), auth_context="c1")
    response = ask(client, "/raises/", **SHAPES[shape])
    assert_prompts(response, scopes=["Mail.Read"], claims=CLAIMS)
    assert_prompts(response, claims=json.loads(CLAIMS))
    with pytest.raises(AssertionError, match="auth_context='c1'"):
        assert_prompts(response, auth_context="c1")


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ({"scopes": ["Mail.Send", "Mail.Read"]}, r"for scopes \['mail.send'\]:"),
        ({"auth_context": "c2"}, "for auth_context='c2':"),
        ({"max_age": 300}, "for max_age=300:"),
        ({"claims": "{}"}, "for claims {}:"),
        ({"scopes": ["Mail.Send"], "max_age": 1}, "scopes .* and max_age=1"),
    ],
)
def test_what_it_does_not_ask_for_is_named(
    client: Client, wanted: dict[str, Any], fault: str
) -> None:
    sign_in(client)
    with pytest.raises(AssertionError, match=fault):
        assert_prompts(client.get("/raises/"), **wanted)


def test_scopes_are_compared_as_entra_does(client: Client) -> None:
    sign_in(client)
    response = client.get("/never-had/")
    assert_prompts(response, scopes=["https://graph.microsoft.com/files.read"])
    assert_prompts(response)


def test_an_age_is_asked_for(client: Client) -> None:
    sign_in(client, seconds_ago=3600)
    assert_prompts(client.get("/age/"), max_age=300)


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    assert_prompts(client.get("/whoami/"))
    assert_prompts(client.get("/context/"), auth_context="c1")
    with pytest.raises(AssertionError, match="does not ask for auth_context"):
        assert_prompts(client.get("/whoami/"), auth_context="c1")


def test_an_async_client_is_prompted_too(async_client: AsyncClient) -> None:
    sign_in(async_client)
    assert_prompts(async_to_sync(async_client.get)("/async-mail/"), scopes=["Mail.Read"])


def test_a_long_challenge_is_read_to_its_end(client: Client) -> None:
    """It does not fit into `state`, and is kept in the cache."""
    sign_in(client)
    path = f"/context/?{'q=1&' * 100}"
    assert_prompts(client.get(path), auth_context="c1")


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (HttpResponse("in"), "200 text/html"),
        (HttpResponse(status=302, headers={"Location": "/elsewhere/?a=1"}), "302 to /elsewhere/"),
        (
            HttpResponse(status=302, headers={"Location": "https://a.example/authorize?state=x"}),
            "302 to https://a.example/authorize",
        ),
        (JsonResponse({"error": "no"}, status=401), "401 application/json"),
        (JsonResponse(["no"], status=401, safe=False), "401 application/json"),
        (HttpResponse(status=401), "401 text/html"),
    ],
)
def test_other_answers_are_no_prompts(response: HttpResponse, said: str) -> None:
    with pytest.raises(AssertionError, match=rf"\({said}.*\) does not prompt"):
        assert_prompts(response)


def test_pages_of_the_site_are_no_prompts(client: Client) -> None:
    sign_in(client)
    for path in ("/whoami/", "/auth/login/", "/auth/logout/", "/"):
        with pytest.raises(AssertionError, match="does not prompt"):
            assert_prompts(client.get(path))


def test_a_mistake_in_what_is_wanted_is_told(client: Client) -> None:
    sign_in(client)
    with pytest.raises(ValueError, match="max_age"):
        assert_prompts(client.get("/raises/"), max_age=-1)


def test_a_response_without_a_client_will_do(rf: RequestFactory) -> None:
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.db import SessionStore

    from django_entra_auth.exceptions import InteractionRequired
    from django_entra_auth.shortcuts import challenge_response

    request = rf.get("/", headers=SCRIPT)
    request.session, request.user = SessionStore(), AnonymousUser()
    assert_prompts(challenge_response(request, InteractionRequired(auth_context="c1")))
