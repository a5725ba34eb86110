"""Views that use tokens, a cache that counts, and what tests of them ask."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, cast

import requests
from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.core.cache.backends.redis import RedisCache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import include, path
from django.views.generic import View

from django_entra_auth import sign_ins
from django_entra_auth.decorators import entra_login_required
from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.oauth2.token_cache import Holder
from tests.site.challenges import graph
from tests.site.urls import urlpatterns as site_urls
from tests.visitor import Visitor

COUNTED = ("get", "set", "add", "delete", "incr", "touch", "has_key", "get_many", "set_many")
CHALLENGE = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c1"}}})
USER = ["User.Read"]
WAIT_SECONDS = 20
operations: Counter[str] = Counter()


class CountingCache(RedisCache):
    """Counts what is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        if name in COUNTED:
            operations[name] += 1
        return super().__getattribute__(name)


CACHE = f"{__name__}.CountingCache"
DOWN = {"default": {"BACKEND": CACHE, "LOCATION": "redis://127.0.0.1:1/0"}}


def _wishes(request: HttpRequest) -> dict[str, Any]:
    return {
        "claims_challenge": request.GET.get("claims"),
        "force_refresh": "force" in request.GET,
    }


def token(request: Any) -> JsonResponse:
    result = request.entra.acquire_token_silent(request.GET.getlist("scope"), **_wishes(request))
    return JsonResponse({"result": result})


async def token_async(request: Any) -> JsonResponse:
    entra = await request.aentra()
    result = await entra.aacquire_token_silent(request.GET.getlist("scope"), **_wishes(request))
    return JsonResponse({"result": result})


def twice(request: Any) -> JsonResponse:
    for _ in range(2):
        result = request.entra.acquire_token_silent(request.GET.getlist("scope"))
    return JsonResponse({"result": result})


@login_required
def plain(request: Any) -> HttpResponse:
    return HttpResponse(request.user.get_username())


@entra_login_required
def page(request: Any) -> HttpResponse:
    result = request.entra.acquire_token_silent(["User.Read"])
    return HttpResponse("without" if "error" in result else "with")


def strict(request: Any) -> HttpResponse:
    return HttpResponse(request.entra.token(request.GET.getlist("scope") or USER))


async def strict_async(request: Any) -> HttpResponse:
    entra = await request.aentra()
    return HttpResponse(await entra.atoken(request.GET.getlist("scope") or USER))


def calling(request: Any) -> JsonResponse:
    url = graph("/v1.0/me")
    answer = requests.get(url, auth=request.entra.auth(USER), timeout=WAIT_SECONDS)
    return JsonResponse({"status": answer.status_code})


@entra_login_required(scopes=USER)
def sure(request: Any) -> HttpResponse:
    return HttpResponse(request.entra.token(USER))


@entra_login_required(scopes=USER)
def sure_calling(request: Any) -> JsonResponse:
    return cast(JsonResponse, calling(request))


@entra_login_required(scopes=USER)
async def sure_async(request: Any) -> HttpResponse:
    entra = await request.aentra()
    return HttpResponse(await entra.atoken(USER))


class Sure(EntraLoginRequiredMixin, View):
    entra_scopes = USER

    def get(self, request: Any) -> HttpResponse:
        return HttpResponse(request.entra.token(USER))


class SureAsync(EntraLoginRequiredMixin, View):
    entra_scopes = USER

    async def get(self, request: Any) -> HttpResponse:
        entra = await request.aentra()
        return HttpResponse(await entra.atoken(USER))


@entra_login_required
def stepped_up(request: Any) -> HttpResponse:
    if "c1" not in request.entra.contexts:
        raise InteractionRequired(auth_context="c1")
    return HttpResponse("c1")


async def outsider(request: Any) -> HttpResponse:
    """Reaches for a person's tokens as only background code may, in each of three ways."""
    user = await request.auser()
    tries = (
        lambda: sync_to_async(sign_ins.tokens_for)(user),
        lambda: asyncio.to_thread(sign_ins.tokens_for, user),
        lambda: asyncio.create_task(_reach(user)),
    )
    found = await asyncio.gather(*(one() for one in tries), return_exceptions=True)
    return HttpResponse(" ".join(type(one).__name__ for one in found))


async def _reach(user: Any) -> Any:
    return sign_ins.tokens_for(user)


def outsider_sync(request: Any) -> HttpResponse:
    try:
        sign_ins.tokens_for(request.user)
    except RuntimeError as refusal:
        return HttpResponse(type(refusal).__name__)
    return HttpResponse("reached")


urlpatterns = [
    path("strict/", strict),
    path("strict-async/", strict_async),
    path("calling/", calling),
    path("sure/", sure),
    path("sure-calling/", sure_calling),
    path("sure-async/", sure_async),
    path("sure-class/", Sure.as_view()),
    path("sure-async-class/", SureAsync.as_view()),
    path("stepped-up/", stepped_up),
    path("outsider/", outsider),
    path("outsider-sync/", outsider_sync),
    path("token/", token),
    path("token-async/", token_async),
    path("twice/", twice),
    path("plain/", plain),
    path("page/", page),
    *site_urls,
    path("again/", include("django.contrib.auth.urls")),
]


def ask(client: Client, *scopes: str, view: str = "/token/", **wishes: str) -> Any:
    response = client.get(view, {"scope": scopes or ("User.Read",), **wishes})
    assert response.status_code == 200
    return response.json()["result"]


def requests_for_tokens(entra: Any) -> list[Any]:
    return [one for one in list(entra.requests) if one.path.endswith("/token")]


def shorten(entra: Any, seconds: int, **more: Any) -> None:
    entra.mutate_token_response = lambda answer: {**answer, "expires_in": seconds, **more}


def open_cache(visitor: Visitor) -> Any:
    return sign_ins.open_token_cache(visitor.client.session["_entra"]["id"])


def holder(visitor: Visitor) -> Holder:
    return Holder("account", visitor.client.session["_entra"]["home"])


def keys_of(redis: Any, kind: str) -> list[bytes]:
    return sorted(redis.keys(f"*entra:1:{kind}:*"))
