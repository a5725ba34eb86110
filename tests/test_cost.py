"""What a signed-in person's view costs beyond Django's own session and user: nothing."""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any, NamedTuple

import pytest
import requests
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.contrib.auth.decorators import login_required
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django.views.generic import View

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.testing import sign_in

OURS = "django_entra_auth.middleware.EntraAuthMiddleware"
COUNTED = ("get", "set", "add", "delete", "incr", "touch", "has_key", "get_many", "set_many")
operations: Counter[str] = Counter()


class CountingCache(LocMemCache):
    """Counts what is asked of it, by alias and operation."""

    def __getattribute__(self, name: str) -> Any:
        if name in COUNTED:
            operations[name] += 1
        return super().__getattribute__(name)


@login_required
def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@login_required
async def plain_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@entra_login_required
def decorated(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@entra_login_required
async def decorated_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


class Mixed(EntraLoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("in")


@entra_login_required
def using(request: Any) -> HttpResponse:
    text = f"{request.entra.account.username}{request.entra.claims}{request.user.pk}"
    return HttpResponse(text[:0] + "in")


@entra_login_required
async def using_async(request: Any) -> HttpResponse:
    entra = await request.aentra()
    user = await request.auser()
    return HttpResponse(f"{entra.account.username}{entra.claims}{user.pk}"[:0] + "in")


urlpatterns = [
    path("plain/", plain),
    path("plain-async/", plain_async),
    path("decorated/", decorated),
    path("decorated-async/", decorated_async),
    path("mixed/", Mixed.as_view()),
    path("using/", using),
    path("using-async/", using_async),
    path("auth/", include("django_entra_auth.urls")),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


class Cost(NamedTuple):
    """What one request took."""

    queries: list[str]
    cache: Counter[str]


@pytest.fixture(autouse=True)
def _no_http(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a signed-in person's view must not speak to anybody")

    monkeypatch.setattr(requests.Session, "send", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True)
def _counted_cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.CountingCache", "LOCATION": "counted"}}


def measure(caller: Any, url: str) -> Cost:
    get = async_to_sync(caller.get) if isinstance(caller, AsyncClient) else caller.get
    get(url)  # the first request of a handler loads middleware
    operations.clear()
    with CaptureQueriesContext(connection) as captured:
        response = get(url)
    assert (response.status_code, response.content) == (200, b"in")
    statements = [query["sql"].partition(" WHERE ")[0] for query in captured.captured_queries]
    return Cost(statements, Counter(operations))


@pytest.mark.parametrize(
    ("ours", "djangos"),
    [
        ("/decorated/", "/plain/"),
        ("/mixed/", "/plain/"),
        ("/using/", "/plain/"),
        ("/decorated-async/", "/plain-async/"),
        ("/using-async/", "/plain-async/"),
    ],
)
def test_it_costs_what_djangos_own_costs(
    caller: Any, ours: str, djangos: str, settings: Any, engine: str
) -> None:
    sign_in(caller)
    cost = measure(caller, ours)
    if engine == "signed_cookies":
        # Nobody can delete such a session: whether it was ended is read, in one round trip.
        assert cost.cache.pop("get_many") == 1
        assert cost.cache.pop("get") == 2  # how the cache in memory does it
    settings.MIDDLEWARE = [name for name in django_settings.MIDDLEWARE if name != OURS]
    caller.handler._middleware_chain = None
    assert cost == measure(caller, djangos)


@pytest.mark.parametrize("page", ["/decorated/", "/decorated-async/"])
def test_with_signed_cookies_it_is_one_read_whoever_has_looked_before(
    caller: Any, page: str, settings: Any
) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    *before, ours = django_settings.MIDDLEWARE
    settings.MIDDLEWARE = [*before, "tests.revalidation_site.Early", ours]
    sign_in(caller)
    assert measure(caller, page).cache["get_many"] == 1


def test_sessions_in_the_database_are_two_queries_and_no_cache(client: Client) -> None:
    sign_in(client)
    cost = measure(client, "/using/")
    assert len(cost.queries) == 2
    assert "django_session" in cost.queries[0]
    assert "auth_user" in cost.queries[1]
    assert not cost.cache


def test_sessions_in_the_cache_are_one_get_and_one_query(client: Client, settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    sign_in(client)
    cost = measure(client, "/using/")
    assert len(cost.queries) == 1
    assert cost.cache == Counter({"get": 1})


def test_strangers_cost_nothing_at_all(client: Client, django_assert_num_queries: Any) -> None:
    client.get("/decorated/")
    operations.clear()
    with django_assert_num_queries(0):
        assert client.get("/decorated/", follow=False).status_code == 302
    assert not operations


def test_the_count_would_notice(client: Client) -> None:
    from django.core.cache import cache

    operations.clear()
    cache.get("key")
    cache.set("key", 1)
    assert operations["get"] == 1
    assert operations["set"] == 1
    with pytest.raises(AssertionError, match="must not speak"):
        requests.get("http://127.0.0.1:9/", timeout=1)
