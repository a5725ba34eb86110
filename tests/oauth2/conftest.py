"""Fixtures of the protocol layer's tests: a scripted server, a provider, a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from django_entra_auth.oauth2 import ConfidentialClientApplication
from django_entra_auth.oauth2.auth_code import hash_nonce
from tests.oauth2.scripted import (
    CLIENT_ID,
    REDIRECT_URI,
    SECRET,
    Answer,
    Clock,
    Provider,
    ScriptedServer,
    make_key,
)

MakeApp = Callable[..., ConfidentialClientApplication]


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return make_key()


@pytest.fixture(scope="session")
def other_key() -> rsa.RSAPrivateKey:
    return make_key()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def provider(server: ScriptedServer, signing_key: rsa.RSAPrivateKey, clock: Clock) -> Provider:
    return Provider(server, signing_key, clock)


@pytest.fixture
def make_app(provider: Provider, clock: Clock) -> Iterator[MakeApp]:
    made: list[ConfidentialClientApplication] = []

    def make(**options: Any) -> ConfidentialClientApplication:
        options.setdefault("client_credential", SECRET)
        options.setdefault("authority", provider.base)
        options.setdefault("allow_loopback", True)
        options.setdefault("clock", clock)
        app = ConfidentialClientApplication(CLIENT_ID, **options)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app: MakeApp) -> ConfidentialClientApplication:
    return make_app()


@pytest.fixture
def sign_in(provider: Provider) -> Callable[..., dict[str, Any]]:
    """Run a whole sign-in; the provider answers ``answer`` or good tokens with changed claims."""

    def run(
        app: ConfidentialClientApplication,
        *,
        answer: Answer | None = None,
        claims: dict[str, Any] | None = None,
        token: str | None = None,
        tokens: dict[str, Any] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        flow = app.initiate_auth_code_flow(["User.Read"], REDIRECT_URI, **options)
        assert "error" not in flow, flow
        if answer is None:
            good = {"nonce": hash_nonce(flow["nonce"]), **(claims or {})}
            signed = token or provider.sign(provider.claims(**good))
            answer = Answer(body=provider.tokens(signed, **(tokens or {})))
        provider.answer_tokens(answer)
        return app.acquire_token_by_auth_code_flow(
            flow, {"state": flow["state"], "code": "the-code"}
        )

    return run
