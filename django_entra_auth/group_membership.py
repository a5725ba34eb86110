"""Asks Microsoft Graph for a person's groups when they are too many for an ID token."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.http import HttpRequest

from django_entra_auth import signals
from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.client import get_application
from django_entra_auth.conf import EntraSettings
from django_entra_auth.graph_pages import LEAST_SCOPE, GraphRefusal, Send, read_ids, send_get
from django_entra_auth.oauth2 import MemoryTokenCache
from django_entra_auth.oauth2.authority import find_graph_origins, is_loopback, parse_authority
from django_entra_auth.oauth2.errors import Result, make_error
from django_entra_auth.oauth2.scopes import GRAPH, covers, find_resource
from django_entra_auth.oauth2.throttle import PROBE_SECONDS
from django_entra_auth.provisioning import Claims, has_too_many_groups, may_grant
from django_entra_auth.sign_ins.account import Account

GLOBAL_GRAPH: Final = "https://graph.microsoft.com"
SHARED_MAX_SECONDS: Final = 300
"""How long one answer of Graph may hold back everybody of a tenant, in seconds."""
REASON: Final = "groups_unresolved"
_PASSING: Final = frozenset({"throttled", "transient"})

logger = logging.getLogger(__name__)

Acquire = Callable[[Sequence[str]], Result | None]
"""Where the token for Graph comes from: scopes to a result as MSAL returns it, or None."""


@dataclass(frozen=True, slots=True)
class Membership:
    """The claims, with `groups` where Graph had to be asked and told them.

    `failure` is the error dict when it did not: then the claims grant nothing by a group.
    """

    claims: Claims
    failure: Result | None = None

    @property
    def is_passing(self) -> bool:
        """Whether the failure ends by itself, so that asking again soon is worth it."""
        return self.failure is not None and self.failure.get("category") in _PASSING

    @property
    def retry_after(self) -> int:
        """Seconds that Graph or Entra wants to be left alone for."""
        return int((self.failure or {}).get("retry_after") or 0)


def complete_groups(
    request: HttpRequest | None,
    claims: Claims,
    settings: EntraSettings,
    acquire: Acquire,
    *,
    send: Send = send_get,
    clock: Callable[[], float] = time.time,
) -> Membership:
    """The claims with all groups of the person, asking Graph only if a mapping depends on it.

    Never raises for what Graph or Entra did: the privileges are then refused, a warning logged,
    and the signal `token_error` sent. `send` fetches a page; `clock` returns Unix time.
    """
    if not (has_too_many_groups(claims) and may_grant(settings, str(claims["tid"]))):
        return Membership(claims)
    scopes = find_graph_scopes(settings)
    try:
        token = _read_token(acquire(scopes))
        groups = _Asking(settings, str(claims["tid"]), send, clock).fetch(token)
    except GraphRefusal as refusal:
        _tell(request, refusal.result, scopes, claims)
        return Membership(claims, refusal.result)
    return Membership({**claims, "groups": groups})


def acquire_from(result: Result, scopes: Sequence[str]) -> Acquire:
    """Tokens of a sign-in that is not kept yet; `result` is its redemption for `scopes`."""

    def acquire(wanted: Sequence[str]) -> Result | None:
        application = get_application().bind(MemoryTokenCache())
        application.keep_sign_in(result, scopes)
        return application.acquire_token_silent(wanted, application.get_accounts()[0])

    return acquire


def find_graph_scopes(settings: EntraSettings) -> list[str]:
    """The scopes of SCOPES that are Graph's, else the least one: consent is not asked for here."""
    named = [scope for scope in settings.scopes if is_graph_scope(scope)]
    if named:
        return named
    origin = find_graph_origin(settings)
    is_global = origin is None or origin == GLOBAL_GRAPH or is_local(settings)
    return [LEAST_SCOPE if is_global else f"{origin}/{LEAST_SCOPE}"]


