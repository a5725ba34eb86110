"""Whatever the token endpoint or discovery answers, a dictionary comes back."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_entra_auth.oauth2 import ConfidentialClientApplication, MemoryTokenCache
from django_entra_auth.oauth2.aadsts import Category
from django_entra_auth.oauth2.http import HttpResponse
from django_entra_auth.oauth2.token_cache import CachedAccount
from tests.oauth2.scripted import CLIENT_ID, REDIRECT_URI, SECRET, TENANT, Clock, make_jwk

AUTHORITY = f"https://login.microsoftonline.com/{TENANT}"
METADATA = {
    "issuer": f"{AUTHORITY}/v2.0",
    "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
    "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token",
    "jwks_uri": f"{AUTHORITY}/discovery/v2.0/keys",
}

values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.lists(st.integers() | st.text(max_size=5), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.integers(), max_size=2)
)
token_answers = st.dictionaries(
    st.sampled_from(
        [
            "access_token",
            "client_info",
            "expires_in",
            "id_token",
            "refresh_in",
            "refresh_token",
            "scope",
            "token_type",
            "error",
            "error_codes",
            "error_description",
            "suberror",
            "claims",
            "correlation_id",
        ]
    ),
    values | st.just("Bearer") | st.just("bad_token"),
    max_size=10,
)
documents = st.fixed_dictionaries(
    {}, optional={name: values | st.just(text) for name, text in METADATA.items()}
)
texts = st.text(max_size=50) | values.map(json.dumps)
statuses = st.sampled_from([100, 200, 201, 204, 302, 400, 401, 404, 429, 500, 503])
headers = st.dictionaries(st.sampled_from(["Retry-After", "Age"]), st.text(max_size=12))


class Stub:
    """An HTTP client with one answer for tokens and one for each document."""

    def __init__(self, token=None, metadata=None, keys=None):
        self.token, self.metadata, self.keys = token, metadata, keys

    def post(self, url, **_):
        return self.token

    def get(self, url, **_):
        return self.keys if url.endswith("/keys") else self.metadata


def answer(body, status=200, fields=None):
    text = body if isinstance(body, str) else json.dumps(body)
    return HttpResponse(status, text, {k.lower(): v for k, v in (fields or {}).items()})


def make(stub):
    cache = MemoryTokenCache()
    cache.save_account(CachedAccount("h", TENANT, "o", "u", "e", "rt"))
    app = ConfidentialClientApplication(
        CLIENT_ID,
        client_credential=SECRET,
        authority=AUTHORITY,
        token_cache=cache,
        http_client=stub,
        clock=Clock(1_760_000_000),
    )
    return app, {"home_account_id": "h"}


def check(result):
    assert isinstance(result, dict)
    if "error" in result:
        assert result["category"] in get_args(Category)
    else:
        assert isinstance(result.get("access_token", ""), str)


@pytest.fixture(scope="module")
def keys(signing_key):
    return answer({"keys": [make_jwk(signing_key, "key-1")]})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token_answers | texts, statuses, headers)
def test_token_answers(keys, body, status, fields):
    app, account = make(Stub(answer(body, status, fields), answer(METADATA), keys))
    check(app.acquire_token_silent([], account))
    check(app.acquire_token_for_client(["api://one/.default"]))
    check(app.acquire_token_on_behalf_of("assertion", ["api://one/read"]))
    flow = app.initiate_auth_code_flow([], REDIRECT_URI)
    response = {"state": flow["state"], "code": "c"}
    result = app.acquire_token_by_auth_code_flow(flow, response)
    check(result)
    assert "error" in result, "no answer made of rubble signs anybody in"


@given(documents | texts, statuses, headers)
def test_metadata(body, status, fields):
    app, _ = make(Stub(None, answer(body, status, fields)))
    flow = app.initiate_auth_code_flow([], REDIRECT_URI)
    if "error" in flow:
        check(flow)
    else:
        assert flow["auth_uri"].startswith(METADATA["authorization_endpoint"])
    uri = app.get_logout_uri()
    assert uri is None or uri.startswith(AUTHORITY)


@given(
    st.dictionaries(
        st.just("keys"),
        values
        | st.lists(
            st.dictionaries(
                st.sampled_from(["kty", "kid", "n", "e", "use", "issuer"]),
                values | st.sampled_from(["RSA", "sig"]),
            ),
            max_size=3,
        ),
    )
    | texts,
    statuses,
)
def test_keys(body, status):
    token = f"{'eyJhbGciOiJSUzI1NiIsImtpZCI6ImtleS0xIn0'}.e30.AAAA"
    tokens = {"access_token": "a", "token_type": "Bearer", "expires_in": 1, "id_token": token}
    app, account = make(Stub(answer(tokens), answer(METADATA), answer(body, status)))
    result = app.acquire_token_silent([], account)
    check(result)
    assert "error" in result
