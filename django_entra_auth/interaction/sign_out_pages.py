"""The pages of a sign-out: the question, the way on to Entra, and what is over now."""

from __future__ import annotations

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from django_entra_auth import sign_ins
from django_entra_auth.interaction import pages
from django_entra_auth.interaction.browser import SignOutWord, read_signed_out, set_signed_out
from django_entra_auth.interaction.sign_out import SignedOut


def ask(request: HttpRequest) -> HttpResponse:
    """The button, and the choice to end the sign-ins on other devices too."""
    context = {
        "username": request.user.get_username(),
        "logout_url": reverse("django_entra_auth:logout"),
        "at_provider": request.entra.is_signed_in,  # type: ignore[attr-defined]
        "can_end_everywhere": sign_ins.has_any(request.user),
    }
    return pages.render_page(request, "sign_out", context)


def answer(request: HttpRequest, done: SignedOut) -> HttpResponse:
    """What follows a sign-out: a page that moves on to Entra's, or says what is over."""
    if done.end_session_uri is None:
        response = _render_signed_out(request, done.words)
        set_signed_out(response, *done.words)
        return response
    message = _("Signing you out at Microsoft…")
    moving = pages.continue_to(request, done.end_session_uri, message)
    words: tuple[SignOutWord, ...] = ("provider", *done.words)
    set_signed_out(moving, *words)
    return moving


def fail(request: HttpRequest) -> HttpResponse:
    """Not all could be ended: the person can try again from the question."""
    context = {
        "title": _("Sign out"),
        "message": _("A part of this site is not available."),
        "advice": _("Please try again in a moment."),
        "retry_url": reverse("django_entra_auth:logout"),
    }
    response = pages.render_page(request, "error", context, status=503)
    pages.set_retry_after(response)
    return response


def show(request: HttpRequest) -> HttpResponse:
    """The page on which a sign-out ends, also after the way over Entra's."""
    return _render_signed_out(request, read_signed_out(request))


def _render_signed_out(request: HttpRequest, words: Collection[str]) -> HttpResponse:
    context = {
        "logout_url": reverse("django_entra_auth:logout"),
        "provider_signed_out": "provider" in words,
        "everywhere": "everywhere" in words,
        "passwords_remain": "passwords" in words,
    }
    return pages.render_page(request, "signed_out", context)
