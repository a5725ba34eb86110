"""Each way to get a token that was kept: a function from a request to the token's text."""

from __future__ import annotations

import threading
from typing import Any, Final

import msal
import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from identity.django import Auth

SCOPES: Final = ["api://resource-000/Read"]
MSAL_SESSION_KEY: Final = "token_cache"
_here = threading.local()
_http_cache: dict[str, Any] = {}
_http_client = requests.Session()

identity = Auth(
    settings.ENTRA_AUTH["CLIENT_ID"],
    client_credential=settings.ENTRA_AUTH["CLIENT_CREDENTIAL"],
    authority=settings.AUTHORITY,
    redirect_uri="http://127.0.0.1/identity/callback",
)


def build_msal(cache: msal.TokenCache | None = None) -> msal.ConfidentialClientApplication:
    """Build MSAL's application with all that saves it work: discovered documents, connections."""
    return msal.ConfidentialClientApplication(
        settings.ENTRA_AUTH["CLIENT_ID"],
        client_credential=settings.ENTRA_AUTH["CLIENT_CREDENTIAL"],
        authority=settings.AUTHORITY,
        token_cache=cache,
        instance_discovery=False,
        http_cache=_http_cache,
        http_client=_http_client,
    )


def ask_ours(request: Any) -> str:
    """Ask this project."""
    return str(request.entra.acquire_token_silent(SCOPES)["access_token"])


def ask_kept_msal(request: HttpRequest) -> str:
    """Load the session's tokens into an application that lives as long as its thread.

    One for all threads would hand one person's tokens to another.
    """
    if not hasattr(_here, "application"):
        _here.application = build_msal()
    cache = _load(request)
    _here.application.token_cache = cache
    return _ask_msal(request, _here.application, cache)


def ask_rebuilt_msal(request: HttpRequest) -> str:
    """Build an application around the session's tokens."""
    cache = _load(request)
    return _ask_msal(request, build_msal(cache), cache)


@identity.login_required(scopes=SCOPES)
def ask_identity(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Let identity's decorator load the token, as its documentation says."""
    return HttpResponse(str(len(context["access_token"])))


def _load(request: HttpRequest) -> msal.SerializableTokenCache:
    cache = msal.SerializableTokenCache()
    cache.deserialize(request.session[MSAL_SESSION_KEY])
    return cache


def _ask_msal(request: HttpRequest, application: Any, cache: msal.SerializableTokenCache) -> str:
    (account,) = application.get_accounts()
    result = application.acquire_token_silent(SCOPES, account)
    if cache.has_state_changed:
        request.session[MSAL_SESSION_KEY] = cache.serialize()
    return str(result["access_token"])
