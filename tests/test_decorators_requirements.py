"""What `entra_login_required` and the mixin ask for beyond a sign-in, in sync and async views."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.generic import View

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.testing import sign_in
from tests.shapes import get
from tests.visitor import query_of

HOST = "127.0.0.1:8000"
MAIL = ["Mail.Read"]


def answer(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    return HttpResponse("in")


async def answer_async(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    return HttpResponse("in")


def make_views(**asked: Any) -> list[Any]:
    """One requirement in each way a view can be written."""

    class Plain(View):
        get = post = answer

    class PlainAsync(View):
        get = post = answer_async

    class Mixed(EntraLoginRequiredMixin, Plain):
        pass

    class MixedAsync(EntraLoginRequiredMixin, PlainAsync):
        pass

    for view in (Mixed, MixedAsync):
        for name, value in asked.items():
            setattr(view, f"entra_{name}", value)
    decorate = entra_login_required(**asked)
    return [
        decorate(answer),
        decorate(answer_async),
        Mixed.as_view(),
        MixedAsync.as_view(),
        method_decorator(decorate, name="dispatch")(type("OnClass", (Plain,), {})).as_view(),
    ]


KINDS = {
    "context": {"auth_context": "c1"},
    "age": {"max_age": 300},
    "scopes": {"scopes": MAIL},
    "unkept": {"auth_context": "c1", "resume": False},
    "both": {"auth_context": "c1", "max_age": 300},
}
WAYS = range(5)
urlpatterns = [
    *(
        path(f"{kind}/{way}/", view)
        for kind, asked in KINDS.items()
        for way, view in enumerate(make_views(**asked))
    ),
    path("auth/", include("django_entra_auth.urls")),
]
pytestmark = [
    pytest.mark.urls(__name__),
    pytest.mark.django_db,
    pytest.mark.usefixtures("entra_settings"),
]
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def caller(caller: Any) -> Any:
    """A client that names the host whose redirect URI Entra knows."""
    return type(caller)(headers={"host": HOST})


def asked_of(response: Any) -> dict[str, str]:
    assert response.status_code == 302
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))
    return query_of(response["Location"])


@EVERY_WAY
def test_a_context_lets_in_for_its_time(caller: Any, way: int, settings: Any) -> None:
    sign_in(caller, acrs=["c1"])
    assert get(caller, f"/context/{way}/").content == b"in"
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "STEP_UP_SECONDS": 0}
    assert "c1" in asked_of(get(caller, f"/context/{way}/"))["claims"]


@EVERY_WAY
def test_without_the_context_it_is_asked_for(caller: Any, way: int) -> None:
    sign_in(caller, acrs=["c2"])
    asked = asked_of(get(caller, f"/context/{way}/"))
    wanted = json.loads(asked["claims"])["id_token"]["acrs"]
    assert wanted == {"essential": True, "value": "c1"}
    assert asked["login_hint"] == "alice@contoso.example"
    assert "prompt" not in asked


@EVERY_WAY
def test_fresh_credentials_let_in(caller: Any, way: int) -> None:
    sign_in(caller, claims={"auth_time": int(time.time()) - 100})
    assert get(caller, f"/age/{way}/").content == b"in"


@EVERY_WAY
@pytest.mark.parametrize(
    ("claims", "prompt"), [({"auth_time": 1_700_000_000}, "login"), ({"auth_time": None}, "")]
)
def test_older_ones_are_asked_for_anew(
    caller: Any, way: int, claims: dict[str, int], prompt: str
) -> None:
    sign_in(caller, claims=claims)
    asked = asked_of(get(caller, f"/age/{way}/"))
    assert asked["max_age"] == "300"
    assert asked.get("prompt", "") == prompt


@EVERY_WAY
def test_each_of_two_things_is_needed(caller: Any, way: int) -> None:
    sign_in(caller, acrs=["c1"], claims={"auth_time": 1_700_000_000})
    asked = asked_of(get(caller, f"/both/{way}/"))
    assert asked["max_age"] == "300"
    assert "c1" in asked["claims"]
    sign_in(caller, acrs=["c1"], claims={"auth_time": int(time.time())})
    assert get(caller, f"/both/{way}/").content == b"in"


@EVERY_WAY
def test_without_a_token_consent_is_asked_for(caller: Any, way: int) -> None:
    sign_in(caller)
    assert "Mail.Read" in asked_of(get(caller, f"/scopes/{way}/"))["scope"].split()


@EVERY_WAY
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_stranger_is_asked_for_all_of_it_at_once(caller: Any, way: int, kind: str) -> None:
    asked = asked_of(get(caller, f"/{kind}/{way}/"))
    needed = KINDS[kind]
    assert ("c1" in asked["claims"]) == ("auth_context" in needed)
    assert asked.get("max_age") == ("300" if "max_age" in needed else None)
    assert ("Mail.Read" in asked["scope"].split()) == ("scopes" in needed)


@EVERY_WAY
@pytest.mark.parametrize(("kind", "moves_on"), [("context", True), ("unkept", False)])
def test_a_form_is_kept_unless_the_view_says_otherwise(
    client: Client, way: int, kind: str, moves_on: bool
) -> None:
    client.defaults["HTTP_HOST"] = HOST
    sign_in(client)
    response = client.post(f"/{kind}/{way}/", {"amount": "12"})
    assert response.status_code == 200
    assert response.content != b"in"
    assert (b'http-equiv="refresh"' in response.content) == moves_on


SENSELESS: list[dict[str, Any]] = [
    {"auth_context": ""},
    {"auth_context": 1},
    {"max_age": -1},
    {"max_age": 1.5},
    {"max_age": True},
    {"scopes": "Mail.Read"},
]


@pytest.mark.parametrize("asked", SENSELESS)
def test_what_makes_no_sense_is_said_at_once(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        entra_login_required(**asked)
