"""`request.entra` for every view, sync and async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from django_entra_auth.interaction.browser import drop_cookies
from django_entra_auth.session import EntraSession, load_entra_session
from django_entra_auth.sign_ins import follow_session_key


class EntraAuthMiddleware:
    """Adds `request.entra` and `request.aentra`; put it last in MIDDLEWARE.

    It reads nothing: pages that do not ask for the session stay free of it.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Wrap the next middleware, or the view."""
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request."""
        if self.is_async:
            return self._acall(request)
        _prepare(request)
        response = self.get_response(request)
        if sign_in_id := _find_moved_sign_in(request):
            follow_session_key(sign_in_id, request.session)
        return _finish(request, response)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        _prepare(request)
        response = await self.get_response(request)
        if sign_in_id := _find_moved_sign_in(request):
            await sync_to_async(follow_session_key)(sign_in_id, request.session)
        return _finish(request, response)


def _prepare(request: HttpRequest) -> None:
    request.entra = EntraSession(request)  # type: ignore[attr-defined]
    request.aentra = partial(load_entra_session, request)  # type: ignore[attr-defined]


def _find_moved_sign_in(request: HttpRequest) -> str | None:
    """The sign-in of a session that has got another key during this request.

    A change of password, for example, cycles the key. Sessions nobody has looked at are left alone.
    """
    session = getattr(request, "session", None)
    if session is None or not session.accessed:
        return None
    if session.session_key in {None, request.COOKIES.get(settings.SESSION_COOKIE_NAME)}:
        return None
    return EntraSession(request).sign_in_id


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    drop_cookies(request, response)
    return response
