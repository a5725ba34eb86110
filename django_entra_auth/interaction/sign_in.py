"""Start a sign-in, and complete it from Entra's answer: short flows over dataclasses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import reverse

from django_entra_auth import sign_ins, signals
from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.client import get_application
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.exceptions import SignInFailed, TemporarilyUnavailable
from django_entra_auth.interaction.answer import Answer
from django_entra_auth.interaction.browser import new_browser, read_browser
from django_entra_auth.interaction.establish import (
    SignInBackend,
    describe_account,
    establish,
    require_expected,
    validate_account,
)
from django_entra_auth.interaction.failures import reason_for
from django_entra_auth.interaction.limits import (
    count_failed_redemption,
    require_redemption_allowed,
)
from django_entra_auth.interaction.next_url import check_next, default_next
from django_entra_auth.interaction.state import Flow, SealedFlow, open_flow, seal_flow
from django_entra_auth.oauth2.authority import is_loopback
from django_entra_auth.session import EntraSession

SIGN_IN_SCOPES = ("openid", "profile", "email", "offline_access")


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where to send the browser, and the secret it has to hold."""

    uri: str
    browser: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Completed:
    """A sign-in that ended well: go to `next_url`. `is_new` unless one was there already."""

    next_url: str
    is_new: bool
    secure: bool


@dataclass(frozen=True, slots=True)
class Restart:
    """The answer could not be used, but a fresh start may well work; done once."""

    next_url: str


def start(
    request: HttpRequest,
    next_url: str,
    *,
    attempt: int = 0,
    prompt: str | None = None,
    login_hint: str | None = None,
    expected: str = "",
) -> Prompt:
    """Begin a sign-in; nothing is stored. Raises SignInFailed when Entra cannot be asked."""
    settings = get_settings()
    redirect_uri = build_redirect_uri(request, settings)
    flow = Flow(redirect_uri=redirect_uri, next_url=next_url, attempt=attempt, expected=expected)
    browser = read_browser(request, secure=flow.is_secure) or new_browser()
    state, sealed = seal_flow(flow, browser, settings)
    started = get_application().initiate_auth_code_flow(
        [*settings.scopes, "email"],
        redirect_uri,
        state=state,
        prompt=prompt,
        login_hint=login_hint,
        domain_hint=settings.domain_hint,
        response_mode=settings.response_mode,
        code_verifier=sealed.code_verifier(browser),
        nonce=sealed.nonce(browser),
    )
    if "error" in started:
        raise SignInFailed(reason_for(started), result=started, next_url=next_url)
    return Prompt(started["auth_uri"], browser, flow.is_secure)


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


def complete(
    request: HttpRequest,
    answer: Answer,
    backend: SignInBackend,
    *,
    clock: Callable[[], float] = time.time,
) -> Completed | Restart:
    """Turn an answer into a signed-in session; raises SignInFailed, AccountMismatch.

    The order is part of the contract: seal and age, binding, one-time claim, error before code,
    one redemption, tenants and guests, the account, the user.
    """
    settings = get_settings()
    sealed = open_flow(answer.state, settings, clock=clock)
    next_url = check_next(sealed.flow.next_url) or default_next()
    try:
        return _complete(request, answer, sealed, backend, next_url)
    except TemporarilyUnavailable as outage:
        result = outage.result
        raise SignInFailed("cache_unavailable", result=result, next_url=next_url) from outage
    except SignInFailed as failure:
        failure.next_url = next_url
        raise


def _complete(
    request: HttpRequest,
    answer: Answer,
    sealed: SealedFlow,
    backend: SignInBackend,
    next_url: str,
) -> Completed | Restart:
    settings = get_settings()
    entries = Entries(settings)
    browser = read_browser(request, secure=sealed.flow.is_secure)
    if browser is None or not sealed.is_from(browser):
        return _lost(request, sealed.flow, next_url, "browser_mismatch")
    if not _claim(sealed.flow, settings, entries):
        return _lost(request, sealed.flow, next_url, "replayed")
    if answer.error:
        raise SignInFailed(reason_for(answer.error), result=answer.error)
    result = _redeem(request, answer, sealed, browser, entries)
    sign_in = validate_account(result, settings)
    require_expected(request, sign_in, sealed.flow.expected)
    user = establish(request, sign_in, backend, keep_tokens=partial(_keep_tokens, result))
    signals.signed_in.send_robust(
        type(backend),
        request=request,
        user=user,
        claims=sign_in.claims,
        account=describe_account(sign_in.claims),
    )
    return Completed(next_url, is_new=True, secure=sealed.flow.is_secure)


def _claim(flow: Flow, settings: EntraSettings, entries: Entries) -> bool:
    key = build_key("flow", flow.id.hex())
    return entries.claim(key, settings.sign_in_max_seconds + 300)


def _lost(request: HttpRequest, flow: Flow, next_url: str, reason: str) -> Completed | Restart:
    """A reload, the back button, another tab, another browser: go on, or start again once."""
    if EntraSession(request).is_signed_in and not flow.expected:
        return Completed(next_url, is_new=False, secure=flow.is_secure)
    if flow.attempt == 0:
        return Restart(next_url)
    raise SignInFailed(reason, next_url=next_url)


def _redeem(
    request: HttpRequest, answer: Answer, sealed: SealedFlow, browser: str, entries: Entries
) -> dict[str, Any]:
    """One redemption, never repeated; the ID token in the result is validated."""
    if not answer.code:
        raise SignInFailed("code_missing")
    require_redemption_allowed(request, browser, entries)
    flow = {
        "state": answer.state,
        "redirect_uri": sealed.flow.redirect_uri,
        "scope": [*get_settings().scopes, *SIGN_IN_SCOPES],
        "code_verifier": sealed.code_verifier(browser),
        "nonce": sealed.nonce(browser),
    }
    result = get_application().acquire_token_by_auth_code_flow(
        flow, {"state": answer.state, "code": answer.code}
    )
    if "error" in result:
        count_failed_redemption(request, browser, entries)
        raise SignInFailed(_reason_of_redemption(result), result=result)
    return result


def _keep_tokens(result: dict[str, Any], sign_in_id: str) -> None:
    application = get_application().bind(sign_ins.open_token_cache(sign_in_id))
    application.keep_sign_in(result, [*get_settings().scopes, *SIGN_IN_SCOPES])


def _reason_of_redemption(result: Mapping[str, Any]) -> str:
    """A bare `invalid_grant` speaks of the code; with a sub-error, of the person."""
    if result.get("error") == "invalid_grant" and not result.get("suberror"):
        return "code_rejected"
    return reason_for(result)
