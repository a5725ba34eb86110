"""Where a person may be sent after a prompt: local paths, and never into the flow itself."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import Resolver404, get_script_prefix, resolve
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme

APP_NAME = "django_entra_auth"
NEXT_MAX_BYTES = 500

_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
# What some browser or proxy reads as the start of "//host".
_SECOND_SLASH = re.compile(r"/(/|%2f|%5c)", re.IGNORECASE)


def check_next(value: object) -> str | None:
    """`value` when it is a local path that may be redirected to, else None."""
    if not isinstance(value, str) or not value.startswith("/"):
        return None
    if _CONTROL.search(value) or _SECOND_SLASH.match(value):
        return None
    url = iri_to_uri(value)
    if len(url) > NEXT_MAX_BYTES or not url_has_allowed_host_and_scheme(url, allowed_hosts=None):
        return None
    return None if _is_own(url) else url


def read_next(request: HttpRequest) -> str:
    """The checked `next` of a request (form before query), or the site's LOGIN_REDIRECT_URL."""
    return check_next(request.POST.get("next", request.GET.get("next"))) or default_next()


def default_next() -> str:
    """Where people go who were not on the way to a page."""
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def _is_own(url: str) -> bool:
    """Whether the path is one of this app's, however it is spelled."""
    path = unquote(url.partition("?")[0].partition("#")[0])
    slash = "/" if path.endswith(("/", "/.", "/..")) else ""
    spellings = {path, posixpath.normpath(path).rstrip("/") + slash}
    return any(map(_is_own_path, spellings))


def _is_own_path(path: str) -> bool:
    try:
        match = resolve("/" + path.removeprefix(get_script_prefix()).lstrip("/"))
    except Resolver404:
        return False
    return APP_NAME in match.app_names
