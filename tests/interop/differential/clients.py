"""Drives either client through a cell by the methods that both of them have."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, Literal
from unittest import mock

import msal.individual_cache
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from django_entra_auth.oauth2 import ConfidentialClientApplication
from tests.interop.differential.cells import Cell, Grant, Repeat
from tests.interop.differential.service import Reply, Service, make_certificate, write_pem
from tests.oauth2.scripted import CLIENT_ID, REDIRECT_URI, SECRET, make_key

SCOPES: Final = ["User.Read"]
APP_SCOPES: Final = ["https://graph.microsoft.com/.default"]
CHALLENGE: Final = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
NAMED_CAPABILITY: Final = '{"access_token":{"xms_cc":{"values":["other"]}}}'
CAPABILITIES: Final = ["cp1"]
DECLINED: Final = {
    "error": "interaction_required",
    "error_description": "AADSTS50076: A scripted error.",
    "error_uri": "https://login.microsoftonline.com/error?code=50076",
    "suberror": "basic_action",
    "claims": CHALLENGE,
    "trace_id": "11111111-2222-3333-4444-555555555555",
}

LIFETIMES: Final[dict[Grant, dict[str, int]]] = {
    "silent_expired": {"expires_in": 0, "ext_expires_in": 0},
    "silent_ending": {"expires_in": 200, "ext_expires_in": 200},
    "silent_due": {"expires_in": 86399, "ext_expires_in": 86399, "refresh_in": 0},
}
CHALLENGES: Final[dict[Repeat, str]] = {"challenge": CHALLENGE, "capability": NAMED_CAPABILITY}
WAITS: Final[dict[Repeat, float]] = {"later": 10.0, "much_later": 400.0}

Kind = Literal["success", "error", "none", "raised"]


@dataclass(frozen=True)
class Outcome:
    """What one call did: its kind, the dictionary or the exception, and what was sent for it."""

    kind: Kind
    result: dict[str, Any] = field(repr=False)
    exception: str | None
    requests: tuple[dict[str, str], ...] = field(repr=False)


def make_credential() -> dict[str, str]:
    """Return a key with its certificate, in the form that both clients take."""
    key: rsa.RSAPrivateKey = make_key()
    certificate = make_certificate(key).public_bytes(serialization.Encoding.PEM)
    return {"private_key": write_pem(key).decode(), "public_certificate": certificate.decode()}


class MsalClient:
    """MSAL for Python, as its documentation says to build it."""

    name = "msal"

    def __init__(self, service: Service, credential: Any) -> None:
        self.app: Any = msal.ConfidentialClientApplication(
            CLIENT_ID,
            client_credential=credential,
            authority=service.authority,
            client_capabilities=CAPABILITIES,
            instance_discovery=False,
            verify=service.ca_bundle,
        )

        self._patches = contextlib.ExitStack()

    def move_clock(self, seconds: float) -> None:
        """Let MSAL, and nothing else, believe that time has passed; it takes no clock."""
        if seconds:
            moved = SimpleNamespace(time=lambda: time.time() + seconds)
            for module in (msal.application, msal.individual_cache, msal.token_cache):
                self._patches.enter_context(mock.patch.object(module, "time", moved))

    def close(self) -> None:
        self._patches.close()
        # MSAL leaves its connections to the garbage collector.
        self.app.http_client.close()


class OwnClient:
    """This project's client, built the same way."""

    name = "ours"

    def __init__(self, service: Service, credential: Any) -> None:
        self._offset = 0.0
        self.app: Any = ConfidentialClientApplication(
            CLIENT_ID,
            client_credential=credential,
            authority=service.authority,
            client_capabilities=CAPABILITIES,
            allow_loopback=True,
            ca_bundle=service.ca_bundle,
            clock=lambda: time.time() + self._offset,
        )

    def move_clock(self, seconds: float) -> None:
        self._offset += seconds

    def close(self) -> None:
        self.app.close()


AnyClient = MsalClient | OwnClient
MakeClient = Callable[[Service, Any], AnyClient]


def run_cell(
    make_client: MakeClient, service: Service, cell: Cell, certificate: Any
) -> list[Outcome]:
    """Return the outcomes of the cell's two calls, made by a client that knows nothing yet."""
    service.reset()
    client = make_client(service, certificate if cell.credential == "certificate" else SECRET)
    try:
        if cell.is_silent:
            service.reply = Reply(lifetimes=LIFETIMES[cell.grant])
            _redeem_code(client.app, service)
            service.take_received()
        service.reply = Reply(cell.status, cell.body, cell.header)
        first = _observe(lambda: _call(client.app, service, cell, None), service)
        service.offset = WAITS.get(cell.repeat, 0.0)
        client.move_clock(service.offset)
        second = _observe(lambda: _call(client.app, service, cell, cell.repeat), service)
        return [first, second]
    finally:
        client.close()


def _observe(call: Callable[[], Any], service: Service) -> Outcome:
    exception, result = None, None
    try:
        result = call()
    except Exception as exc:  # noqa: BLE001  -- which exceptions there are is what is compared
        exception = type(exc).__name__
    requests = service.take_received()
    if exception is not None:
        return Outcome("raised", {}, exception, requests)
    if result is None:
        return Outcome("none", {}, None, requests)
    kind: Kind = "error" if "error" in result else "success"
    return Outcome(kind, json.loads(json.dumps(result)), None, requests)


def _call(app: Any, service: Service, cell: Cell, repeat: Repeat | None) -> Any:
    claims = CHALLENGES.get(repeat) if repeat else None
    if cell.grant == "declined":
        flow = _start(app)
        return app.acquire_token_by_auth_code_flow(flow, {"state": flow["state"], **DECLINED})
    if cell.grant == "code":
        return _redeem_code(app, service, code="code-2" if repeat else "code-1", claims=claims)
    if cell.grant == "client":
        return app.acquire_token_for_client(scopes=APP_SCOPES, claims_challenge=claims)
    if cell.grant == "obo":
        assertion = "assertion-of-bob" if repeat == "other" else "assertion-of-alice"
        return app.acquire_token_on_behalf_of(assertion, SCOPES, claims_challenge=claims)
    (account,) = app.get_accounts()
    return app.acquire_token_silent_with_error(
        SCOPES, account=account, claims_challenge=claims, force_refresh=repeat == "force"
    )


def _redeem_code(
    app: Any, service: Service, *, code: str = "code-0", claims: str | None = None
) -> Any:
    flow = _start(app, claims)
    service.nonce = hashlib.sha256(flow["nonce"].encode()).hexdigest()
    return app.acquire_token_by_auth_code_flow(flow, {"state": flow["state"], "code": code})


def _start(app: Any, claims: str | None = None) -> Any:
    return app.initiate_auth_code_flow(
        SCOPES, redirect_uri=REDIRECT_URI, response_mode="form_post", claims_challenge=claims
    )
