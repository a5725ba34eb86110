"""Start a sign-in: the flow, what it asks for, and where to send the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import reverse

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.client import get_application
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction.browser import ensure_browser
from django_entra_auth.interaction.failures import reason_for
from django_entra_auth.interaction.state import (
    Flow,
    KeepDetails,
    SealedFlow,
    add_details,
    seal_flow,
)
from django_entra_auth.oauth2.authority import is_loopback
from django_entra_auth.oauth2.scopes import find_resource
from django_entra_auth.session import EntraSession


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where to send the browser, and the secret it has to hold."""

    uri: str
    browser: str
    secure: bool


def plan(request: HttpRequest, next_url: str, **members: Any) -> Flow:
    """A new flow of this site; `members` are further ones of Flow. Raises SignInFailed."""
    redirect_uri = build_redirect_uri(request, get_settings())
    return Flow(redirect_uri=redirect_uri, next_url=next_url, **members)


def start(
    request: HttpRequest,
    flow: Flow,
    *,
    prompt: str | None = None,
    login_hint: str | None = None,
) -> Prompt:
    """Begin a sign-in; nothing is stored unless a signed-in person's flow is too long for a URL.

    Raises SignInFailed when Entra cannot be asked, TemporarilyUnavailable.
    """
    settings = get_settings()
    browser = ensure_browser(request, secure=flow.is_secure)
    state, sealed = seal_flow(flow, browser, settings, keep=find_keeper(request, settings))
    started = get_application().initiate_auth_code_flow(
        [*_asked_scopes(flow, settings), "email"],
        flow.redirect_uri,
        state=state,
        prompt=prompt,
        login_hint=login_hint,
        domain_hint=settings.domain_hint,
        claims_challenge=flow.requirement.build_claims(),
        max_age=flow.requirement.max_age,
        response_mode=settings.response_mode,
        code_verifier=sealed.code_verifier(browser),
        nonce=sealed.nonce(browser),
    )
    if "error" in started:
        raise SignInFailed(reason_for(started), result=started, next_url=flow.next_url)
    return Prompt(started["auth_uri"], browser, flow.is_secure)


def find_keeper(request: HttpRequest, settings: EntraSettings) -> KeepDetails | None:
    """Where details that do not fit go: into the cache, for people who are signed in alone."""
    if not EntraSession(request).is_signed_in:
        return None

    def keep(flow_id: bytes, details: dict[str, Any]) -> None:
        key = build_key("details", flow_id.hex())
        Entries(settings).save(key, details, settings.sign_in_max_seconds + 300)

    return keep


def load_details(sealed: SealedFlow, settings: EntraSettings) -> SealedFlow:
    """The flow with what did not fit; raises SignInFailed `state_expired` when that is gone."""
    if not sealed.flow.has_details:
        return sealed
    details = Entries(settings).load(build_key("details", sealed.flow.id.hex()))
    if details is None:
        raise SignInFailed("state_expired")
    return add_details(sealed, details)


def _asked_scopes(flow: Flow, settings: EntraSettings) -> list[str]:
    """What to ask consent for: everything at a first sign-in, later only what is missing."""
    first = [] if flow.expected and flow.requirement.scopes else list(settings.scopes)
    return list(dict.fromkeys([*first, *flow.requirement.scopes]))


def find_redeemed_scopes(flow: Flow, settings: EntraSettings) -> list[str]:
    """What the code of a flow is redeemed for: the scopes wanted now, else those of a setting."""
    return list(flow.requirement.scopes) or find_first_scopes(settings)


def find_first_scopes(settings: EntraSettings) -> list[str]:
    """Those of SCOPES that a single token can have: a token is for one resource, the first's."""
    resource = find_resource(settings.scopes[:1])
    return [scope for scope in settings.scopes if find_resource([scope]) == resource]


def build_redirect_uri(request: HttpRequest, settings: EntraSettings) -> str:
    """The registered redirect URI; raises SignInFailed `configuration` for one Entra refuses."""
    uri = settings.redirect_uri or request.build_absolute_uri(reverse("django_entra_auth:callback"))
    parts = urlsplit(uri)
    if parts.scheme == "https" or is_loopback(parts.hostname or "") or settings.local_emulator:
        return uri
    raise SignInFailed(
        "configuration",
        result={
            "error": "insecure_redirect_uri",
            "error_description": "The redirect URI is not https: behind a proxy set"
            " SECURE_PROXY_SSL_HEADER, or ENTRA_AUTH['REDIRECT_URI'].",
        },
    )