def find_graph_origin(settings: EntraSettings) -> str | None:
    """The origin of the cloud's Graph; where a cloud has two, SCOPES may name the other one."""
    if is_local(settings):
        return parse_authority(settings.authority, allow_loopback=True).origin
    origins = find_graph_origins(settings.authority)
    for scope in settings.scopes:
        named = next((one for one in origins if scope.lower().startswith(f"{one}/")), None)
        if named:
            return named
    # The name of the usual one is the shorter.
    return min(origins, key=len, default=None)


def is_local(settings: EntraSettings) -> bool:
    """Whether the local Entra, and with it its Graph-like API, is meant."""
    host = urlsplit(settings.authority).hostname or ""
    return settings.local_emulator and is_loopback(host)


def is_graph_scope(scope: str) -> bool:
    """Whether a scope is Graph's; what OpenID Connect defines belongs to no resource."""
    return find_resource([scope]) == GRAPH and not covers(frozenset(), frozenset({scope.lower()}))


def _read_token(result: Mapping[str, Any] | None) -> str:
    if result is None:
        text = "There is no token to ask Microsoft Graph with."
        raise GraphRefusal(make_error("interaction_required", text))
    if "access_token" not in result:
        raise GraphRefusal(dict(result))
    return str(result["access_token"])


class _Asking:
    """One question to Graph, which everybody of the tenant leaves alone when it says so."""

    def __init__(
        self, settings: EntraSettings, tid: str, send: Send, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._send = send
        self._clock = clock
        self._origin = find_graph_origin(settings)
        parts = ("graph groups", self._origin, settings.client_id, tid.lower())
        self._key = hashlib.sha256(repr(parts).encode()).hexdigest()

    def fetch(self, token: str) -> list[str]:
        """The ids; raises GraphRefusal."""
        if self._origin is None:
            text = "The Microsoft Graph of this cloud is not known."
            raise GraphRefusal(make_error("invalid_resource", text))
        self._require_allowed()
        try:
            return read_ids(self._origin, token, self._settings, send=self._send)
        except GraphRefusal as refusal:
            raise GraphRefusal(self._note_wait(refusal.result)) from refusal

    def _require_allowed(self) -> None:
        """Raise GraphRefusal while Graph wants to be left alone."""
        entry = DjangoHTTPCache().get(self._key) or {}
        left = entry.get("until", 0) - self._clock()
        if left > 0:
            text = "Microsoft Graph has asked to wait."
            error = make_error("temporarily_unavailable", text, status=429, throttled=True)
            raise GraphRefusal({**error, "retry_after": _round_up(left), "throttle_key": self._key})

    def _note_wait(self, result: Result) -> Result:
        """Keep a wait for all workers, in the form in which the operator's page shows it."""
        named, status = result.get("retry_after"), result.get("status", 0)
        if status != 429 and (named is None or status < 500):
            return result
        seconds = self._settings.throttle_seconds if named is None else named
        seconds = min(seconds, self._settings.throttle_max_seconds, SHARED_MAX_SECONDS)
        if seconds <= 0:
            return result
        entry = {"status": status, "text": "", "until": self._clock() + seconds}
        DjangoHTTPCache().set(self._key, entry, seconds + PROBE_SECONDS)
        return {**result, "retry_after": _round_up(seconds), "throttle_key": self._key}


def _round_up(seconds: float) -> int:
    return int(-(-seconds // 1))


def _tell(
    request: HttpRequest | None, result: Result, scopes: Sequence[str], claims: Claims
) -> None:
    """Let the operator know: the person sees nothing but fewer privileges."""
    logger.warning(
        "Privileges by group were refused: Microsoft Graph did not tell the groups (%s)",
        result.get("category"),
        extra={"correlation_id": result.get("correlation_id")},
    )
    account = Account(
        tid=str(claims["tid"]).lower(),
        oid=str(claims["oid"]).lower(),
        home_account_id=str(claims.get("home_account_id", "")),
        username=str(claims.get("preferred_username", "")),
    )
    signals.token_error.send_robust(
        Membership,
        request=request,
        result=dict(result),
        scopes=tuple(scopes),
        account=account,
        reason=REASON,
    )
