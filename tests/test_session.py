"""`request.entra`: small in the session, lazy, and silent about other backends' people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import login
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.serializers import JSONSerializer
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.session import EntraSession
from django_entra_auth.session_entry import (
    KEPT_CLAIMS,
    SESSION_KEY,
    SESSION_MAX_BYTES,
    build_entry,
)
from django_entra_auth.testing import sign_in

BACKEND = "django_entra_auth.backends.EntraBackend"
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
TID = "11111111-2222-4333-8444-555555555555"
OID = "abcdef01-2222-4333-8444-555555555555"
ORDINARY = {
    "tid": TID,
    "oid": OID,
    "preferred_username": "alice.smith@contoso.onmicrosoft.com",
    "name": "Alice Smith",
    "sid": "00aa11bb-2222-4333-8444-555555555555",
    "auth_time": 1_750_000_000,
}


def build(**claims: Any) -> dict[str, Any]:
    return build_entry(
        {**ORDINARY, **claims},
        sign_in_id="s" * 43,
        home_account_id=f"{OID}.{TID}",
        backend=BACKEND,
    )


def size(entry: dict[str, Any]) -> int:
    return len(JSONSerializer().dumps({SESSION_KEY: entry}))


def test_the_claims_of_the_list_are_kept_and_no_others() -> None:
    entry = build(groups=["g"], aud="client", nonce="n", sub="s", rh="x", uti="y", acrs=["c1"])
    assert set(entry["claims"]) == {*ORDINARY, "acrs"}
    assert set(entry["claims"]) <= set(KEPT_CLAIMS)
    assert "groups" not in KEPT_CLAIMS


def test_roles_are_kept_up_to_a_kilobyte() -> None:
    fitting = ["R" * 90] * 10
    assert 900 < len(json.dumps(fitting)) <= 1024
    assert build(roles=fitting)["claims"]["roles"] == fitting
    assert "roles" not in build(roles=["R" * 90] * 12)["claims"]


def test_what_identifies_is_kept_to_the_last() -> None:
    wide = "\U0001f600" * 512
    claims = build(name=wide, email=wide, preferred_username=wide, roles=[wide], acrs=[wide])
    assert claims["claims"]["tid"] == TID
    assert claims["claims"]["oid"] == OID


CLAIM_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=600),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*KEPT_CLAIMS[2:], "groups"]), CLAIM_VALUES))
def test_no_claims_make_the_session_large(claims: dict[str, Any]) -> None:
    entry = build(**claims)
    assert size(entry) <= SESSION_MAX_BYTES
    assert (entry["claims"]["tid"], entry["claims"]["oid"]) == (TID, OID)
    assert "groups" not in entry["claims"]


@pytest.mark.parametrize("value", ["x" * 5000, "\u20ac" * 600, ["x" * 50] * 400, list(range(999))])
@pytest.mark.parametrize("name", KEPT_CLAIMS[2:])
def test_one_huge_claim_does_not_make_the_session_large(name: str, value: Any) -> None:
    assert size(build(**{name: value})) <= SESSION_MAX_BYTES


# Reading


def request_with(user: Any, **data: Any) -> HttpRequest:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.session.update(data)
    request.user = user
    return request


def test_nobody_is_nobody() -> None:
    entra = EntraSession(request_with(AnonymousUser()))
    assert (entra.is_signed_in, entra.claims, entra.account) == (False, {}, None)
    assert entra.sign_in_id is None


def test_somebody_is_known() -> None:
    request = request_with(User(), _entra=build(), _auth_user_backend=BACKEND)
    entra = EntraSession(request)
    assert entra.is_signed_in
    assert entra.claims == ORDINARY
    account = entra.account
    assert account is not None
    assert (account.tid, account.oid, account.username) == (
        TID,
        OID,
        "alice.smith@contoso.onmicrosoft.com",
    )
    assert account.home_account_id == f"{OID}.{TID}"
    assert entra.sign_in_id == "s" * 43


def test_an_account_without_a_name_is_an_account() -> None:
    entry = build(preferred_username=None)
    request = request_with(User(), _entra=entry, _auth_user_backend=BACKEND)
    account = EntraSession(request).account
    assert account is not None
    assert account.username == ""


def test_the_claims_are_a_copy() -> None:
    request = request_with(User(), _entra=build(), _auth_user_backend=BACKEND)
    EntraSession(request).claims["tid"] = "other"
    assert EntraSession(request).claims["tid"] == TID


@pytest.mark.parametrize("backend", [MODEL_BACKEND, "somebody.Else", None])
def test_another_backends_person_is_not_signed_in(backend: str | None) -> None:
    data = {"_entra": build(), "_auth_user_backend": backend}
    entra = EntraSession(request_with(User(), **data))
    assert (entra.is_signed_in, entra.claims, entra.account) == (False, {}, None)


def test_a_user_who_is_no_longer_let_in_is_not_signed_in() -> None:
    request = request_with(AnonymousUser(), _entra=build(), _auth_user_backend=BACKEND)
    entra = EntraSession(request)
    assert (entra.is_signed_in, entra.claims, entra.account) == (False, {}, None)


# In requests


def whoami(request: Any) -> JsonResponse:
    return JsonResponse({"in": request.entra.is_signed_in, "claims": request.entra.claims})


async def awhoami(request: Any) -> JsonResponse:
    entra = await request.aentra()
    return JsonResponse({"in": entra.is_signed_in, "claims": entra.claims})


def log_in_locally(request: HttpRequest) -> HttpResponse:
    user = User.objects.get(pk=request.GET["user"])
    login(request, user, backend=MODEL_BACKEND)
    return HttpResponse()


urlpatterns = [
    path("whoami/", whoami),
    path("awhoami/", awhoami),
    path("local/", log_in_locally),
]
in_requests = pytest.mark.urls(__name__)


@pytest.fixture(params=["/whoami/", "/awhoami/"])
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@in_requests
@pytest.mark.django_db
def test_a_sign_in_is_seen_by_sync_and_async_views(client: Client, page: str) -> None:
    assert client.get(page).json() == {"in": False, "claims": {}}
    sign_in(client, claims={"groups": ["g"] * 300, "roles": ["Reader"]})
    seen = client.get(page).json()
    assert seen["in"] is True
    assert seen["claims"]["roles"] == ["Reader"]
    assert "groups" not in seen["claims"]
    assert len(JSONSerializer().dumps({SESSION_KEY: client.session[SESSION_KEY]})) < 1500


@in_requests
@pytest.mark.django_db
def test_it_is_seen_behind_the_async_handler(async_client: AsyncClient, page: str) -> None:
    sign_in(async_client)
    response = async_to_sync(async_client.get)(page)
    assert response.json()["in"] is True


@in_requests
@pytest.mark.django_db
def test_people_of_another_backend_are_not_signed_in(client: Client, page: str) -> None:
    client.force_login(User.objects.create(username="local"), backend=MODEL_BACKEND)
    assert client.get(page).json() == {"in": False, "claims": {}}


@in_requests
@pytest.mark.django_db
@pytest.mark.parametrize("same", [True, False], ids=["same user", "another user"])
def test_a_later_sign_in_by_password_ends_it(client: Client, page: str, same: bool) -> None:
    user = sign_in(client)
    other = User.objects.create(username="local")
    client.get("/local/", {"user": (user if same else other).pk})
    assert client.get(page).json() == {"in": False, "claims": {}}


@in_requests
@pytest.mark.django_db
def test_a_disabled_user_is_out_at_once(client: Client, page: str) -> None:
    sign_in(client)
    User.objects.update(is_active=False)
    assert client.get(page).json() == {"in": False, "claims": {}}
