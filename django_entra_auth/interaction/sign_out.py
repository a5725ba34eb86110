"""Sign-out: here first, then at Entra."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from django.contrib.auth import logout
from django.http import HttpRequest
from django.urls import reverse

from django_entra_auth import sign_ins, signals
from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.interaction.browser import SignOutWord, mark_signed_out
from django_entra_auth.interaction.resume import drop_forms
from django_entra_auth.session import EntraSession


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A sign-out: where to end Entra's session, if it is to be, and what else has ended."""

    end_session_uri: str | None
    words: tuple[SignOutWord, ...] = ()


def is_anybody_here(request: HttpRequest) -> bool:
    """Whether there is something to sign out: a user, or what is left of an Entra sign-in."""
    return bool(request.user.is_authenticated or EntraSession(request).sign_in_id)


def sign_out(
    request: HttpRequest, *, everywhere: bool = False, at_provider: bool = False
) -> SignedOut:
    """End the session here, with `everywhere` the person's sign-ins on all other devices first.

    There is no `end_session_uri` for people who were not signed in through Entra, unless
    `at_provider` asks for it, and while Entra cannot be asked. Raises TemporarilyUnavailable when
    sessions of other devices are in a cache that is down; then this one is not ended here, though
    it ends with all others of somebody who has no password.
    """
    entra = EntraSession(request)
    was_signed_in, hint = entra.is_signed_in, entra.claims.get("login_hint")
    words = _end_elsewhere(request, entra) if everywhere else ()
    logout(request)
    goes_on = was_signed_in or at_provider
    return SignedOut(build_end_session_uri(request, hint) if goes_on else None, words)


def build_end_session_uri(request: HttpRequest, login_hint: str | None = None) -> str | None:
    """The address of Entra's own sign-out, which leads back here; None while it is not known.

    Without the optional claim `login_hint` Entra asks which of several accounts is meant.
    """
    return get_application().get_logout_uri(
        post_logout_redirect_uri=_post_logout_uri(request), logout_hint=login_hint
    )


def _end_elsewhere(request: HttpRequest, entra: EntraSession) -> tuple[SignOutWord, ...]:
    user = request.user
    if not user.is_authenticated:
        return ()
    sign_ins.end_everywhere(user, spare=entra.sign_in_id)
    has_password = getattr(user, "has_usable_password", bool)()
    return ("everywhere", "passwords") if has_password else ("everywhere",)


def forget_sign_in(sender: Any, *, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Receiver of `user_logged_out`: whoever calls Django's logout ends the sign-in as well."""
    if not hasattr(request, "session"):  # somebody ends an API's own token
        return
    sign_in_id = EntraSession(request).sign_in_id
    mark_signed_out(request)
    with suppress(TemporarilyUnavailable):  # what cannot be deleted ends by itself
        drop_forms(request.session, get_settings())
    if sign_in_id is None or not sign_ins.end(sign_in_id):
        return
    signals.signed_out.send_robust(
        sender, request=request, user=user, sign_in_hash=sign_ins.hash_id(sign_in_id)
    )


def _post_logout_uri(request: HttpRequest) -> str:
    path = reverse("django_entra_auth:logout")
    redirect_uri = get_settings().redirect_uri
    return urljoin(redirect_uri, path) if redirect_uri else request.build_absolute_uri(path)
