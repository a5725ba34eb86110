"""`request.entra` for every view, sync and async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from django_entra_auth.interaction.browser import drop_cookies
from django_entra_auth.session import EntraSession, load_entra_session


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
        return _finish(request, self.get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        _prepare(request)
        return _finish(request, await self.get_response(request))


def _prepare(request: HttpRequest) -> None:
    request.entra = EntraSession(request)  # type: ignore[attr-defined]
    request.aentra = partial(load_entra_session, request)  # type: ignore[attr-defined]


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    drop_cookies(request, response)
    return response
