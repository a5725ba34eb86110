"""An API calls another one on behalf of a person: with MSAL for Python, and with our client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msal
import pytest
import requests

from django_entra_auth.emulator import CLIENT_ID, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET, Emulator
from django_entra_auth.emulator.policies import Policy
from django_entra_auth.oauth2 import ConfidentialClientApplication

REDIRECT_URI = "http://127.0.0.1:8000/auth/callback"
API = [f"api://{CLIENT_ID}/access_as_user"]
GRAPH = ["User.Read"]
POLICY = Policy(name="MFA for Graph", control="mfa", resource="https://graph.microsoft.com")

pytestmark = pytest.mark.filterwarnings("ignore:response_mode='form_post' is recommended")


@pytest.fixture
def https_entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    # requests prefers these variables to the `verify` that MSAL sets on its session.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with Emulator(tls=True) as entra:
        yield entra


def build_msal(entra: Emulator, client_id: str, secret: str) -> Any:
    app = msal.ConfidentialClientApplication(
        client_id,
        client_credential=secret,
        authority=entra.authority,
        instance_discovery=False,
        verify=entra.ca_bundle,
    )
    # MSAL leaves its connections to the garbage collector.
    app.close = app.http_client.close
    return app


def build_ours(entra: Emulator, client_id: str, secret: str) -> Any:
    return ConfidentialClientApplication(
        client_id,
        client_credential=secret,
        authority=entra.authority,
        allow_loopback=True,
        ca_bundle=entra.ca_bundle,
    )


Build = Callable[[Emulator, str, str], Any]


@pytest.fixture(params=[build_msal, build_ours], ids=["msal", "ours"])
def build(request: pytest.FixtureRequest) -> Build:
    return request.param  # type: ignore[no-any-return]


def sign_in(entra: Emulator, build: Build, claims: str | None = None) -> str:
    """The access token with which an application calls the API in Alice's name."""
    with closing(build(entra, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET)) as app:
        flow = app.initiate_auth_code_flow(
            API, redirect_uri=REDIRECT_URI, response_mode="form_post", claims_challenge=claims
        )
        answer = entra.complete_sign_in(flow["auth_uri"], "alice")
        result = app.acquire_token_by_auth_code_flow(flow, answer.fields)
    return str(result["access_token"])


def exchange(entra: Emulator, build: Build, token: str) -> dict[str, Any]:
    """What the API gets; a fresh client, as MSAL answers a repeated 400 from its memory."""
    with closing(build(entra, entra.client_id, entra.client_secret)) as app:
        return dict(app.acquire_token_on_behalf_of(token, GRAPH))


def test_the_api_calls_graph_in_the_persons_name(https_entra: Emulator, build: Build) -> None:
    result = exchange(https_entra, build, sign_in(https_entra, build))
    assert "User.Read" in result["scope"].split()
    assert result["id_token_claims"]["aud"] == CLIENT_ID
    answer = requests.get(
        f"{https_entra.origin}/v1.0/me",
        headers={"Authorization": f"Bearer {result['access_token']}"},
        verify=https_entra.ca_bundle,
        timeout=10,
    )
    assert answer.json()["id"] == https_entra.people["alice"].oid


def test_a_challenge_goes_to_the_caller_and_its_claims_lead_through(
    https_entra: Emulator, build: Build
) -> None:
    token = sign_in(https_entra, build)
    https_entra.policies.add(POLICY)
    refusal = exchange(https_entra, build, token)
    assert (refusal["error"], refusal["error_codes"]) == ("interaction_required", [50076])
    asked = json.loads(refusal["claims"])["access_token"]["capolids"]
    assert asked["values"] == [POLICY.policy_id]
    plain = exchange(https_entra, build, sign_in(https_entra, build))
    assert plain["error"] == "interaction_required"
    satisfied = sign_in(https_entra, build, refusal["claims"])
    assert "access_token" in exchange(https_entra, build, satisfied)


def test_somebody_elses_token_is_refused(https_entra: Emulator, build: Build) -> None:
    token = sign_in(https_entra, build)
    with closing(build(https_entra, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET)) as app:
        result = app.acquire_token_on_behalf_of(token, GRAPH)
    assert (result["error"], result["error_codes"]) == ("invalid_grant", [50013])
