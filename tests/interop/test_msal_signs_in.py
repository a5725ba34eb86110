"""MSAL for Python, unchanged, against the local Entra over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msal
import pytest

from django_entra_auth.emulator import Emulator

REDIRECT_URI = "http://127.0.0.1:8000/auth/callback"
SCOPES = ["User.Read"]
GRAPH_DEFAULT = ["https://graph.microsoft.com/.default"]

# MSAL recommends form_post with a warning; query must work all the same.
pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended")


@pytest.fixture
def https_entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    # requests prefers these variables to the `verify` that MSAL sets on its session.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with Emulator(tls=True) as entra:
        yield entra


class Client:
    """A fresh MSAL application; closes its connections, which MSAL leaves to the garbage."""

    def __init__(self, entra: Emulator, cache: msal.TokenCache | None = None, **options: Any):
        settings = {
            "client_credential": entra.client_secret,
            "authority": entra.authority,
            "instance_discovery": False,
            "verify": entra.ca_bundle,
            "token_cache": cache,
        }
        self.app = msal.ConfidentialClientApplication(entra.client_id, **(settings | options))

    def __enter__(self) -> Any:
        return self.app

    def __exit__(self, *_: object) -> None:
        self.app.http_client.close()


def _sign_in(
    entra: Emulator, app: Any, person: str = "alice", response_mode: str = "form_post", **walk: Any
) -> dict[str, Any]:
    flow = app.initiate_auth_code_flow(
        SCOPES, redirect_uri=REDIRECT_URI, response_mode=response_mode
    )
    answer = entra.complete_sign_in(flow["auth_uri"], person, **walk)
    return dict(app.acquire_token_by_auth_code_flow(flow, answer.fields))


@pytest.mark.parametrize("response_mode", ["form_post", "query"])
@pytest.mark.parametrize("person", ["alice", "bob", "carol"])
def test_people_sign_in(https_entra: Emulator, response_mode: str, person: str) -> None:
    with Client(https_entra) as app:
        result = _sign_in(https_entra, app, person, response_mode)
        account = app.get_accounts()[0]
    known = https_entra.people[person]
    claims = result["id_token_claims"]
    assert claims["oid"] == known.oid
    assert claims["tid"] == https_entra.tenant_id
    assert claims["aud"] == https_entra.client_id
    assert claims["preferred_username"] == known.username
    assert "User.Read" in result["scope"].split()
    assert account["home_account_id"] == f"{known.home_oid}.{known.home_tid}"
    assert account["username"] == known.username


@pytest.mark.parametrize("segment", ["organizations", "common", "contoso.onmicrosoft.com"])
def test_other_authorities(https_entra: Emulator, segment: str) -> None:
    with Client(https_entra, authority=f"{https_entra.origin}/{segment}") as app:
        result = _sign_in(https_entra, app)
    assert result["id_token_claims"]["tid"] == https_entra.tenant_id


def test_silent_from_cache_and_by_refresh(https_entra: Emulator) -> None:
    with Client(https_entra) as app:
        first = _sign_in(https_entra, app)
        account = app.get_accounts()[0]
        https_entra.requests.clear()
        cached = app.acquire_token_silent(SCOPES, account)
        assert https_entra.requests == []
        fresh = app.acquire_token_silent(SCOPES, account, force_refresh=True)
    assert cached["access_token"] == first["access_token"]
    assert cached["token_source"] == "cache"
    assert fresh["access_token"] != first["access_token"]
    assert fresh["token_source"] == "identity_provider"
    (refresh,) = https_entra.requests
    assert refresh.form["grant_type"] == "refresh_token"


def test_another_resource_by_refresh(https_entra: Emulator) -> None:
    with Client(https_entra) as app:
        _sign_in(https_entra, app)
        result = app.acquire_token_silent(["api://thing/Read"], app.get_accounts()[0])
    assert set(result["scope"].split()) == {"openid", "profile", "api://thing/Read"}


def test_client_credentials(https_entra: Emulator) -> None:
    with Client(https_entra) as app:
        first = app.acquire_token_for_client(GRAPH_DEFAULT)
        second = app.acquire_token_for_client(GRAPH_DEFAULT)
    assert "refresh_token" not in first
    assert first["token_source"] == "identity_provider"
    assert second["access_token"] == first["access_token"]
    assert second["token_source"] == "cache"


def test_a_wrong_secret(https_entra: Emulator) -> None:
    with Client(https_entra, client_credential="wrong") as app:
        result = app.acquire_token_for_client(GRAPH_DEFAULT)
    assert result["error"] == "invalid_client"
    assert result["error_codes"] == [7000215]


def test_a_revoked_refresh_token(https_entra: Emulator) -> None:
    cache = msal.TokenCache()
    with Client(https_entra, cache) as app:
        _sign_in(https_entra, app)
    https_entra.revoke_sign_ins("alice")
    # A fresh client, because MSAL answers an identical 400 from its own memory for a minute.
    with Client(https_entra, cache) as app:
        account = app.get_accounts()[0]
        result = app.acquire_token_silent_with_error(SCOPES, account, force_refresh=True)
    assert result["error"] == "invalid_grant"
    assert result["suberror"] == "bad_token"
    assert result["error_codes"] == [50173]
    assert result["correlation_id"]


def test_sign_in_again_after_a_revocation(https_entra: Emulator) -> None:
    cache = msal.TokenCache()
    with Client(https_entra, cache) as app:
        _sign_in(https_entra, app)
        https_entra.revoke_sign_ins("alice")
        assert "access_token" in _sign_in(https_entra, app)
        account = app.get_accounts()[0]
        assert app.acquire_token_silent(SCOPES, account, force_refresh=True)


def test_cancel(https_entra: Emulator) -> None:
    with Client(https_entra) as app:
        result = _sign_in(https_entra, app, cancel=True)
    assert result["error"] == "access_denied"


def test_a_code_used_twice(https_entra: Emulator) -> None:
    with Client(https_entra) as app:
        flow = app.initiate_auth_code_flow(
            SCOPES, redirect_uri=REDIRECT_URI, response_mode="form_post"
        )
        answer = https_entra.complete_sign_in(flow["auth_uri"], "alice")
        assert "access_token" in app.acquire_token_by_auth_code_flow(dict(flow), answer.fields)
        second = app.acquire_token_by_auth_code_flow(dict(flow), answer.fields)
    assert second["error"] == "invalid_grant"
    assert second["error_codes"] == [54005]


def test_claims_and_client_capabilities(https_entra: Emulator) -> None:
    challenge = '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}'
    with Client(https_entra, client_capabilities=["cp1"]) as app:
        flow = app.initiate_auth_code_flow(
            SCOPES,
            redirect_uri=REDIRECT_URI,
            response_mode="form_post",
            claims_challenge=challenge,
        )
        answer = https_entra.complete_sign_in(flow["auth_uri"], "alice")
        result = app.acquire_token_by_auth_code_flow(flow, answer.fields)
    assert result["id_token_claims"]["acrs"] == ["c1"]
