"""Responses of the flow: pages that cannot be framed or stored, and ways on to another page."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import get_script_prefix, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from django_entra_auth import sign_ins
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed, TemporarilyUnavailable
from django_entra_auth.interaction.admin_consent import build_admin_consent
from django_entra_auth.interaction.browser import drop_marker, read_marker, set_browser
from django_entra_auth.interaction.establish import AccountMismatch
from django_entra_auth.interaction.failures import build_details, get_failure
from django_entra_auth.interaction.login_url import build_login_url
from django_entra_auth.interaction.prompt import Prompt
from django_entra_auth.interaction.state import Flow
from django_entra_auth.session import EntraSession

_POLICY = "base-uri 'none'; object-src 'none'; form-action 'self'"
PAGE_POLICY = f"frame-ancestors 'none'; {_POLICY}"
FRAME_POLICY = f"frame-ancestors 'self'; {_POLICY}"
RETRY_SECONDS = 5

# Failures of the account: trying again with the same one cannot help.
OTHER_ACCOUNT_REASONS = frozenset(
    {"tenant_not_allowed", "guest_not_allowed", "user_unknown", "user_disabled", "claims_refused"}
)


def render_page(
    request: HttpRequest, name: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page of this app."""
    context = {"home_url": get_script_prefix(), "login_url": login_url(), **context}
    response = render(request, f"django_entra_auth/{name}.html", context, status=status)
    return secure_page(response)


def secure_page(response: HttpResponse) -> HttpResponse:
    """No framing, no referrer, no storing."""
    add_never_cache_headers(response)
    response["X-Frame-Options"] = "DENY"
    response["Referrer-Policy"] = "no-referrer"
    response["Content-Security-Policy"] = PAGE_POLICY
    return response


def set_retry_after(response: HttpResponse, seconds: int | None = None) -> None:
    """Say when to come back, where the status is one that passes."""
    if response.status_code in {429, 503}:
        response["Retry-After"] = str(seconds or RETRY_SECONDS)


def login_url(next_url: str = "") -> str:
    """The address of `login`, on the way to a page."""
    url = reverse("django_entra_auth:login")
    return f"{url}?{urlencode({'next': next_url})}" if next_url else url


def render_failure(request: HttpRequest, failure: SignInFailed) -> HttpResponse:
    """The page of a failed sign-in: what happened, what to do, which ids an administrator needs."""
    page = get_failure(failure.reason)
    next_url = failure.next_url or ""
    retry_url, browser = _build_retry(request, failure)
    consent = _build_consent(request, failure)
    context = {
        "title": page.title,
        "message": page.message,
        "advice": page.advice,
        "details": build_details(failure),
        "retry_url": retry_url if page.can_retry else None,
        "admin_consent_url": consent.uri if consent else None,
        "other_account": failure.reason in OTHER_ACCOUNT_REASONS,
        "next_url": next_url,
    }
    response = render_page(request, "error", context, status=page.status)
    if consent:
        set_browser(response, consent.browser, secure=consent.secure)
    elif browser:
        set_flow_browser(response, browser, failure.flow)
    set_retry_after(response, failure.retry_after)
    return response


def _build_retry(request: HttpRequest, failure: SignInFailed) -> tuple[str, str | None]:
    """The address that asks for the same again, and the browser's secret it needs, if any."""
    flow = failure.flow
    if flow is not None:
        with suppress(SignInFailed, TemporarilyUnavailable):  # then a plain sign-in has to do
            return build_login_url(request, flow, is_popup=flow.is_popup)
    return login_url(failure.next_url or ""), None


def _build_consent(request: HttpRequest, failure: SignInFailed) -> Prompt | None:
    """Where an administrator can give what is missing."""
    if failure.flow is None or not failure.reason.startswith("admin_consent"):
        return None
    with suppress(SignInFailed, TemporarilyUnavailable):
        return build_admin_consent(request, failure.flow)
    return None


def render_which_account(request: HttpRequest, mismatch: AccountMismatch) -> HttpResponse:
    """Who is signed in, who came back, and the two ways on."""
    retry_url, browser = _build_retry(request, mismatch)
    context = {
        "expected_username": mismatch.expected_username,
        "received_username": mismatch.received_username,
        "can_try_again": mismatch.can_try_again,
        "retry_url": retry_url,
        "next_url": mismatch.next_url or "",
    }
    response = render_page(request, "which_account", context, status=403)
    if browser:
        set_flow_browser(response, browser, mismatch.flow)
    return response


def redirect_to_prompt(prompt: Prompt) -> HttpResponse:
    """Redirect to Entra (for navigations by GET)."""
    return _with_browser(HttpResponseRedirect(prompt.uri), prompt)


def continue_to_prompt(request: HttpRequest, prompt: Prompt) -> HttpResponse:
    """A page that moves on to Entra (after a POST: CSP's form-action covers redirects)."""
    return _with_browser(continue_to(request, prompt.uri, _("Taking you to Microsoft…")), prompt)


def continue_to(request: HttpRequest, url: str, message: str) -> HttpResponse:
    """A page of this site that moves on by itself, with a link for those whose browser does not."""
    return render_page(request, "continue", {"continue_url": url, "message": message})


def go_on(request: HttpRequest, url: str) -> HttpResponse:
    """The end of a sign-in: a redirect, or a same-site page where Strict cookies need one."""
    if settings.SESSION_COOKIE_SAMESITE == "Strict":
        return continue_to(request, url, _("You are signed in. Taking you back…"))
    response = HttpResponseRedirect(url)
    response["Referrer-Policy"] = "no-referrer"
    return response


def has_lost_session(request: HttpRequest) -> bool:
    """A sign-in was completed within the minute and lives, and its session did not come back."""
    if request.user.is_authenticated or EntraSession(request).sign_in_id:
        return False
    id_hash = read_marker(request, get_settings())
    return id_hash is not None and sign_ins.is_alive(id_hash)


def render_no_session(request: HttpRequest, next_url: str) -> HttpResponse:
    """The browser did not keep the session; the person's own next try goes ahead."""
    context = {"login_url": login_url(next_url)}
    response = render_page(request, "no_session", context, status=403)
    drop_marker(response)
    return response


def set_flow_browser(response: HttpResponse, browser: str, flow: Flow) -> None:
    """Leave the browser's secret with a response that leads to a flow."""
    set_browser(response, browser, secure=flow.is_secure)


def _with_browser(response: HttpResponse, prompt: Prompt) -> HttpResponse:
    add_never_cache_headers(response)
    set_browser(response, prompt.browser, secure=prompt.secure)
    return response
