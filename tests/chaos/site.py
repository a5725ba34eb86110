"""The site of the drills: pages with and without tokens, which tell how long the cache let wait."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django_redis.cache import RedisCache

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.exceptions import build_token_error

USER = ["User.Read"]
CALLS = frozenset({"get", "get_many", "set", "add", "delete", "touch", "incr"})
WAITS_HEADER, SECONDS_HEADER = "X-Cache-Waits", "X-Cache-Seconds"


@dataclass
class Waits:
    """Calls of the cache that failed within a request, and how long they took together."""

    count: int = 0
    seconds: float = 0.0


waits: ContextVar[Waits | None] = ContextVar("waits", default=None)


class CountingCache(RedisCache):  # type: ignore[misc]
    """django-redis; says how often and how long a request waited for nothing."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return _counted(found) if name in CALLS else found


def _counted(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def counted(*args: Any, **kwargs: Any) -> Any:
        begun = time.monotonic()
        try:
            return call(*args, **kwargs)
        except Exception:
            noted = waits.get()
            if noted is not None:
                noted.count += 1
                noted.seconds += time.monotonic() - begun
            raise

    return counted


class TellWaits:
    """The outermost middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        noted = Waits()
        token = waits.set(noted)
        try:
            response = self.get_response(request)
        finally:
            waits.reset(token)
        response[WAITS_HEADER] = str(noted.count)
        response[SECONDS_HEADER] = f"{noted.seconds:.3f}"
        return response


def open_page(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


@entra_login_required
def plain(request: Any) -> JsonResponse:
    return _tell(request.entra)


@entra_login_required(scopes=USER)
def token(request: Any) -> JsonResponse:
    return _tell(request.entra, request.entra.token(USER))


@entra_login_required(scopes=USER)
async def token_async(request: Any) -> JsonResponse:
    entra = await request.aentra()
    return _tell(entra, await entra.atoken(USER))


@entra_login_required
def fresh(request: Any) -> JsonResponse:
    """A token that is asked for at Entra each time, under the lock of all workers."""
    result = request.entra.acquire_token_silent(USER, force_refresh=True)
    if result is None or "error" in result:
        raise build_token_error(result, scopes=USER)
    return _tell(request.entra, result["access_token"])


def _tell(entra: Any, access_token: str | None = None) -> JsonResponse:
    """Who is signed in, and whose the token is."""
    told = {"oid": entra.account.oid}
    if access_token is not None:
        body = access_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        told["token_oid"] = claims["oid"]
    return JsonResponse(told)


urlpatterns = [
    path("open/", open_page),
    path("plain/", plain),
    path("token/", token),
    path("token-async/", token_async),
    path("fresh/", fresh),
    path("auth/", include("django_entra_auth.urls")),
]
