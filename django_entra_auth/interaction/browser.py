"""The cookies that bind a sign-in to the browser it was started in."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Literal

from django.http import HttpRequest, HttpResponseBase

from django_entra_auth.conf import EntraSettings
from django_entra_auth.sealing import KeyRing, SealError, decode_text, encode_text

HOST_COOKIE = "__Host-entra_browser"  # a sibling host cannot plant a cookie with this prefix
LOOPBACK_COOKIE = "entra_browser"  # browsers refuse the prefix without https
MARKER_COOKIE = "entra_signed_in"
MARKER_SECONDS = 60
SIGN_OUT_COOKIE = "entra_signed_out"
SIGN_OUT_SECONDS = 600
# What a sign-out has ended beside the session: "provider", this browser was sent to Entra's own
# sign-out; "everywhere", the other devices'; "passwords", of those not the ones with a password.
SignOutWord = Literal["provider", "everywhere", "passwords"]
NEW_BROWSER = "_entra_new_browser"
SIGNED_OUT_FLAG = "_entra_signed_out"

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


def read_browser(request: HttpRequest, *, secure: bool) -> str | None:
    """The browser's secret, only if exactly one cookie of the name came.

    Django's parsed cookies keep the last of several; a second one means that somebody else
    planted it, so the raw header decides.
    """
    if hasattr(request, SIGNED_OUT_FLAG):
        return None
    name = _cookie_name(secure=secure)
    pairs = (pair.partition("=") for pair in request.META.get("HTTP_COOKIE", "").split(";"))
    values = [value.strip() for key, _, value in pairs if key.strip() == name]
    return values[0] if len(values) == 1 and _VALUE.fullmatch(values[0]) else None


def new_browser() -> str:
    """A fresh 256-bit secret."""
    return secrets.token_urlsafe(32)


def ensure_browser(request: HttpRequest, *, secure: bool) -> str:
    """The browser's secret, or the one this response is going to give it."""
    held = read_browser(request, secure=secure) or getattr(request, NEW_BROWSER, None)
    browser: str = held or new_browser()
    setattr(request, NEW_BROWSER, browser)
    return browser


def set_browser(response: HttpResponseBase, browser: str, *, secure: bool) -> None:
    """Leave the secret with the browser until it is closed."""
    _set_cookie(response, _cookie_name(secure=secure), browser, secure=secure)


def set_marker(
    response: HttpResponseBase,
    id_hash: str,
    settings: EntraSettings,
    *,
    secure: bool,
    clock: Callable[[], float] = time.time,
) -> None:
    """Note for a minute which sign-in, by the hash of its id, was just completed here."""
    sealed = KeyRing(settings, "marker").seal_json([int(clock()), id_hash])
    value = encode_text(sealed)
    _set_cookie(response, MARKER_COOKIE, value, secure=secure, max_age=MARKER_SECONDS)
    _delete_cookie(response, SIGN_OUT_COOKIE)


def read_marker(
    request: HttpRequest, settings: EntraSettings, *, clock: Callable[[], float] = time.time
) -> str | None:
    """The hash of the id of the sign-in completed in this browser within the last minute."""
    try:
        sealed = decode_text(request.COOKIES.get(MARKER_COOKIE, ""))
        issued_at, id_hash = KeyRing(settings, "marker").open_json(sealed)
    except SealError:
        return None
    return str(id_hash) if abs(clock() - issued_at) <= MARKER_SECONDS else None


def mark_signed_out(request: HttpRequest) -> None:
    """From here on this request has no browser secret: a sign-in that follows gets a new one."""
    setattr(request, SIGNED_OUT_FLAG, True)
    request.__dict__.pop(NEW_BROWSER, None)


def drop_cookies(request: HttpRequest, response: HttpResponseBase) -> None:
    """After a sign-out forget browser and marker, unless the response sets them anew."""
    if not hasattr(request, SIGNED_OUT_FLAG):
        return
    for name in {HOST_COOKIE, LOOPBACK_COOKIE, MARKER_COOKIE} - set(response.cookies):
        _delete_cookie(response, name)
    if SIGN_OUT_COOKIE not in response.cookies:
        set_signed_out(response)


def set_signed_out(response: HttpResponseBase, *more: SignOutWord) -> None:
    """Note for ten minutes that somebody signed out here, and what else was ended.

    It chooses words and asks for the account at the next sign-in; nothing else rests on it.
    """
    value = ".".join(["site", *more])
    _set_cookie(response, SIGN_OUT_COOKIE, value, secure=False, max_age=SIGN_OUT_SECONDS)


def has_signed_out(request: HttpRequest) -> bool:
    """Whether somebody has just signed out in this browser."""
    return bool(request.COOKIES.get(SIGN_OUT_COOKIE))


def read_signed_out(request: HttpRequest) -> frozenset[str]:
    """The words with which the last sign-out in this browser was noted."""
    return frozenset(request.COOKIES.get(SIGN_OUT_COOKIE, "").split("."))


def drop_marker(response: HttpResponseBase) -> None:
    """Forget the marker, so that the person's own next try goes ahead."""
    _delete_cookie(response, MARKER_COOKIE)


def _cookie_name(*, secure: bool) -> str:
    return HOST_COOKIE if secure else LOOPBACK_COOKIE


def _set_cookie(
    response: HttpResponseBase, name: str, value: str, *, secure: bool, max_age: int | None = None
) -> None:
    response.set_cookie(
        name, value, max_age=max_age, secure=secure, httponly=True, samesite="Lax", path="/"
    )


def _delete_cookie(response: HttpResponseBase, name: str) -> None:
    response.delete_cookie(name, path="/", samesite="Lax")  # Secure is added for __Host- names
