"""`entra_login_required`: a view for people signed in through Entra."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, overload

from asgiref.sync import iscoroutinefunction
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_cache_control

Refuse = Callable[[HttpRequest], HttpResponseBase]
View = TypeVar("View", bound=Callable[..., Any])


@overload
def entra_login_required(view_func: View) -> View: ...


@overload
def entra_login_required(view_func: None = None) -> Callable[[View], View]: ...


def entra_login_required(view_func: View | None = None) -> View | Callable[[View], View]:
    """Let only people in who are signed in through Entra; others are asked to sign in.

    Bare or called, on sync and async views, above or below Django's own decorators. The answer
    is `private, no-store` unless the view sets Cache-Control itself. It costs no query and no
    cache access beyond Django's own loading of session and user.
    """
    if view_func is None:
        return entra_login_required
    wrapper = guard(view_func, refuse=ask_to_sign_in)
    wrapper.login_required = False  # type: ignore[attr-defined]  # Django's middleware: it checks itself
    return wrapper


def guard(view_func: Callable[..., Any], *, refuse: Refuse) -> Callable[..., Any]:
    """`view_func` for people signed in through Entra; the others get what `refuse` answers."""
    return (_guard_async if _is_async(view_func) else _guard_sync)(view_func, refuse)


def _is_async(view_func: Callable[..., Any]) -> bool:
    """Also for the bound `dispatch` of a class with async handlers: its answer is awaitable."""
    if iscoroutinefunction(view_func):
        return True
    bound = getattr(view_func, "func", view_func)
    return bool(getattr(getattr(bound, "__self__", None), "view_is_async", False))


def _guard_sync(view_func: Callable[..., Any], refuse: Refuse) -> Callable[..., Any]:
    @wraps(view_func)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not _attribute(request, "entra").is_signed_in:
            return _keep_private(refuse(request))
        return _keep_private(view_func(request, *args, **kwargs))

    return wrapper


def _guard_async(view_func: Callable[..., Any], refuse: Refuse) -> Callable[..., Any]:
    @wraps(view_func)
    async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        entra = await _attribute(request, "aentra")()
        if not entra.is_signed_in:
            return _keep_private(refuse(request))
        return _keep_private(await view_func(request, *args, **kwargs))

    return wrapper


def _attribute(request: HttpRequest, name: str) -> Any:
    try:
        return getattr(request, name)
    except AttributeError:
        raise ImproperlyConfigured(
            "Add 'django_entra_auth.middleware.EntraAuthMiddleware' to MIDDLEWARE."
        ) from None


def ask_to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """The way to `login`, and back here after it."""
    return redirect_to_login(request.get_full_path(), reverse("django_entra_auth:login"))


def _keep_private(response: HttpResponseBase) -> HttpResponseBase:
    if not response.has_header("Cache-Control"):
        patch_cache_control(response, private=True, no_store=True)
    return response
