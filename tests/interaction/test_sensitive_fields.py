"""Fields that a view has declared sensitive are found wherever the decorator sits."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import resolve
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.generic import View

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.interaction import sensitive_fields
from django_entra_auth.interaction.sensitive_fields import SensitiveFields, find_sensitive_fields
from django_entra_auth.mixins import EntraLoginRequiredMixin

CARD = sensitive_post_parameters("card")


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def plain_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class OnPost(View):
    @method_decorator(CARD)
    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse()


@method_decorator([never_cache, CARD], name="dispatch")
class OnDispatch(View):
    pass


class Overriding(OnDispatch):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)


class BehindMixin(EntraLoginRequiredMixin, OnPost):
    pass


class Wrapping:
    """A decorator written as a class."""

    def __init__(self, view: Any) -> None:
        self.view = view

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.view(request)


class Callable:
    @method_decorator(CARD)
    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse()


def without_wraps(view: Any) -> Any:
    def inner(request: HttpRequest) -> HttpResponse:
        return view(request)

    return inner


def find(view: Any) -> SensitiveFields:
    return find_sensitive_fields(RequestFactory().post("/"), view)


WITH_CARD = {
    "bare": CARD(plain),
    "async": CARD(plain_async),
    "below ours": entra_login_required(CARD(plain)),
    "below ours, async": entra_login_required(CARD(plain_async)),
    "below several": never_cache(csrf_protect(entra_login_required(CARD(plain)))),
    "below a decorator without wraps": without_wraps(CARD(plain)),
    "below a decorator class": Wrapping(CARD(plain)),
    "below variables": sensitive_variables("number")(CARD(plain)),
    "above variables": CARD(sensitive_variables()(plain)),
    "partial": functools.partial(CARD(plain), extra=1),
    "post": OnPost.as_view(),
    "below ours, post": entra_login_required(OnPost.as_view()),
    "dispatch": OnDispatch.as_view(),
    "dispatch of a parent": Overriding.as_view(),
    "mixin": BehindMixin.as_view(),
    "bound method": OnPost().post,
    "bound method over a parent's": Overriding().dispatch,
    "callable object": Callable(),
}


@pytest.mark.parametrize("name", WITH_CARD)
def test_it_is_found_before_the_view_runs(name: str) -> None:
    assert find(WITH_CARD[name]) == SensitiveFields(frozenset({"card"}))


def test_names_of_several_decorators_add_up() -> None:
    view = CARD(entra_login_required(sensitive_post_parameters("pin", "code")(plain)))
    assert find(view).names == {"card", "pin", "code"}
    assert find_sensitive_fields(RequestFactory().post("/"), CARD(plain), None, plain).names


@pytest.mark.parametrize(
    "view",
    [
        sensitive_post_parameters()(plain),
        entra_login_required(CARD(sensitive_post_parameters()(plain))),
        LoginView.as_view(),
        PasswordChangeView.as_view(),
        resolve("/admin/auth/user/add/").func,
        admin.site._registry[User].add_view,
    ],
    ids=["bare", "below", "login", "password change", "admin from its URL", "admin's method"],
)
def test_no_name_means_all_fields(view: Any) -> None:
    assert find(view).is_all
    assert "anything" in find(view)


@pytest.mark.parametrize(
    "view",
    [plain, plain_async, entra_login_required(plain), View.as_view(), None, 1, "text",
     sensitive_variables("card")(plain), sensitive_variables("card")(plain_async)],
    ids=lambda view: getattr(view, "__name__", repr(view)),
)  # fmt: skip
def test_undeclared_fields_are_not_sensitive(view: Any) -> None:
    assert find(view) == SensitiveFields()
    assert "card" not in find(view)


def test_what_the_decorator_left_on_the_request_counts() -> None:
    request = RequestFactory().post("/")
    CARD(plain)(request)
    assert find_sensitive_fields(request, plain).names == {"card"}
    sensitive_post_parameters()(plain)(request)
    assert find_sensitive_fields(request, plain).is_all


@pytest.mark.parametrize("value", ["__ALL__", "card", None, 1, ["card", 2]])
def test_what_cannot_be_read_on_the_request_is_all(value: object) -> None:
    request = RequestFactory().post("/")
    request.sensitive_post_parameters = value  # type: ignore[attr-defined]
    assert find_sensitive_fields(request, plain).is_all


@pytest.mark.parametrize("content", [None, 5, "card", [1]])
def test_a_decorator_that_cannot_be_read_is_all(content: object) -> None:
    view = CARD(plain)
    names = view.__code__.co_freevars
    view.__closure__[names.index("parameters")].cell_contents = content
    try:
        assert find(entra_login_required(view)).is_all
    finally:
        view.__closure__[names.index("parameters")].cell_contents = ("card",)


def test_an_emptied_cell_is_all() -> None:
    view = sensitive_post_parameters("pin")(plain)
    cell = view.__closure__[view.__code__.co_freevars.index("parameters")]
    del cell.cell_contents
    assert find(view).is_all


def test_a_decorator_of_another_make_is_all() -> None:
    source = "def make(view, names):\n    def wrapper(r): return view(r, names)\n    return wrapper"
    made: dict[str, Any] = {"__name__": "django.views.decorators.debug"}
    exec(source, made)
    assert find(made["make"](plain, ("card",))).is_all


def test_a_view_too_deep_to_be_looked_at_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    view: Any = plain
    for _ in range(20):
        view = without_wraps(view)
    assert not find(view).is_all
    monkeypatch.setattr(sensitive_fields, "MAX_CALLABLES", 10)
    assert find(view).is_all


def test_views_that_hold_each_other_end() -> None:
    first, second = Wrapping(None), Wrapping(None)
    first.view, second.view = second, first
    assert find(first) == SensitiveFields()


@pytest.mark.parametrize("name", ["password", "old_password", "Password1", "user[PASSWORD]"])
def test_a_password_is_always_sensitive(name: str) -> None:
    assert name in find(plain)
