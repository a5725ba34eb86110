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
from django_entra_auth.interaction.requirement import NOTHING, Requirement
from django_entra_auth.sealing import (
    KeyRing,
    SealError,
    SealingKey,
    decode_text,
    encode_text,
)
from django_entra_auth.sign_ins.account import Account

STATE_MAX_CHARS = 1000
FLOW_ID_BYTES = 16
DAY = 86400
CLOCK_SKEW = 120

# What leaves for Entra, and what leaves for a script or a link of this site.
STATE = "state"
LOGIN_URL = "login_url"

KeepDetails = Callable[[bytes, dict[str, Any]], None]


def name_account(account: Account | None) -> str:
    """How a flow names the account that has to come back: "<oid>.<tid>", "" for nobody."""
    return f"{account.oid}.{account.tid}" if account else ""


def new_flow_id() -> bytes:
    """A fresh random id."""
    return os.urandom(FLOW_ID_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One sign-in under way.

    `issued_at` is in epoch seconds; `attempt` counts automatic restarts; `expected` names the
    account that has to come back (see `name_account`), if any. `reason` is the loop guard's;
    `resume_id` names a kept form; `is_popup` when a script waits for the end in another window;
    `has_details` when next page and requirement did not fit and are kept under the flow's id.
    `loses_input` when the person has to be told that what they sent will not be sent again,
    `is_admin_consent` when an administrator's consent comes back rather than a sign-in.
    """

    redirect_uri: str
    next_url: str
    issued_at: int = 0
    attempt: int = 0
    expected: str = ""
    requirement: Requirement = NOTHING
    reason: str = ""
    resume_id: str = ""
    is_popup: bool = False
    has_details: bool = False
    loses_input: bool = False
    is_admin_consent: bool = False
    id: bytes = field(default_factory=new_flow_id, repr=False)

    @property
    def is_secure(self) -> bool:
        """Whether the browser talks https to this site."""
        return self.redirect_uri.startswith("https://")

    @property
    def is_challenge(self) -> bool:
        """Whether more than a plain sign-in was wanted."""
        return bool(self.expected or self.reason or self.requirement or self.has_details)


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
    flow: Flow,
    browser: str,
    settings: EntraSettings,
    *,
    keep: KeepDetails | None = None,
    purpose: str = STATE,
    clock: Callable[[], float] = time.time,
) -> tuple[str, SealedFlow]:
    """The `state` of a flow for this browser, at most STATE_MAX_CHARS long.

    What does not fit is handed to `keep` with the flow's id. Without `keep`, for people who are
    not signed in, it is given up: first what the page asks for, as it will ask again, then the
    way back.
    """
    flow = replace(flow, issued_at=int(clock()))
    key = KeyRing(settings, purpose).current(flow.issued_at // DAY)
    sealed = SealedFlow(flow, _bind(key, flow, browser), key)
    state = encode_text(key.seal(_dump(sealed)))
    if len(state) <= STATE_MAX_CHARS:
        return state, sealed
    if not flow.requirement and not flow.next_url:
        raise SignInFailed("configuration")
    if keep is not None:
        keep(flow.id, dump_details(flow))
    shorter = _shorten(flow, keep)
    return seal_flow(shorter, browser, settings, keep=keep, purpose=purpose, clock=clock)


def _shorten(flow: Flow, keep: KeepDetails | None) -> Flow:
    if keep is not None:
        return replace(flow, requirement=NOTHING, next_url="", has_details=True)
    if flow.requirement:
        return replace(flow, requirement=NOTHING, reason="")
    return replace(flow, next_url="")


def open_flow(
    state: str,
    settings: EntraSettings,
    *,
    purpose: str = STATE,
    clock: Callable[[], float] = time.time,
) -> SealedFlow:
    """The flow behind a `state`; raises SignInFailed `state_invalid` or `state_expired`."""
    now = clock()
    oldest = now - settings.sign_in_max_seconds
    days = range(int(now + CLOCK_SKEW) // DAY, int(oldest) // DAY - 2, -1)
    sealed = _open(state, KeyRing(settings, purpose), days)
    if not oldest <= sealed.flow.issued_at <= now + CLOCK_SKEW:
        raise SignInFailed("state_expired", next_url=sealed.flow.next_url)
    return sealed


def add_details(sealed: SealedFlow, details: dict[str, Any]) -> SealedFlow:
    """The flow with what was kept under its id."""
    flow = replace(
        sealed.flow, next_url=details["n"], requirement=Requirement(**_load_requirement(details))
    )
    return replace(sealed, flow=flow)


def dump_details(flow: Flow) -> dict[str, Any]:
    """Next page and requirement as JSON; the reverse of `add_details`."""
    wanted = flow.requirement
    members = {
        "n": flow.next_url,
        "s": list(wanted.scopes),
        "c": wanted.claims,
        "x": wanted.auth_context,
        "m": wanted.max_age,
    }
    return {
        name: value for name, value in members.items() if name == "n" or value not in (None, [])
    }


def _load_requirement(members: dict[str, Any]) -> dict[str, Any]:
    return {
        "scopes": tuple(members.get("s", ())),
        "claims": members.get("c"),
        "auth_context": members.get("x"),
        "max_age": members.get("m"),
    }


def _open(state: str, ring: KeyRing, days: range) -> SealedFlow:
    try:
        sealed = decode_text(state[: STATE_MAX_CHARS + 4])  # longer never opens
        key = ring.find(sealed, periods=days)
        return _load(key.open(sealed), key)
    except SealError as exc:
        raise SignInFailed("state_invalid") from exc


def _bind(key: SealingKey, flow: Flow, browser: str) -> bytes:
    return key.mac("browser", flow.id, browser.encode())[:16]


def _dump(sealed: SealedFlow) -> bytes:
    flow = sealed.flow
    optional = {
        "a": flow.attempt,
        "e": flow.expected,
        "w": flow.reason,
        "k": flow.resume_id,
        "p": int(flow.is_popup),
        "d": int(flow.has_details),
        "l": int(flow.loses_input),
        "g": int(flow.is_admin_consent),
    }
    members = {"i": flow.issued_at, "r": flow.redirect_uri, **dump_details(flow)}
    members.update({name: value for name, value in optional.items() if value})
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
        requirement=Requirement(**_load_requirement(members)),
        reason=members.get("w", ""),
        resume_id=members.get("k", ""),
        is_popup=bool(members.get("p")),
        has_details=bool(members.get("d")),
        loses_input=bool(members.get("l")),
        is_admin_consent=bool(members.get("g")),
    )
    return SealedFlow(flow, binding, key)
