"""`request.entra` for every view, sync and async, and the answer to what views raise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from django_entra_auth.backends import find_backend
from django_entra_auth.exceptions import ConfigurationRejected, InteractionRequired, TokenError
from django_entra_auth.interaction.browser import drop_cookies
from django_entra_auth.interaction.challenge import challenge_response
from django_entra_auth.interaction.loop_guard import ANSWERED_FLAG, forget_marks
from django_entra_auth.interaction.revalidation import (
    has_ended_elsewhere,
    is_due,
    is_own_page,
    revalidate,
)
from django_entra_auth.recorder import take_events, write_after_answer, write_events
from django_entra_auth.session import EntraSession, load_entra_session
from django_entra_auth.sign_ins import follow_session_key, request_scope
from django_entra_auth.sign_ins.rows import has_cookie_sessions

__all__ = ["EntraAuthMiddleware"]

# Between the two a prompt can be answered: before, Django knows no view, and after, no exception.
VIEW_FLAG = "_entra_view"
FINISHED_FLAG = "_entra_finished"
CHECK_FLAG = "_entra_check_due"
GONE_FLAG = "_entra_gone"
ENDED_FLAG = "_entra_ended"
NEEDED_FLAG = "_entra_needed"


class EntraAuthMiddleware:
    """Adds `request.entra` and `request.aentra`, and answers the exceptions of this app.

    Put it last in MIDDLEWARE, so that no other one answers them first. It reads nothing: pages
    that do not ask for session or user stay free of them.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Wrap the next middleware, or the view."""
        self.get_response = get_response
        self.is_async: bool = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
            # Django would run the other one in a thread, for every request.
            self.process_view = self._aprocess_view  # type: ignore[method-assign,assignment]

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request."""
        if self.is_async:
            return self._acall(request)
        _prepare(request)
        with request_scope():
            response = self.get_response(request)
            if _was_swallowed(request):
                response = _answer_instead(request, response)
        if sign_in_id := _find_moved_sign_in(request):
            follow_session_key(sign_in_id, request.session)
        if events := take_events(request):
            write_after_answer(request, events)
        return _finish(request, response)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        _prepare(request)
        with request_scope():
            response = await self.get_response(request)
            if _was_swallowed(request):
                response = await sync_to_async(_answer_instead)(request, response)
        if sign_in_id := _find_moved_sign_in(request):
            await sync_to_async(follow_session_key)(sign_in_id, request.session)
        if events := take_events(request):
            await sync_to_async(write_events)(events)
        return _finish(request, response)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """Make up for a check with Entra that was due while other middleware read the user."""
        setattr(request, VIEW_FLAG, True)
        return _check_now(request) if hasattr(request, CHECK_FLAG) else None

    async def _aprocess_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        setattr(request, VIEW_FLAG, True)
        if not hasattr(request, CHECK_FLAG):
            return None
        return await sync_to_async(_check_now)(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer to an exception of this app that a view has raised."""
        if isinstance(exception, TokenError | ConfigurationRejected):
            return challenge_response(request, exception)
        # What comes next is an error page, whose exceptions nobody answers.
        setattr(request, FINISHED_FLAG, True)
        return None


def _prepare(request: HttpRequest) -> None:
    request.entra = EntraSession(request)  # type: ignore[attr-defined]
    request.aentra = partial(load_entra_session, request)  # type: ignore[attr-defined]
    if hasattr(request, "session") and hasattr(request, "user"):
        if hasattr(request, "_cached_user") or hasattr(request, "_acached_user"):
            # Other middleware has read the user and may have let somebody pass for it.
            setattr(request, CHECK_FLAG, True)
        request.user = SimpleLazyObject(partial(_load_user, request, request.user))  # type: ignore[assignment]
        request.auser = partial(_aload_user, request, request.auser)


def _load_user(request: HttpRequest, user: Any) -> Any:
    """The user, after a check with Entra where one is due and a prompt could be answered."""
    if _has_ended(request, user):
        setattr(request, GONE_FLAG, True)
        request.user = user
        logout(request)
        return AnonymousUser()
    if not user.is_authenticated or _is_over(request) or not is_due(request):
        return user
    if not hasattr(request, VIEW_FLAG):
        setattr(request, CHECK_FLAG, True)
        request.user = user
        return user
    return user if _is_still_known(request, user) else AnonymousUser()


def _has_ended(request: HttpRequest, user: Any) -> bool:
    """Looked up once for each request, and where nobody can delete the session."""
    if not has_cookie_sessions():
        return False
    if not hasattr(request, ENDED_FLAG):
        setattr(request, ENDED_FLAG, has_ended_elsewhere(request, user))
    return bool(getattr(request, ENDED_FLAG))


def _is_over(request: HttpRequest) -> bool:
    """Whether nobody answers a prompt any more, or one is just being answered."""
    return hasattr(request, FINISHED_FLAG) or hasattr(request, ANSWERED_FLAG)


async def _aload_user(request: HttpRequest, load: Callable[[], Awaitable[Any]]) -> Any:
    if hasattr(request, GONE_FLAG):
        return AnonymousUser()
    user = await load()
    if not user.is_authenticated or _is_over(request):
        return user
    is_known = hasattr(request, ENDED_FLAG) or not has_cookie_sessions()
    if is_known and not is_due(request):
        return user
    return await sync_to_async(_load_user)(request, user)


def _is_still_known(request: HttpRequest, user: Any) -> bool:
    if needed := getattr(request, NEEDED_FLAG, None):
        raise needed
    lazy = request.user
    # The check itself asks who is signed in, and must not start another one.
    request.user = user
    try:
        if revalidate(request, user, find_backend()):
            return True
    except InteractionRequired as needed:
        setattr(request, NEEDED_FLAG, needed)
        # Whoever catches this is to be told the same again, not that somebody is signed in.
        request.user = lazy
        raise
    setattr(request, GONE_FLAG, True)
    return False


def _was_swallowed(request: HttpRequest) -> bool:
    """Whether a prompt was raised that nobody answered.

    Django's `{% if user.is_staff and … %}` takes any exception for False. What is not a plain
    reading has had its effect: the person is asked with the next request.
    """
    is_open = hasattr(request, NEEDED_FLAG) and not hasattr(request, ANSWERED_FLAG)
    return is_open and request.method in {"GET", "HEAD"}


def _answer_instead(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.close()
    return challenge_response(request, getattr(request, NEEDED_FLAG))


def _check_now(request: HttpRequest) -> HttpResponse | None:
    """The answer in the view's place when the person is not to go on."""
    if is_own_page(request) or not (is_due(request) or has_cookie_sessions()):
        return None
    try:
        if request.user.is_authenticated:
            _load_user(request, request.user)
    except InteractionRequired as needed:
        return challenge_response(request, needed)
    is_gone = hasattr(request, GONE_FLAG)
    return challenge_response(request, InteractionRequired()) if is_gone else None


def _find_moved_sign_in(request: HttpRequest) -> str | None:
    """The sign-in of a session that has got another key during this request.

    A change of password, for example, cycles the key. Sessions nobody has looked at are left alone.
    """
    session = getattr(request, "session", None)
    if session is None or not session.modified:
        return None
    if session.session_key in {None, request.COOKIES.get(settings.SESSION_COOKIE_NAME)}:
        return None
    return EntraSession(request).sign_in_id


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    setattr(request, FINISHED_FLAG, True)
    forget_marks(request, response.status_code)
    drop_cookies(request, response)
    return response
