"""Times the token client against MSAL for Python: calls that need no answer from the network."""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import cryptography
import msal
import requests

from benchmarks.certificate import make_credential
from benchmarks.measure import ROUNDS, Row, build_table, time_in_turns
from django_entra_auth.emulator import Emulator, Fault
from django_entra_auth.oauth2 import ConfidentialClientApplication, MemoryTokenCache

SCOPES: Final = ["User.Read"]
APP_SCOPES: Final = ["https://graph.microsoft.com/.default"]
REDIRECT_URI: Final = "http://127.0.0.1:8000/auth/callback"
THROTTLED: Final = Fault(
    status=429,
    body=json.dumps({"error": "temporarily_unavailable", "error_codes": [90055]}),
    headers={"Retry-After": "300", "Content-Type": "application/json"},
)

Call = Callable[[], Any]


def main() -> None:
    """Measure and print the table."""
    rows = measure()
    print(
        f"Python {platform.python_version()}, msal {msal.__version__},"
        f" requests {requests.__version__}, cryptography {cryptography.__version__}\n"
    )
    print("\n".join(build_table(rows, opponent="msal", own="ours")))


def measure(*, rounds: int = ROUNDS) -> list[Row]:
    """Time both clients against a local Entra of their own."""
    # requests prefers these variables to the bundle that MSAL is given.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)
    logging.disable(logging.CRITICAL)
    with Emulator(tls=True) as entra:
        return [measure_hit(entra, rounds), *measure_throttled(entra, rounds)]


def measure_hit(entra: Emulator, rounds: int) -> Row:
    """Time client credentials whose token is in the cache already."""
    with _open_clients(entra, entra.client_secret) as clients:
        name = "client-credential hit"
        return _measure(name, entra, clients, _ask_for_client, "access_token", rounds)


def measure_throttled(entra: Emulator, rounds: int) -> Iterator[Row]:
    """Time calls while the service has asked to be left alone, with both kinds of credential."""
    caches = {"msal": msal.TokenCache(), "ours": MemoryTokenCache()}
    with _open_clients(entra, entra.client_secret, caches) as clients:
        for app in clients.values():
            _sign_in(entra, app)
    entra.faults.add("token", THROTTLED, times=None)
    credentials = {"secret": entra.client_secret, "certificate": make_credential()}
    for kind, credential in credentials.items():
        with _open_clients(entra, credential, caches) as clients:
            name = f"throttled client credentials, {kind}"
            yield _measure(name, entra, clients, _ask_for_client, "error", rounds)
            name = f"throttled refresh, {kind}"
            yield _measure(name, entra, clients, _ask_for_refresh, "error", rounds)


def _ask_for_client(app: Any) -> Call:
    return lambda: app.acquire_token_for_client(scopes=APP_SCOPES)


def _ask_for_refresh(app: Any) -> Call:
    (account,) = app.get_accounts()
    return lambda: app.acquire_token_silent_with_error(SCOPES, account, force_refresh=True)


def _measure(
    name: str,
    entra: Emulator,
    clients: dict[str, Any],
    ask: Callable[[Any], Call],
    expect: str,
    rounds: int,
) -> Row:
    calls = {key: ask(app) for key, app in clients.items()}
    for key, call in calls.items():
        if expect not in call():
            raise RuntimeError(f"{key} did not answer with {expect}")
    before = len(entra.requests)
    timings = time_in_turns(calls, rounds=rounds)
    return Row(name, timings, f"{len(entra.requests) - before} requests sent meanwhile")


def _sign_in(entra: Emulator, app: Any) -> None:
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=REDIRECT_URI, response_mode="form_post")
    answer = entra.complete_sign_in(flow["auth_uri"])
    result = app.acquire_token_by_auth_code_flow(flow, answer.fields)
    if "error" in result:
        raise RuntimeError(result["error_description"])


@contextmanager
def _open_clients(
    entra: Emulator, credential: Any, caches: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    caches = caches or {}
    theirs = msal.ConfidentialClientApplication(
        entra.client_id,
        client_credential=credential,
        authority=entra.authority,
        instance_discovery=False,
        verify=entra.ca_bundle,
        token_cache=caches.get("msal"),
    )
    ours = ConfidentialClientApplication(
        entra.client_id,
        client_credential=credential,
        authority=entra.authority,
        allow_loopback=True,
        ca_bundle=entra.ca_bundle,
        token_cache=caches.get("ours"),
    )
    try:
        yield {"msal": theirs, "ours": ours}
    finally:
        theirs.http_client.close()
        ours.close()


if __name__ == "__main__":
    main()
