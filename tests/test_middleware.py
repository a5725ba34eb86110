"""The middleware: `request.entra` on every request, and no work on pages that ignore it."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path

from django_entra_auth.interaction.browser import HOST_COOKIE, LOOPBACK_COOKIE, MARKER_COOKIE
from django_entra_auth.middleware import EntraAuthMiddleware
from django_entra_auth.session import EntraSession
from django_entra_auth.testing import sign_in

COOKIES = {HOST_COOKIE, LOOPBACK_COOKIE, MARKER_COOKIE}


def public(request: Any) -> HttpResponse:
    return HttpResponse(type(request.entra).__name__)


async def public_async(request: Any) -> HttpResponse:
    return HttpResponse(type(request.entra).__name__)


def reading(request: Any) -> HttpResponse:
    return HttpResponse(str(request.entra.is_signed_in))


def leaving(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse()


urlpatterns = [
    path("public/", public),
    path("public-async/", public_async),
    path("reading/", reading),
    path("leaving/", leaving),
]
pytestmark = pytest.mark.urls(__name__)


def test_it_is_sync_or_async_as_what_it_wraps() -> None:
    async def inner(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(EntraAuthMiddleware(inner))
    assert not iscoroutinefunction(EntraAuthMiddleware(lambda request: HttpResponse()))


def test_the_request_gets_both_ways_in() -> None:
    seen: list[Any] = []

    def inner(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    EntraAuthMiddleware(inner)(RequestFactory().get("/"))
    assert isinstance(seen[0].entra, EntraSession)
    assert iscoroutinefunction(seen[0].aentra.func)


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/public/", "/public-async/"])
def test_a_page_that_does_not_ask_costs_nothing(
    client: Client, page: str, django_assert_num_queries: Any
) -> None:
    sign_in(client)
    with django_assert_num_queries(0):
        response = client.get(page)
    assert response.content == b"EntraSession"
    assert not response.has_header("Vary")
    assert not response.has_header("Cache-Control")
    assert not response.cookies


@pytest.mark.django_db
def test_the_same_behind_the_async_handler(
    async_client: AsyncClient, django_assert_num_queries: Any
) -> None:
    sign_in(async_client)
    with django_assert_num_queries(0):
        response = async_to_sync(async_client.get)("/public-async/")
    assert response.content == b"EntraSession"
    assert not response.has_header("Vary")


@pytest.mark.django_db
def test_a_page_that_asks_varies_by_cookie(client: Client) -> None:
    sign_in(client)
    response = client.get("/reading/")
    assert response.content == b"True"
    assert "Cookie" in response["Vary"]


@pytest.mark.django_db
def test_any_sign_out_drops_the_cookies_of_the_flow(client: Client) -> None:
    sign_in(client)
    response = client.get("/leaving/")
    assert set(response.cookies) >= COOKIES
    assert all(response.cookies[name]["max-age"] == 0 for name in COOKIES)


@pytest.mark.django_db
def test_the_same_behind_the_async_handler_too(async_client: AsyncClient) -> None:
    sign_in(async_client)
    response = async_to_sync(async_client.get)("/leaving/")
    assert set(response.cookies) >= COOKIES
