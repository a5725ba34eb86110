"""`entra_login_required` in every way Django views are written and decorated."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.conf import settings as django_settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers
from django.views.generic import TemplateView, View

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.testing import sign_in
from tests.shapes import get

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
WALL = "django.contrib.auth.middleware.LoginRequiredMiddleware"


@entra_login_required
def bare(request: Any) -> HttpResponse:
    """The docstring."""
    return HttpResponse(f"in:{request.entra.account.username}")


@entra_login_required()
def called(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@entra_login_required
async def bare_async(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@entra_login_required()
async def called_async(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@require_GET
@never_cache
@vary_on_headers("X-Thing")
@entra_login_required
def below(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@entra_login_required
@require_GET
@never_cache
@login_required
def above(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@require_GET
@never_cache
@entra_login_required
async def below_async(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@entra_login_required
@require_GET
@never_cache
@login_required
async def above_async(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@method_decorator(entra_login_required, name="dispatch")
class OnClass(View):
    def get(self, request: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponse(f"in:{kwargs}")


@method_decorator(entra_login_required(), name="dispatch")
class OnAsyncClass(View):
    async def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")


class OnDispatch(View):
    @method_decorator(entra_login_required)
    def dispatch(self, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(*args, **kwargs)

    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")


class OnAsyncDispatch(View):
    @method_decorator(entra_login_required)
    async def dispatch(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return await super().dispatch(*args, **kwargs)  # type: ignore[misc]

    async def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")


class OnGet(View):
    @method_decorator([never_cache, entra_login_required])
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")


class OnAsyncGet(View):
    @method_decorator(entra_login_required)
    async def get(self, request: Any) -> HttpResponse:
        return HttpResponse("in:")


@entra_login_required
@cache_control(public=True, max_age=60)
def public_below(request: Any) -> HttpResponse:
    return HttpResponse("in:")


@entra_login_required
def own_cache_control(request: Any) -> HttpResponse:
    return HttpResponse("in:", headers={"Cache-Control": "max-age=5"})


@entra_login_required
def streaming(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"in:"]))


PAGES: dict[str, Any] = {
    "bare": bare,
    "called": called,
    "bare-async": bare_async,
    "called-async": called_async,
    "below": below,
    "above": above,
    "below-async": below_async,
    "above-async": above_async,
    "on-class": OnClass.as_view(),
    "on-async-class": OnAsyncClass.as_view(),
    "on-dispatch": OnDispatch.as_view(),
    "on-async-dispatch": OnAsyncDispatch.as_view(),
    "on-get": OnGet.as_view(),
    "on-async-get": OnAsyncGet.as_view(),
    "template": entra_login_required(TemplateView.as_view(template_name="in.html")),
    "streaming": streaming,
    "public-below": public_below,
    "own-cache-control": own_cache_control,
}
# A wall above the view sees the class only; a decorator on one method is out of its sight.
ON_A_METHOD = {"on-get", "on-async-get"}

urlpatterns = [
    *(path(f"{name}/", view) for name, view in PAGES.items()),
    path("kwargs/<int:number>/", OnClass.as_view()),
    path("auth/", include("django_entra_auth.urls")),
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"in.html": "in:"})]},
    }
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _templates(settings: Any) -> None:
    settings.TEMPLATES = TEMPLATES


@pytest.fixture(params=sorted(PAGES))
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def body(response: Any) -> bytes:
    if not response.streaming:
        return bytes(response.content)

    async def collect() -> bytes:
        return b"".join([part async for part in response])

    return async_to_sync(collect)() if response.is_async else b"".join(response)


def assert_sent_to_login(response: Any, url: str) -> None:
    assert response.status_code == 302
    assert response["Location"] == f"/auth/login/?next={url}"
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))


def test_people_signed_in_through_entra_get_in(caller: Any, page: str) -> None:
    sign_in(caller)
    response = get(caller, f"/{page}/")
    assert response.status_code == 200
    assert body(response).startswith(b"in:")


def test_strangers_are_asked_to_sign_in(caller: Any, page: str) -> None:
    assert_sent_to_login(get(caller, f"/{page}/"), f"/{page}/")


def test_people_of_another_backend_are_asked_to_sign_in(caller: Any, page: str) -> None:
    caller.force_login(User.objects.create(username="local"), backend=MODEL_BACKEND)
    assert_sent_to_login(get(caller, f"/{page}/"), f"/{page}/")


def test_behind_djangos_own_wall_it_is_the_same(caller: Any, page: str, settings: Any) -> None:
    settings.MIDDLEWARE = [*django_settings.MIDDLEWARE[:-1], WALL, django_settings.MIDDLEWARE[-1]]
    response = get(caller, f"/{page}/")
    assert response.status_code == 302
    assert response["Location"].startswith("/auth/login/?")
    sign_in(caller)
    assert get(caller, f"/{page}/").status_code == 200


@pytest.mark.parametrize("name", sorted(set(PAGES) - ON_A_METHOD - {"above", "above-async"}))
def test_djangos_wall_leaves_the_check_to_the_view(name: str) -> None:
    assert PAGES[name].login_required is False


def test_the_way_back_keeps_the_query(client: Client) -> None:
    response = client.get("/bare/?a=b&c=%2F")
    assert response["Location"] == "/auth/login/?next=/bare/%3Fa%3Db%26c%3D%252F"


def test_arguments_of_the_url_arrive(client: Client) -> None:
    sign_in(client)
    assert client.get("/kwargs/7/").content == b"in:{'number': 7}"


PRIVATE = {"private", "no-store"}


@pytest.mark.parametrize("name", ["bare", "bare-async", "on-class", "on-async-class", "streaming"])
def test_answers_are_private_unless_the_view_says_otherwise(client: Client, name: str) -> None:
    sign_in(client)
    assert set(client.get(f"/{name}/")["Cache-Control"].split(", ")) == PRIVATE


@pytest.mark.parametrize(
    ("name", "expected"),
    [("public-below", {"public", "max-age=60"}), ("own-cache-control", {"max-age=5"})],
)
def test_a_view_may_say_otherwise(client: Client, name: str, expected: set[str]) -> None:
    sign_in(client)
    assert set(client.get(f"/{name}/")["Cache-Control"].split(", ")) == expected


@pytest.mark.parametrize("name", ["public-below", "own-cache-control"])
def test_the_way_to_the_sign_in_is_private_whatever_the_view_says(
    client: Client, name: str
) -> None:
    sent = set(client.get(f"/{name}/")["Cache-Control"].split(", "))
    assert sent >= PRIVATE


@pytest.mark.parametrize("name", ["below", "above"])
def test_djangos_decorators_keep_their_effect(client: Client, name: str) -> None:
    sign_in(client)
    assert client.post(f"/{name}/").status_code == 405
    assert {"no-cache", "private", "no-store"} <= set(
        client.get(f"/{name}/")["Cache-Control"].split(", ")
    )


def test_the_view_keeps_its_name_and_nature() -> None:
    assert (bare.__name__, bare.__doc__) == ("bare", "The docstring.")
    assert iscoroutinefunction(bare_async)
    assert iscoroutinefunction(called_async)
    assert not iscoroutinefunction(bare)


def test_without_the_middleware_it_says_so() -> None:
    for view in (bare, OnClass.as_view()):
        with pytest.raises(ImproperlyConfigured, match=r"EntraAuthMiddleware.*MIDDLEWARE"):
            view(RequestFactory().get("/"))
    with pytest.raises(ImproperlyConfigured, match="EntraAuthMiddleware"):
        async_to_sync(bare_async)(RequestFactory().get("/"))


def test_an_attribute_error_of_the_view_is_not_mistaken(client: Client) -> None:
    @entra_login_required
    def faulty(request: HttpRequest) -> HttpResponse:
        return request.nothing_like_it  # type: ignore[attr-defined,no-any-return]

    request = RequestFactory().get("/")
    request.entra = type("Entra", (), {"is_signed_in": True})  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="nothing_like_it"):
        faulty(request)


def test_it_asks_at_its_own_address_whatever_login_url_says(client: Client) -> None:
    with override_settings(LOGIN_URL="/elsewhere/"):
        assert_sent_to_login(client.get("/bare/"), "/bare/")
