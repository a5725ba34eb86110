"""Sign-out: here first, then at Entra."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

from django.contrib.auth import logout
from django.http import HttpRequest
from django.urls import reverse

from django_entra_auth import sign_ins, signals
from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.interaction.browser import mark_signed_out
from django_entra_auth.interaction.resume import drop_forms
from django_entra_auth.session import EntraSession


def sign_out(request: HttpRequest) -> str | None:
    """End the session here; the address of Entra's end-session page, if it is to be visited.

    None for people who were not signed in through Entra, and while Entra cannot be asked.
    """
    entra = EntraSession(request)
    was_signed_in, hint = entra.is_signed_in, entra.claims.get("login_hint")
    logout(request)
    if not was_signed_in:
        return None
    return get_application().get_logout_uri(
        post_logout_redirect_uri=_post_logout_uri(request), logout_hint=hint
    )


def forget_sign_in(sender: Any, *, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Receiver of `user_logged_out`: whoever calls Django's logout ends the sign-in as well."""
    sign_in_id = EntraSession(request).sign_in_id
    mark_signed_out(request)
    with suppress(TemporarilyUnavailable):  # what cannot be deleted ends by itself
        drop_forms(request.session, get_settings())
    if sign_in_id is None:
        return
    sign_ins.end(sign_in_id)
    signals.signed_out.send_robust(
        sender, request=request, user=user, sign_in_hash=sign_ins.hash_id(sign_in_id)
    )


def _post_logout_uri(request: HttpRequest) -> str:
    path = reverse("django_entra_auth:logout")
    redirect_uri = get_settings().redirect_uri
    return urljoin(redirect_uri, path) if redirect_uri else request.build_absolute_uri(path)
