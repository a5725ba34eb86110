"""Sign-in by hand: an msal application per request, its token cache in the session."""

from typing import Any

import msal
import requests
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect

SCOPES = ["User.Read"]
GROUPS = {"Editor": "editors"}


def build_app(cache: msal.SerializableTokenCache | None = None) -> Any:
    return msal.ConfidentialClientApplication(
        settings.CLIENT_ID,
        client_credential=settings.CLIENT_SECRET,
        authority=settings.AUTHORITY,
        token_cache=cache,
        instance_discovery=False,
    )


def load_cache(request: HttpRequest) -> msal.SerializableTokenCache:
    cache = msal.SerializableTokenCache()
    cache.deserialize(request.session.get("token_cache"))
    return cache


def login(request: HttpRequest) -> HttpResponse:
    flow = build_app().initiate_auth_code_flow(SCOPES, redirect_uri=settings.REDIRECT_URI)
    request.session["flow"] = flow
    request.session["next"] = request.GET.get("next", "/")
    return redirect(flow["auth_uri"])


def get_a_token(request: HttpRequest) -> HttpResponse:
    cache = load_cache(request)
    flow = request.session.pop("flow", {})
    result = build_app(cache).acquire_token_by_auth_code_flow(flow, request.GET.dict())
    if "error" in result:
        return HttpResponse(result["error"], status=400)
    claims, next_url = result["id_token_claims"], request.session.pop("next")
    user, _ = User.objects.get_or_create(username=claims["oid"])
    user.email = claims.get("email", "")
    user.save()
    names = [GROUPS[role] for role in claims.get("roles", []) if role in GROUPS]
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in names])
    auth.login(request, user)
    request.session["token_cache"] = cache.serialize()
    return redirect(next_url)


def logout(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect(f"{settings.AUTHORITY}/oauth2/v2.0/logout")


@login_required
def graph(request: HttpRequest) -> HttpResponse:
    cache = load_cache(request)
    app = build_app(cache)
    result = app.acquire_token_silent(SCOPES, account=app.get_accounts()[0])
    if not result or "access_token" not in result:
        return redirect(f"{settings.LOGIN_URL}?next={request.path}")
    request.session["token_cache"] = cache.serialize()
    answer = requests.get(
        f"{settings.GRAPH}/me",
        headers={"Authorization": f"Bearer {result['access_token']}"},
        timeout=10,
    )
    return JsonResponse({"name": answer.json()["displayName"]})
