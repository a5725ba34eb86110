"""`token`, `atoken` and `auth`: a token, or the exception that says what is in the way."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from django_entra_auth.emulator.faults import Fault
from django_entra_auth.emulator.policies import Policy
from django_entra_auth.exceptions import (
    ConfigurationRejected,
    EntraAuthError,
    InteractionRequired,
    TemporarilyUnavailable,
    TokenThrottled,
    build_token_error,
)
from django_entra_auth.session import EntraSession
from tests.request_tokens.site import CHALLENGE, DOWN, ask, requests_for_tokens
from tests.visitor import make_client, query_of

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]

STRICT = pytest.mark.parametrize("page", ["/strict/", "/strict-async/"])
OTHER = "api://other/Read"


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[EntraAuthError]:
    """The exceptions that reach the middleware."""
    from django_entra_auth import middleware

    found: list[EntraAuthError] = []
    answer = middleware.challenge_response

    def listen(request: Any, exc: EntraAuthError) -> Any:
        found.append(exc)
        return answer(request, exc)

    monkeypatch.setattr(middleware, "challenge_response", listen)
    return found


def refuse(entra: Any, error: str, number: int, **members: Any) -> None:
    body = {"error": error, "error_codes": [number], "error_description": f"AADSTS{number}: No."}
    fault = Fault(400, json.dumps({**body, **members}), {"Content-Type": "application/json"})
    entra.faults.add("token", fault, times=None, grant="refresh_token")


@STRICT
def test_a_token_is_a_text(visitor, page):
    token = visitor.client.get(page).content.decode()
    assert token == ask(visitor.client)["access_token"]


REFUSALS = [
    ("interaction_required", 50076, {"suberror": "basic_action"}, InteractionRequired, 302),
    ("invalid_grant", 65001, {"suberror": "consent_required"}, InteractionRequired, 302),
    ("invalid_grant", 50078, {"claims": CHALLENGE}, InteractionRequired, 302),
    ("invalid_grant", 53003, {"suberror": "message_only"}, InteractionRequired, 403),
    ("invalid_client", 7000222, {}, ConfigurationRejected, 500),
    ("temporarily_unavailable", 90006, {}, TemporarilyUnavailable, 503),
]


@STRICT
@pytest.mark.parametrize(("error", "number", "members", "kind", "status"), REFUSALS)
def test_each_refusal_has_its_exception(
    entra, visitor, raised, page, error, number, members, kind, status
):
    refuse(entra, error, number, **members)
    response = visitor.client.get(page, {"scope": OTHER})
    (exc,) = raised
    assert type(exc) is kind
    assert exc.result["error_codes"] == [number]
    assert response.status_code == status
    if kind is InteractionRequired:
        assert (exc.scopes, exc.claims, exc.source) == ((OTHER,), members.get("claims"), "token")
    assert "no-store" in response["Cache-Control"]


@STRICT
def test_throttled(entra, visitor, raised, page):
    entra.faults.throttle(7)
    response = visitor.client.get(page, {"scope": OTHER})
    assert [type(exc) for exc in raised] == [TokenThrottled]
    assert 1 <= int(response["Retry-After"]) <= 7
    assert response.status_code == 503


@STRICT
def test_an_outage_of_the_cache(visitor, settings, raised, page):
    settings.CACHES = DOWN
    assert visitor.client.get(page).status_code == 503
    assert [type(exc) for exc in raised] == [TemporarilyUnavailable]


@STRICT
def test_a_stranger_is_asked_to_sign_in(site, entra, raised, page):
    response = make_client().get(page)
    assert query_of(response["Location"])["redirect_uri"].endswith("/auth/callback")
    assert [type(exc) for exc in raised] == [InteractionRequired]
    assert requests_for_tokens(entra) == []


@pytest.mark.parametrize("view", ["/token/", "/token-async/"])
def test_the_dict_says_what_the_exception_says(entra, visitor, view):
    refuse(entra, "invalid_grant", 65001, suberror="consent_required")
    error = ask(visitor.client, OTHER, view=view)
    assert type(build_token_error(error, scopes=[OTHER])) is InteractionRequired
    assert error["suberror"] == "consent_required"


def test_auth_calls_with_the_token(entra, visitor):
    assert visitor.client.get("/calling/").json() == {"status": 200}
    assert len(requests_for_tokens(entra)) == 1


def test_auth_raises_what_token_raises(entra, visitor, redis, raised):
    redis.flushdb()
    assert visitor.client.get("/calling/").status_code == 302
    assert [type(exc) for exc in raised] == [InteractionRequired]
    assert [call.path for call in entra.graph.calls] == []


def test_auth_settles_an_apis_challenge_with_one_request(entra, visitor, raised):
    entra.graph.challenge_once(json.loads(CHALLENGE))
    assert visitor.client.get("/calling/").json() == {"status": 200}
    assert len(requests_for_tokens(entra)) == 2
    assert raised == []


def test_auth_asks_for_the_person_whom_the_claims_need(entra, visitor, raised):
    entra.policies.add(Policy(name="m", control="mfa", context="c1"))
    entra.graph.challenge_once(json.loads(CHALLENGE))
    response = visitor.client.get("/calling/")
    assert response.status_code == 302
    (exc,) = raised
    assert isinstance(exc, InteractionRequired)
    assert exc.source == "api"
    assert "c1" in str(exc.claims)
    assert "c1" in query_of(response["Location"])["claims"]


@pytest.mark.parametrize("page", ["/outsider/", "/outsider-sync/"])
def test_background_tokens_are_out_of_reach(visitor, page):
    found = visitor.client.get(page).content.decode().split()
    assert found == ["RuntimeError"] * (3 if page == "/outsider/" else 1)


@pytest.mark.parametrize("page", ["/strict/", "/strict-async/"])
@pytest.mark.parametrize("wish", [{}, {"force_refresh": True}])
def test_one_text_is_no_list_of_scopes(entra, visitor, monkeypatch, page, wish):
    """Taken letter by letter it would be asked of Entra."""
    for name in ("acquire_token_silent", "aacquire_token_silent"):
        ask_for = partial(getattr(EntraSession, name), scopes="User.Read", **wish)
        monkeypatch.setattr(EntraSession, name, lambda self, _, ask_for=ask_for: ask_for(self))
    before = len(requests_for_tokens(entra))
    with pytest.raises(ValueError, match="one string"):
        visitor.client.get(page)
    assert len(requests_for_tokens(entra)) == before
