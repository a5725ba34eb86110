"""The `state` parameter: all that the return trip needs, sealed, so that nothing is stored.

The seal's key is derived for one UTC day, which keeps the number of seals under a key small
however many anonymous visitors start a sign-in. Client id and authority are part of the key: a
state of another client or authority does not open.
"""

from __future__ import annotations

import hmac
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from django_entra_auth.conf import EntraSettings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.sealing import (
    KeyRing,
    SealError,
    SealingKey,
    decode_text,
    encode_text,
)

STATE_MAX_CHARS = 1000
FLOW_ID_BYTES = 16
DAY = 86400
CLOCK_SKEW = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One sign-in under way.

    `issued_at` is in epoch seconds; `attempt` counts automatic restarts; `expected` is the
    "<oid>.<tid>" that has to come back, or empty.
    """

    redirect_uri: str
    next_url: str
    issued_at: int = 0
    attempt: int = 0
    expected: str = ""
    id: bytes = field(default_factory=lambda: os.urandom(FLOW_ID_BYTES), repr=False)

    @property
    def is_secure(self) -> bool:
        """Whether the browser talks https to this site."""
        return self.redirect_uri.startswith("https://")


@dataclass(frozen=True, slots=True, repr=False)
class SealedFlow:
    """A flow with the key of its seal, from which its secrets are derived."""

    flow: Flow
    binding: bytes
    key: SealingKey

    @property
    def handle(self) -> str:
        """The name under which the answer to this flow is kept for its second request."""
        return encode_text(self.key.mac("handle", self.flow.id))

    def is_from(self, browser: str | None) -> bool:
        """Whether the flow was started in the browser that holds this secret."""
        return browser is not None and hmac.compare_digest(
            self.binding, _bind(self.key, self.flow, browser)
        )

    def code_verifier(self, browser: str) -> str:
        """PKCE's verifier (RFC 7636 §4.1): 43 characters."""
        return self._derive("code_verifier", browser)

    def nonce(self, browser: str) -> str:
        """OpenID Connect's nonce: 43 characters."""
        return self._derive("nonce", browser)

    def _derive(self, label: str, browser: str) -> str:
        return encode_text(self.key.mac(label, self.flow.id, browser.encode()))


def seal_flow(
    flow: Flow, browser: str, settings: EntraSettings, *, clock: Callable[[], float] = time.time
) -> tuple[str, SealedFlow]:
    """The `state` of a flow for this browser, at most STATE_MAX_CHARS long.

    A path too long to fit is given up: nothing is stored for people who are not signed in.
    """
    flow = replace(flow, issued_at=int(clock()))
    key = KeyRing(settings, "state").current(flow.issued_at // DAY)
    sealed = SealedFlow(flow, _bind(key, flow, browser), key)
    state = encode_text(key.seal(_dump(sealed)))
    if len(state) > STATE_MAX_CHARS:
        if not flow.next_url:
            raise SignInFailed("configuration")
        return seal_flow(replace(flow, next_url=""), browser, settings, clock=clock)
    return state, sealed


def open_flow(
    state: str, settings: EntraSettings, *, clock: Callable[[], float] = time.time
) -> SealedFlow:
    """The flow behind a `state`; raises SignInFailed `state_invalid` or `state_expired`."""
    now = clock()
    oldest = now - settings.sign_in_max_seconds
    sealed = _open(state, settings, range(int(now + CLOCK_SKEW) // DAY, int(oldest) // DAY - 2, -1))
    if not oldest <= sealed.flow.issued_at <= now + CLOCK_SKEW:
        raise SignInFailed("state_expired", next_url=sealed.flow.next_url)
    return sealed


def _open(state: str, settings: EntraSettings, days: range) -> SealedFlow:
    try:
        sealed = decode_text(state[: STATE_MAX_CHARS + 4])  # longer never opens
        key = KeyRing(settings, "state").find(sealed, periods=days)
        return _load(key.open(sealed), key)
    except SealError as exc:
        raise SignInFailed("state_invalid") from exc


def _bind(key: SealingKey, flow: Flow, browser: str) -> bytes:
    return key.mac("browser", flow.id, browser.encode())[:16]


def _dump(sealed: SealedFlow) -> bytes:
    flow = sealed.flow
    members: dict[str, Any] = {"i": flow.issued_at, "r": flow.redirect_uri, "n": flow.next_url}
    if flow.attempt:
        members["a"] = flow.attempt
    if flow.expected:
        members["e"] = flow.expected
    return flow.id + sealed.binding + json.dumps(members, separators=(",", ":")).encode()


def _load(plaintext: bytes, key: SealingKey) -> SealedFlow:
    flow_id, binding, members = plaintext[:16], plaintext[16:32], json.loads(plaintext[32:])
    flow = Flow(
        id=flow_id,
        issued_at=members["i"],
        redirect_uri=members["r"],
        next_url=members["n"],
        attempt=members.get("a", 0),
        expected=members.get("e", ""),
    )
    return SealedFlow(flow, binding, key)
