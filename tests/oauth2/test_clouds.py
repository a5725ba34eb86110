"""A whole sign-in at every kind of authority, over HTTP, with the hosts led to a local server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests

from tests.oauth2.scripted import CONSUMERS, OTHER_TENANT, TENANT, Answer, make_jwk

GLOBAL = "https://login.microsoftonline.com"
TEMPLATE = "{tenantid}"
B2C = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_susi"

# authority, issuer in the metadata, issuer member of the keys, issuer in the token
CLOUDS = [
    (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TENANT}/v2.0", f"{GLOBAL}/{TEMPLATE}/v2.0"),
    (f"{GLOBAL}/contoso.onmicrosoft.com", f"{GLOBAL}/{TENANT}/v2.0", f"{GLOBAL}/{TEMPLATE}/v2.0"),
    (f"{GLOBAL}/common", f"{GLOBAL}/{TEMPLATE}/v2.0", f"{GLOBAL}/{TEMPLATE}/v2.0"),
    (f"{GLOBAL}/organizations", f"{GLOBAL}/{TEMPLATE}/v2.0", f"{GLOBAL}/{TEMPLATE}/v2.0"),
    (
        f"https://login.microsoftonline.us/{TENANT}",
        f"https://login.microsoftonline.us/{TENANT}/v2.0",
        f"https://login.microsoftonline.us/{TEMPLATE}/v2.0",
    ),
    (
        f"https://login.chinacloudapi.cn/{TENANT}",
        f"https://login.partner.microsoftonline.cn/{TENANT}/v2.0",
        f"https://login.partner.microsoftonline.cn/{TEMPLATE}/v2.0",
    ),
    (
        "https://contoso.ciamlogin.com",
        f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
        f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
    ),
    (
        f"https://login.contoso.com/{TENANT}",
        f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
        None,
    ),
    (B2C, f"https://contoso.b2clogin.com/{TENANT}/v2.0/", None),
    (B2C, f"https://contoso.b2clogin.com/tfp/{TENANT}/b2c_1_susi/v2.0/", None),
]


class Routed:
    """An HTTP client that takes every host to be the scripted server."""

    def __init__(self, origin):
        self.origin = origin
        self.session = requests.Session()

    def get(self, url, **options):
        return self.session.get(self.origin + urlsplit(url).path, **options)

    def post(self, url, **options):
        return self.session.post(self.origin + urlsplit(url).path, **options)

    def close(self):
        self.session.close()


@pytest.fixture
def enter(make_app, provider, server, sign_in):
    """Sign in at an authority that publishes the given issuers."""

    def run(authority, issuer, key_issuer, *, claims=None, tokens=None):
        app = make_app(authority=authority, http_client=Routed(server.origin), allow_loopback=False)
        base = urlsplit(app.authority).path
        server.script(
            f"{base}/v2.0/.well-known/openid-configuration",
            Answer(
                body={
                    "issuer": issuer,
                    "authorization_endpoint": f"{app.authority}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{app.authority}/oauth2/v2.0/token",
                    "jwks_uri": f"{app.authority}/discovery/v2.0/keys",
                }
            ),
        )
        keys = [make_jwk(provider.key, "key-1", issuer=key_issuer)]
        server.script(f"{base}/discovery/v2.0/keys", Answer(body={"keys": keys}))
        provider.segment = base.lstrip("/")
        token = {"iss": issuer.replace(TEMPLATE, TENANT), **(claims or {})}
        return app, sign_in(app, claims=token, tokens=tokens)

    return run


@pytest.mark.parametrize(("authority", "issuer", "key_issuer"), CLOUDS)
def test_sign_in(enter, authority, issuer, key_issuer):
    app, result = enter(authority, issuer, key_issuer)
    assert "error" not in result, result
    assert result["id_token_claims"]["tid"] == TENANT
    assert app.get_logout_uri() is None
    (account,) = app.get_accounts()
    assert account["environment"] == urlsplit(app.authority).netloc


@pytest.mark.parametrize(("authority", "issuer", "key_issuer"), CLOUDS)
def test_a_token_of_another_tenant(enter, authority, issuer, key_issuer):
    _, result = enter(authority, issuer, key_issuer, claims={"tid": OTHER_TENANT})
    assert result["failed_check"] in {"iss", "tid"}


def test_consumers(enter):
    issuer = f"{GLOBAL}/{CONSUMERS}/v2.0"
    _, result = enter(f"{GLOBAL}/consumers", issuer, issuer, claims={"tid": CONSUMERS})
    assert result["id_token_claims"]["tid"] == CONSUMERS


def test_b2c_answers(enter):
    """Numbers as text, no tid, no access token, no preferred_username."""
    issuer = f"https://contoso.b2clogin.com/{TENANT}/v2.0/"
    claims = {"tid": None, "preferred_username": None, "ver": "1.0"}
    tokens = {"access_token": None, "expires_in": "3600", "not_before": "1"}
    app, result = enter(B2C, issuer, None, claims=claims, tokens=tokens)
    assert result["id_token_claims"]["tid"] == TENANT
    assert result["expires_in"] == 3600
    assert app.get_accounts()[0]["username"] == ""
