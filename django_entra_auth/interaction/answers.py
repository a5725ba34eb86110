"""What callers are told: pages for people, JSON for scripts, headers for htmx."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import add_never_cache_headers
from django.utils.functional import Promise
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _

from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed, TemporarilyUnavailable, TokenThrottled
from django_entra_auth.interaction import pages
from django_entra_auth.interaction.caller import Caller
from django_entra_auth.interaction.failures import (
    FAILURES,
    build_details,
    get_failure,
    report_failure,
)
from django_entra_auth.interaction.login_url import build_login_url
from django_entra_auth.interaction.prompt import Prompt
from django_entra_auth.interaction.state import Flow
from django_entra_auth.oauth2 import merge_claims

SECONDS_SHOWN = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600)
LONG_SECONDS = 120  # from here on people are told minutes


def protect(response: HttpResponse) -> HttpResponse:
    """Nothing this app answers in a view's place is kept by anybody."""
    add_never_cache_headers(response)
    response["Vary"] = "Cookie, Sec-Fetch-Mode, Sec-Fetch-Dest, HX-Request, Accept"
    return response


def wait(
    request: HttpRequest, caller: Caller, trouble: TokenThrottled | TemporarilyUnavailable
) -> HttpResponse:
    """503 with Retry-After; nobody is signed out for it."""
    is_throttled = isinstance(trouble, TokenThrottled)
    reason = "throttled" if is_throttled else _find_outage(trouble.result)
    seconds = max(1, int(trouble.retry_after))
    if _is_page(caller):
        shown = next((n for n in SECONDS_SHOWN if n >= seconds), SECONDS_SHOWN[-1])
        context = {
            "title": FAILURES[reason].title,
            "message": FAILURES[reason].message,
            "details": build_details(SignInFailed(reason, result=trouble.result)),
            "seconds": shown,
            "minutes": shown // 60 if shown >= LONG_SECONDS else 0,
            "retry_url": own_address(request) if caller is Caller.NAVIGATION else None,
        }
        response = pages.render_page(request, "wait", context, status=503)
    else:
        response = _json({"error": "temporarily_unavailable"}, FAILURES[reason].title, status=503)
    response["Retry-After"] = str(seconds)
    return response


def own_address(request: HttpRequest) -> str:
    """Path and query of the request; two slashes at its start would name another host."""
    return escape_leading_slashes(request.get_full_path())


def _find_outage(result: Mapping[str, Any]) -> str:
    return "cache_unavailable" if result.get("error") == "cache_unavailable" else "unavailable"


def refuse(request: HttpRequest, caller: Caller, failure: SignInFailed) -> HttpResponse:
    """A stop: the page with numbers and a retry that is the person's own click, or JSON."""
    report_failure(request, failure, is_stop=True)
    if _is_page(caller):
        return pages.render_failure(request, failure)
    page = get_failure(failure.reason)
    members: dict[str, Any] = {"error": "interaction_refused", "reason": failure.reason}
    members["details"] = {str(label): value for label, value in build_details(failure)}
    response = _json(members, page.title, status=page.status)
    pages.set_retry_after(response, failure.retry_after)
    return response


def refuse_prefetch() -> HttpResponse:
    """Nobody is looking: no flow is begun for a page that may never be opened."""
    return HttpResponse(status=503)


def tell_script(request: HttpRequest, flow: Flow) -> HttpResponse:
    """401 with the claims (RFC 6750 §3) and addresses of this site for the person's own click."""
    page, browser = build_login_url(request, flow)
    popup, _same = build_login_url(request, flow, is_popup=True)
    members = {"error": "interaction_required", "login_url": page, "popup_url": popup}
    text = _("Your organization asks for another step. Sign in again to go on.")
    response = _json(members, text, status=401)
    capabilities = get_settings().client_capabilities
    claims = merge_claims(capabilities, flow.requirement.build_claims()) or "{}"
    encoded = base64.b64encode(claims.encode()).decode()
    response["WWW-Authenticate"] = f'Bearer error="insufficient_claims", claims="{encoded}"'
    pages.set_flow_browser(response, browser, flow)
    return response


def redirect_htmx(request: HttpRequest, flow: Flow, prompt: Prompt | None) -> HttpResponse:
    """200 with HX-Redirect: to Entra, or to a page that says what was not kept."""
    response = HttpResponse()
    if prompt is not None:
        response["HX-Redirect"] = prompt.uri
        pages.set_flow_browser(response, prompt.browser, flow)
        return response
    url, browser = build_login_url(request, flow, loses_input=True)
    response["HX-Redirect"] = url
    pages.set_flow_browser(response, browser, flow)
    return response


def link_out_of_frame(request: HttpRequest, flow: Flow) -> HttpResponse:
    """A page with a link for the whole window: Entra does not show itself in a frame."""
    sends = request.method not in {"GET", "HEAD"}
    url, browser = build_login_url(request, flow, loses_input=sends)
    response = pages.render_page(request, "frame", {"continue_url": url}, status=401)
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Content-Security-Policy"] = pages.FRAME_POLICY
    pages.set_flow_browser(response, browser, flow)
    return response


def tell_not_kept(request: HttpRequest, flow: Flow, text: str | Promise) -> HttpResponse:
    """A page that does not move on by itself, because what was sent will have to be sent again."""
    url, browser = build_login_url(request, flow)
    context = {"continue_url": url, "message": text}
    response = pages.render_page(request, "not_kept", context)
    pages.set_flow_browser(response, browser, flow)
    return response


def _is_page(caller: Caller) -> bool:
    """Whether a person sees the body; htmx swaps it in where the site lets it show errors."""
    return caller in {Caller.NAVIGATION, Caller.FORM, Caller.FRAME, Caller.HTMX}


def _json(members: dict[str, Any], text: str | Promise, *, status: int) -> JsonResponse:
    return JsonResponse({**members, "error_description": str(text)}, status=status)
