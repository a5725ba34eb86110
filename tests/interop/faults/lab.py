"""Puts either client into the same situation in front of the same service."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msal

from django_entra_auth.oauth2 import ConfidentialClientApplication
from tests.interop.differential.clients import APP_SCOPES, CAPABILITIES, SCOPES
from tests.interop.differential.service import Reply, Service
from tests.oauth2.scripted import CLIENT_ID, REDIRECT_URI, SECRET, Clock

EXPIRED: Final = {"expires_in": 0, "ext_expires_in": 0}
DUE: Final = {"expires_in": 86399, "ext_expires_in": 86399, "refresh_in": 0}

T = TypeVar("T")


class Gate:
    """Holds token answers back until ``expected`` requests are there, at most ``seconds``."""

    def __init__(self, expected: int, *, seconds: float) -> None:
        self._expected = expected
        self._seconds = seconds
        self._lock = threading.Lock()
        self._arrived = 0
        self._all = threading.Event()

    def __call__(self) -> None:
        with self._lock:
            self._arrived += 1
            if self._arrived == self._expected:
                self._all.set()
        self._all.wait(self._seconds)


class FaultyService(Service):
    """The service, with answers that are given once.

    ``script`` are replies of the token endpoint that come before ``reply``, ``refusals`` the
    same for discovery; ``discovered_at`` are the times at which discovery was asked. Tokens are
    for exactly the scopes asked for.
    """

    def reset(self) -> None:
        super().reset()
        self.script: list[Reply] = []
        self.refusals: list[tuple[int, str, dict[str, str]]] = []
        self.discovered_at: list[float] = []
        self.gate: Callable[[], None] | None = None

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        if path.endswith("/openid-configuration"):
            self.discovered_at.append(time.monotonic())
            if self.refusals:
                return self.refusals.pop(0)
        elif path.endswith("/token"):
            self._prepare()
        return super().answer(path, form)

    def _prepare(self) -> None:
        if self.gate is not None:
            self.gate()
        if self.script:
            self.reply = self.script.pop(0)

    def _issue(self, form: dict[str, str], reply: Reply) -> dict[str, Any]:
        return {**super()._issue(form, reply), "scope": form["scope"]}


class Shortcut:
    """An HTTP client that asks the service without a socket, for thousands of requests."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def get(self, url: str, **_: Any) -> Any:
        return self.post(url)

    def post(self, url: str, data: Any = None, **_: Any) -> Any:
        status, text, headers = self._service.answer(urlsplit(url).path, dict(data or {}))
        return SimpleNamespace(status_code=status, text=text, headers=headers)

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Outcome:
    """What one call returned or raised, and the token requests that were sent for it."""

    result: Any = field(repr=False)
    exception: Exception | None
    forms: tuple[dict[str, str], ...] = field(repr=False)

    @property
    def raised(self) -> str | None:
        return type(self.exception).__name__ if self.exception else None

    @property
    def token(self) -> str:
        return str((self.result or {}).get("access_token"))

    @property
    def error(self) -> str:
        return str((self.result or {}).get("error"))


class Side:
    """One application, by the methods that both clients have."""

    def __init__(self, app: Any, service: FaultyService) -> None:
        self.app = app
        self._service = service

    def start(self, scopes: list[str] = SCOPES) -> dict[str, Any]:
        flow = self.app.initiate_auth_code_flow(
            scopes, redirect_uri=REDIRECT_URI, response_mode="form_post"
        )
        self._service.nonce = hashlib.sha256(flow["nonce"].encode()).hexdigest()
        return dict(flow)

    def finish(self, flow: dict[str, Any], **fields: str) -> Outcome:
        answer = {"state": flow["state"], **fields}
        return self.watch(lambda: self.app.acquire_token_by_auth_code_flow(flow, answer))

    def redeem(self, code: str = "code-0", scopes: list[str] = SCOPES) -> Outcome:
        return self.finish(self.start(scopes), code=code)

    def sign_in(self, lifetimes: dict[str, int] | None = None, **options: Any) -> None:
        """Sign somebody in; the service is at its best again afterwards."""
        self._service.reply = Reply(lifetimes=lifetimes or {})
        assert self.redeem(**options).token.startswith("access-token")
        self._service.reply = Reply()

    def silent(self, scopes: list[str] = SCOPES, **options: Any) -> Outcome:
        return self.watch(lambda: self.ask_silently(scopes, **options))

    def ask_silently(self, scopes: list[str] = SCOPES, **options: Any) -> Any:
        (account,) = self.app.get_accounts()
        return self.app.acquire_token_silent_with_error(scopes, account=account, **options)

    def client(self, scopes: list[str] = APP_SCOPES) -> Outcome:
        return self.watch(lambda: self.app.acquire_token_for_client(scopes))

    def obo(self, assertion: str, **options: Any) -> Outcome:
        ask = self.app.acquire_token_on_behalf_of
        return self.watch(lambda: ask(assertion, SCOPES, **options))

    def watch(self, call: Callable[[], Any]) -> Outcome:
        self._service.take_received()
        result, exception = None, None
        try:
            result = call()
        except Exception as exc:  # noqa: BLE001  -- whether there is one is what is shown
            exception = exc
        return Outcome(result, exception, self._service.take_received())


@dataclass
class Lab:
    """A service that knows nothing yet, and a way to build one of the two clients."""

    service: FaultyService
    clock: Clock
    build: Callable[..., Any]
    sides: list[Side] = field(default_factory=list)

    @property
    def is_msal(self) -> bool:
        return self.build is build_msal

    def make(self, **options: Any) -> Side:
        options.setdefault("client_credential", SECRET)
        side = Side(self.build(self, **options), self.service)
        self.sides.append(side)
        return side

    def move(self, seconds: float) -> None:
        """Let time pass for the service and for the client."""
        self.clock.move(seconds)
        self.service.offset += seconds

    def close(self) -> None:
        for side in self.sides:
            # MSAL leaves its connections to the garbage collector.
            close = getattr(side.app, "close", None) or side.app.http_client.close
            close()


RunBoth = Callable[[Callable[[Lab], T]], tuple[T, T]]


def build_msal(lab: Lab, **options: Any) -> Any:
    """Return MSAL for Python, built as its documentation says."""
    return msal.ConfidentialClientApplication(
        CLIENT_ID,
        authority=lab.service.authority,
        client_capabilities=CAPABILITIES,
        instance_discovery=False,
        verify=lab.service.ca_bundle,
        **options,
    )


def build_ours(lab: Lab, **options: Any) -> Any:
    """Return this project's client, built the same way."""
    return ConfidentialClientApplication(
        CLIENT_ID,
        authority=lab.service.authority,
        client_capabilities=CAPABILITIES,
        allow_loopback=True,
        ca_bundle=lab.service.ca_bundle,
        clock=lab.clock,
        **options,
    )
