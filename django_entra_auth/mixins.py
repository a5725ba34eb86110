"""`EntraLoginRequiredMixin`: class-based views for people signed in through Entra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.mixins import AccessMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from django_entra_auth.decorators import guard
from django_entra_auth.exceptions import EntraAuthError, InteractionRequired
from django_entra_auth.interaction.challenge import challenge_response
from django_entra_auth.interaction.requirement import make_requirement

__all__ = ["EntraLoginRequiredMixin"]


class EntraLoginRequiredMixin(AccessMixin):
    """The decorator for a whole class, sync or async; put it left of `View`.

    The `entra_` attributes are the decorator's arguments. `raise_exception = True` answers 403
    instead of asking people for anything.
    """

    entra_scopes: Sequence[str] = ()
    entra_auth_context: str | None = None
    entra_max_age: int | None = None
    entra_resume = True

    request: HttpRequest
    _needed: EntraAuthError | None = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """The view function, which Django's LoginRequiredMiddleware leaves alone."""
        # The next class is a View.
        view: Callable[..., Any] = super().as_view(**initkwargs)  # type: ignore[misc]
        view.login_required = False  # type: ignore[attr-defined]
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer, once it is known who asks."""
        requirement = make_requirement(
            scopes=self.entra_scopes,
            auth_context=self.entra_auth_context,
            max_age=self.entra_max_age,
        )
        guarded = guard(
            super().dispatch,  # type: ignore[misc]
            requirement=requirement,
            resume=self.entra_resume,
            refuse=self._refuse,
        )
        return guarded(request, *args, **kwargs)

    def handle_no_permission(self) -> Any:
        """Ask people for what is missing; those who are signed in and lack a right get a 403."""
        if self.raise_exception or self._needed is None:
            raise PermissionDenied(self.get_permission_denied_message())
        return challenge_response(self.request, self._needed)

    def _refuse(self, request: HttpRequest, needed: EntraAuthError) -> Any:
        if not isinstance(needed, InteractionRequired):  # trouble, not a missing right
            return challenge_response(request, needed)
        self._needed = needed
        return self.handle_no_permission()
