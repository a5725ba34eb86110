"""Addresses of `login` that carry a sealed challenge: for scripts, links and a person's retry."""

from __future__ import annotations

import hmac
from dataclasses import replace
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction.browser import ensure_browser, read_browser
from django_entra_auth.interaction.prompt import (
    build_redirect_uri,
    find_keeper,
    load_details,
)
from django_entra_auth.interaction.state import (
    LOGIN_URL,
    Flow,
    name_account,
    new_flow_id,
    open_flow,
    seal_flow,
)
from django_entra_auth.session import EntraSession

PARAMETER = "challenge"


def build_login_url(
    request: HttpRequest, flow: Flow, *, is_popup: bool = False, loses_input: bool = False
) -> tuple[str, str]:
    """The local address that asks for the same as `flow`, and the browser's secret it is for.

    It is sealed, bound to the browser and the account, and ages as a sign-in does.
    """
    settings = get_settings()
    browser = ensure_browser(request, secure=flow.is_secure)
    wanted = replace(flow, id=new_flow_id(), is_popup=is_popup, loses_input=loses_input, attempt=0)
    keep = find_keeper(request, settings)
    sealed, _ = seal_flow(wanted, browser, settings, keep=keep, purpose=LOGIN_URL)
    query = urlencode({"next": flow.next_url, PARAMETER: sealed})
    return f"{reverse('django_entra_auth:login')}?{query}", browser


def read_challenge(request: HttpRequest) -> Flow | None:
    """The flow a sealed address asks for, with this request's redirect URI; None for any other.

    An address that has aged, was altered, or is for another browser or account, asks for nothing.
    """
    text = request.GET.get(PARAMETER, "")
    if not text:
        return None
    settings = get_settings()
    try:
        sealed = load_details(open_flow(text, settings, purpose=LOGIN_URL), settings)
    except SignInFailed:
        return None
    flow = sealed.flow
    browser = read_browser(request, secure=flow.is_secure)
    if not sealed.is_from(browser) or not _is_for_account(request, flow):
        return None
    redirect_uri = build_redirect_uri(request, settings)
    return replace(flow, id=new_flow_id(), redirect_uri=redirect_uri, has_details=False)


def _is_for_account(request: HttpRequest, flow: Flow) -> bool:
    return hmac.compare_digest(flow.expected, name_account(EntraSession(request).account))
