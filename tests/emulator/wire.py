"""A client that speaks the protocol by hand, so that tests see the wire and no library."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests

from django_entra_auth.emulator import Emulator

REDIRECT_URI = "http://127.0.0.1:8000/auth/callback"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
ALL_SCOPES = "openid profile email offline_access User.Read"


class Wire:
    """One browser and one client's back channel."""

    def __init__(self, entra: Emulator) -> None:
        self.entra = entra
        self.browser = requests.Session()
        self.browser.trust_env = False

    def close(self) -> None:
        self.browser.close()

    def authorize_url(self, segment: str | None = None, **changes: str | None) -> str:
        parameters: dict[str, str | None] = {
            "client_id": self.entra.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": ALL_SCOPES,
            "state": "the state",
            "nonce": "the nonce",
        }
        parameters.update(changes)
        sent = {name: value for name, value in parameters.items() if value is not None}
        base = f"{self.entra.origin}/{segment or self.entra.tenant_id}"
        return f"{base}/oauth2/v2.0/authorize?{urlencode(sent)}"

    def get(self, url: str, **options: Any) -> requests.Response:
        return self.browser.get(url, allow_redirects=False, timeout=10, **options)

    def post(self, url: str, data: dict[str, str], **options: Any) -> requests.Response:
        return self.browser.post(url, data=data, allow_redirects=False, timeout=10, **options)

    def sign_in(self, person: str = "alice", **options: Any) -> dict[str, str]:
        """The fields of the answer after walking the pages in this browser."""
        names = ("mfa", "consent", "cancel")
        walk = {name: options.pop(name) for name in names if name in options}
        url = self.authorize_url(**options)
        return self.entra.complete_sign_in(url, person, browser=self.browser, **walk).fields

    def token(self, segment: str | None = None, **changes: str | None) -> requests.Response:
        body: dict[str, str | None] = {
            "client_id": self.entra.client_id,
            "client_secret": self.entra.client_secret,
            "grant_type": "authorization_code",
            "redirect_uri": REDIRECT_URI,
        }
        headers = {"client-request-id": str(changes.pop("request_id", None) or "")}
        body.update(changes)
        url = f"{self.entra.origin}/{segment or self.entra.tenant_id}/oauth2/v2.0/token"
        sent = {name: value for name, value in body.items() if value is not None}
        return self.post(url, sent, headers={k: v for k, v in headers.items() if v})

    def refresh(self, refresh_token: str, **changes: Any) -> requests.Response:
        changes = {"grant_type": "refresh_token", "redirect_uri": None} | changes
        return self.token(refresh_token=refresh_token, **changes)

    def tokens(self, person: str = "alice", **options: Any) -> dict[str, Any]:
        """A whole sign-in: the token endpoint's answer."""
        segment = options.get("segment")
        answer = self.token(segment, code=self.sign_in(person, **options)["code"])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def redirected_fields(response: requests.Response) -> dict[str, str]:
    """The answer in a redirect's query."""
    assert response.status_code == 302, response.text
    query = urlsplit(response.headers["Location"]).query
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
