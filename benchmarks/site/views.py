"""One view for each way; all but one need a signed-in Django user."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

from benchmarks.site import askers
from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.decorators import entra_login_required

_turns = itertools.count()
last_seconds = 0.0
"""How long the last view waited for its token."""


@login_required
def plain(request: HttpRequest) -> HttpResponse:
    """Use no token."""
    return HttpResponse("in")


@entra_login_required
def guarded(request: HttpRequest) -> HttpResponse:
    """Use no token, but be signed in through Entra."""
    return HttpResponse("in")


@entra_login_required
def ours(request: HttpRequest) -> HttpResponse:
    """Use a token of this project."""
    return _answer(request, askers.ask_ours)


@entra_login_required
def ours_half(request: HttpRequest) -> HttpResponse:
    """Find the local copy every other time."""
    if next(_turns) % 2:
        local_copies.clear()
    return _answer(request, askers.ask_ours)


@entra_login_required
def ours_never(request: HttpRequest) -> HttpResponse:
    """Never find the local copy."""
    local_copies.clear()
    return _answer(request, askers.ask_ours)


@login_required
def msal_kept(request: HttpRequest) -> HttpResponse:
    """Use MSAL with an application that is kept."""
    return _answer(request, askers.ask_kept_msal)


@login_required
def msal_rebuilt(request: HttpRequest) -> HttpResponse:
    """Use MSAL with an application made for this request."""
    return _answer(request, askers.ask_rebuilt_msal)


@login_required
def identity(request: HttpRequest) -> HttpResponse:
    """Use the package identity on a page that needs Django's user as well."""
    return _answer(request, askers.ask_identity)


def identity_alone(request: HttpRequest) -> HttpResponse:
    """Use the package identity on a site without Django users."""
    return _answer(request, askers.ask_identity)


def _answer(request: HttpRequest, ask: Callable[[Any], object]) -> HttpResponse:
    global last_seconds  # noqa: PLW0603  read by the process that runs the view
    start = time.perf_counter()
    got = ask(request)
    last_seconds = time.perf_counter() - start
    return got if isinstance(got, HttpResponse) else HttpResponse(str(len(str(got))))
