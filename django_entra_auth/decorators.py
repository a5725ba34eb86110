"""`entra_login_required`: a view for people signed in through Entra."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, overload

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase

from django_entra_auth.exceptions import EntraAuthError, InteractionRequired
from django_entra_auth.interaction.challenge import NO_RESUME_FLAG, challenge_response
from django_entra_auth.interaction.requirement import NOTHING, Requirement, make_requirement
from django_entra_auth.session import EntraSession

__all__ = ["entra_login_required"]

Refuse = Callable[[HttpRequest, EntraAuthError], HttpResponseBase]
View = TypeVar("View", bound=Callable[..., Any])


@overload
def entra_login_required(view_func: View) -> View: ...


@overload
def entra_login_required(
    view_func: None = None,
    *,
    scopes: Sequence[str] = (),
    auth_context: str | None = None,
    max_age: int | None = None,
    resume: bool = True,
) -> Callable[[View], View]: ...


def entra_login_required(
    view_func: View | None = None,
    *,
    scopes: Sequence[str] = (),
    auth_context: str | None = None,
    max_age: int | None = None,
    resume: bool = True,
) -> View | Callable[[View], View]:
    """Let only people in who are signed in through Entra; others are asked to sign in.

    `scopes` (of one API) makes sure of a token before the view runs, and asks for consent where
    it is missing. `auth_context` ("c1") asks for a step-up, which counts for STEP_UP_SECONDS.
    `max_age` (seconds) asks for credentials that were given within it. `resume=False` never
    keeps a form of this view that a prompt interrupts. Raises ValueError for what makes no sense.

    Bare or called, on sync and async views, above or below Django's own decorators. The answer
    is `private, no-store` unless the view sets Cache-Control itself. Without `scopes` it costs
    no query and no cache access beyond Django's own loading of session and user.
    """
    requirement = make_requirement(scopes=scopes, auth_context=auth_context, max_age=max_age)

    def decorate(view: View) -> View:
        wrapper = guard(view, requirement=requirement, resume=resume)
        wrapper.login_required = False  # type: ignore[attr-defined]  # Django's middleware: it checks itself
        return wrapper  # type: ignore[return-value]

    return decorate if view_func is None else decorate(view_func)


def guard(
    view_func: Callable[..., Any],
    *,
    requirement: Requirement = NOTHING,
    resume: bool = True,
    refuse: Refuse = challenge_response,
) -> Callable[..., Any]:
    """`view_func` for sign-ins that meet the requirement; others get what `refuse` answers."""
    make = _guard_async if _is_async(view_func) else _guard_sync
    wrapper = make(view_func, requirement, resume, refuse)
    wrapper.entra_requirement = requirement  # type: ignore[attr-defined]  # for the doctor
    return wrapper


def _is_async(view_func: Callable[..., Any]) -> bool:
    """Also for the bound `dispatch` of a class with async handlers: its answer is awaitable."""
    if iscoroutinefunction(view_func):
        return True
    bound = getattr(view_func, "func", view_func)
    return bool(getattr(getattr(bound, "__self__", None), "view_is_async", False))


def _guard_sync(
    view_func: Callable[..., Any], requirement: Requirement, resume: bool, refuse: Refuse
) -> Callable[..., Any]:
    @wraps(view_func)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        _note_resume(request, resume)
        try:
            entra = _attribute(request, "entra")
            _require(entra, requirement)
            if requirement.scopes:
                entra.token(requirement.scopes)
        except EntraAuthError as needed:
            return _keep_private(refuse(request, needed))
        return _keep_private(view_func(request, *args, **kwargs))

    return wrapper


def _guard_async(
    view_func: Callable[..., Any], requirement: Requirement, resume: bool, refuse: Refuse
) -> Callable[..., Any]:
    @wraps(view_func)
    async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        _note_resume(request, resume)
        try:
            entra = await _attribute(request, "aentra")()
            _require(entra, requirement)
            if requirement.scopes:
                await entra.atoken(requirement.scopes)
        except EntraAuthError as needed:
            return _keep_private(await sync_to_async(refuse)(request, needed))
        return _keep_private(await view_func(request, *args, **kwargs))

    return wrapper


def _require(entra: EntraSession, requirement: Requirement) -> None:
    """Raise InteractionRequired unless the sign-in is what is asked for."""
    if entra.is_signed_in:
        if not (requirement.auth_context or requirement.max_age is not None):
            return
        if requirement.unmet(entra.claims, time.time(), contexts=entra.contexts) is None:
            return
    raise InteractionRequired(
        scopes=requirement.scopes,
        auth_context=requirement.auth_context,
        max_age=requirement.max_age,
    )


def _note_resume(request: HttpRequest, resume: bool) -> None:
    if not resume:
        setattr(request, NO_RESUME_FLAG, True)


def _attribute(request: HttpRequest, name: str) -> Any:
    try:
        return getattr(request, name)
    except AttributeError:
        raise ImproperlyConfigured(
            "Add 'django_entra_auth.middleware.EntraAuthMiddleware' to MIDDLEWARE."
        ) from None


def _keep_private(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response
