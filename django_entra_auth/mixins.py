"""`EntraLoginRequiredMixin`: class-based views for people signed in through Entra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.mixins import AccessMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from django_entra_auth.decorators import ask_to_sign_in, guard


class EntraLoginRequiredMixin(AccessMixin):
    """The decorator for a whole class, sync or async; put it left of `View`.

    `raise_exception = True` answers 403 instead of asking people to sign in.
    """

    request: HttpRequest
    _is_refused = False

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """The view function, which Django's LoginRequiredMiddleware leaves alone."""
        # The next class is a View.
        view: Callable[..., Any] = super().as_view(**initkwargs)  # type: ignore[misc]
        view.login_required = False  # type: ignore[attr-defined]
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer, once it is known who asks."""
        dispatch = super().dispatch  # type: ignore[misc]
        return guard(dispatch, refuse=self._refuse)(request, *args, **kwargs)

    def handle_no_permission(self) -> Any:
        """Ask people to sign in; those who are signed in and lack something else get a 403."""
        if self.raise_exception or not self._is_refused:
            raise PermissionDenied(self.get_permission_denied_message())
        return ask_to_sign_in(self.request)

    def _refuse(self, request: HttpRequest) -> Any:
        self._is_refused = True
        return self.handle_no_permission()
