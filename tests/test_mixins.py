"""`EntraLoginRequiredMixin` on sync and async classes, with other mixins, behind Django's wall."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings as django_settings
from django.contrib.auth.mixins import AccessMixin, PermissionRequiredMixin
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path
from django.views.generic import View

from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.testing import sign_in
from tests.shapes import get

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
WALL = "django.contrib.auth.middleware.LoginRequiredMiddleware"


class Plain(EntraLoginRequiredMixin, View):
    text = "in"

    def get(self, request: Any) -> HttpResponse:
        return HttpResponse(f"{self.text}:{request.entra.account.username}")

    def post(self, request: Any) -> HttpResponse:
        return HttpResponse("posted")


class Async(EntraLoginRequiredMixin, View):
    async def get(self, request: Any) -> HttpResponse:
        entra = await request.aentra()
        return HttpResponse(f"in:{entra.account.username}")


class WithPermission(EntraLoginRequiredMixin, PermissionRequiredMixin, View):
    permission_required = "auth.view_user"

    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")


class Raising(EntraLoginRequiredMixin, View):
    raise_exception = True

    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")


class OwnRefusal(EntraLoginRequiredMixin, View):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")

    def handle_no_permission(self) -> Any:
        return HttpResponse("own refusal", status=418)


class RaisingWithScopes(Raising):
    entra_scopes = ["User.Read"]


class OwnRefusalWithScopes(OwnRefusal):
    entra_scopes = ["User.Read"]


class AsyncWithScopes(Async):
    entra_scopes = ["User.Read"]


urlpatterns = [
    path("raising-scopes/", RaisingWithScopes.as_view()),
    path("own-refusal-scopes/", OwnRefusalWithScopes.as_view()),
    path("async-scopes/", AsyncWithScopes.as_view()),
    path("plain/", Plain.as_view()),
    path("async/", Async.as_view()),
    path("initkwargs/", Plain.as_view(text="other")),
    path("permission/", WithPermission.as_view()),
    path("raising/", Raising.as_view()),
    path("own-refusal/", OwnRefusal.as_view()),
    path("auth/", include("django_entra_auth.urls")),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.mark.parametrize("page", ["/plain/", "/async/"])
def test_people_signed_in_through_entra_get_in(caller: Any, page: str) -> None:
    sign_in(caller)
    response = get(caller, page)
    assert response.content == b"in:alice@contoso.example"
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


@pytest.mark.parametrize("page", ["/plain/", "/async/", "/permission/"])
def test_others_are_asked_to_sign_in(caller: Any, page: str) -> None:
    assert get(caller, page)["Location"] == f"/auth/login/?next={page}"
    caller.force_login(User.objects.create(username="local"), backend=MODEL_BACKEND)
    assert get(caller, page)["Location"] == f"/auth/login/?next={page}"


@pytest.mark.parametrize("page", ["/plain/", "/async/"])
def test_it_is_the_same_behind_djangos_wall(caller: Any, page: str, settings: Any) -> None:
    settings.MIDDLEWARE = [*django_settings.MIDDLEWARE[:-1], WALL, django_settings.MIDDLEWARE[-1]]
    assert get(caller, page)["Location"] == f"/auth/login/?next={page}"
    sign_in(caller)
    assert get(caller, page).status_code == 200


def test_a_post_is_guarded_too(client: Client) -> None:
    asked = client.post("/plain/")
    assert (asked.status_code, asked.content == b"posted") == (200, False)
    assert asked.context["continue_url"].startswith("/auth/login/?next=")
    sign_in(client)
    assert client.post("/plain/").content == b"posted"


def test_a_permission_is_checked_after_the_sign_in(client: Client) -> None:
    user = sign_in(client)
    assert client.get("/permission/").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert client.get("/permission/").content == b"in:"


def test_the_view_is_still_a_view() -> None:
    assert issubclass(EntraLoginRequiredMixin, AccessMixin)
    assert Plain.as_view().view_class is Plain  # type: ignore[attr-defined]
    assert iscoroutinefunction(Async.as_view())
    assert not iscoroutinefunction(Plain.as_view())
    assert Plain.as_view().login_required is False  # type: ignore[attr-defined]


def test_initkwargs_arrive(client: Client) -> None:
    sign_in(client)
    assert client.get("/initkwargs/").content.startswith(b"other:")
    with pytest.raises(TypeError):
        Plain.as_view(unknown=1)


def test_without_the_middleware_it_says_so() -> None:
    with pytest.raises(ImproperlyConfigured, match="EntraAuthMiddleware"):
        Plain.as_view()(RequestFactory().get("/"))


def test_it_can_refuse_as_every_access_mixin_does(client: Client) -> None:
    assert client.get("/raising/").status_code == 403
    assert client.get("/own-refusal/").status_code == 418
    sign_in(client)
    assert client.get("/own-refusal/").content == b"in:"


@pytest.mark.parametrize("page", ["/raising-scopes/", "/own-refusal-scopes/", "/async-scopes/"])
def test_trouble_is_no_refusal(caller: Any, page: str, settings: Any) -> None:
    """Whoever lacks a right is refused; that the cache is down is nobody's fault."""
    sign_in(caller)
    redis = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": redis, "LOCATION": "redis://127.0.0.1:1/0"}}
    response = get(caller, page)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("page", "status"),
    [("/raising-scopes/", 403), ("/own-refusal-scopes/", 418), ("/async-scopes/", 302)],
)
def test_without_a_token_it_refuses_too(
    caller: Any, page: str, status: int, entra: Any, entra_settings: Any
) -> None:
    sign_in(caller)
    assert get(caller, page).status_code == status
    assert [one for one in entra.requests if one.path.endswith("/token")] == []
