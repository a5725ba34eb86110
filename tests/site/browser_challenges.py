"""Pages for a real browser: each needs a person in one way, and says when it has what it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

import requests
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.utils.html import escape
from django.views.decorators.clickjacking import xframe_options_sameorigin

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.exceptions import InteractionRequired
from tests.site.challenges import MAIL, USER, graph

SLOW_SECONDS = 0.3
HOLD_SECONDS = 20


@dataclass(frozen=True)
class Visit:
    """A request as it came, and what became of it."""

    method: str
    path: str
    purpose: str
    status: int


visits: list[Visit] = []
received: list[dict[str, list[str]]] = []
lost_cookies: set[str] = set()
is_held, release = Event(), Event()


def note_visits(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Middleware: what the browser sends by itself is seen nowhere else."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        purpose = request.headers.get("Sec-Purpose", "")
        visits.append(Visit(str(request.method), request.path, purpose, response.status_code))
        return response

    return middleware


def lose_cookies(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Middleware: a proxy that does not know the cookies of `lost_cookies`."""

    def middleware(request: HttpRequest) -> HttpResponse:
        cookies = request.META.get("HTTP_COOKIE", "").split("; ")
        kept = [one for one in cookies if one.partition("=")[0] not in lost_cookies]
        request.META["HTTP_COOKIE"] = "; ".join(kept)
        return get_response(request)

    return middleware


def show(title: str, body: str = "", head: str = "") -> HttpResponse:
    start = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    return HttpResponse(f"{start}{head}</head><body><h1>{title}</h1>{body}</body></html>")


def done(request: HttpRequest, who: str = "") -> HttpResponse:
    """The view has what it needs; async views say who it is for."""
    if request.method == "POST":
        fields = dict(request.POST.lists())
        fields.pop("csrfmiddlewaretoken", None)
        received.append(fields)
    return show("Done", f'<p id="who">{escape(who or request.user.get_username())}</p>')


def form(request: HttpRequest, *, files: bool = False) -> HttpResponse:
    kind = ' enctype="multipart/form-data"' if files else ""
    upload = '<label>File <input type="file" name="upload"></label>' if files else ""
    token = f'<input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}">'
    note = '<label>Note <textarea name="note"></textarea></label>'
    body = f'<form method="post"{kind}>{token}{note}{upload}<button>Order</button></form>'
    return show("Form", body)


# Where challenges come from


@entra_login_required
def token(request: Any) -> HttpResponse:
    request.entra.token(MAIL)
    return done(request)


@entra_login_required(scopes=MAIL)
def consent(request: HttpRequest) -> HttpResponse:
    return done(request)


@entra_login_required
def api(request: Any) -> HttpResponse:
    requests.get(graph("/v1.0/me"), auth=request.entra.auth(USER), timeout=10).raise_for_status()
    return done(request)


@entra_login_required
def api_context(request: Any) -> HttpResponse:
    auth, url = request.entra.auth(USER), graph("/v1.0/me/transfer")
    requests.post(url, json={"amount": 1}, auth=auth, timeout=10).raise_for_status()
    return done(request)


@entra_login_required(auth_context="c1")
def context(request: HttpRequest) -> HttpResponse:
    return done(request)


@entra_login_required(max_age=300)
def recent(request: HttpRequest) -> HttpResponse:
    return done(request)


@entra_login_required
def raised(request: Any) -> HttpResponse:
    require_context(request)
    return done(request)


@entra_login_required(auth_context="c1")
async def async_context(request: HttpRequest) -> HttpResponse:
    entra = await request.aentra()  # type: ignore[attr-defined]
    return done(request, entra.account.username)


@entra_login_required
async def async_token(request: Any) -> HttpResponse:
    entra = await request.aentra()
    await entra.atoken(MAIL)
    return done(request, entra.account.username)


def require_context(request: Any) -> None:
    if "c1" not in request.entra.contexts:
        raise InteractionRequired(auth_context="c1")


# Forms: open to everybody signed in, sending them needs the context


@entra_login_required
def order(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return form(request)
    require_context(request)
    return done(request)


@entra_login_required
def upload(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return form(request, files=True)
    require_context(request)
    received.append({name: [file.read().decode()] for name, file in request.FILES.items()})
    return done(request)


@entra_login_required
def token_form(request: Any) -> HttpResponse:
    """Sending it needs a token."""
    if request.method != "POST":
        return form(request)
    request.entra.token(MAIL)
    return done(request)


# What pages do beside being looked at


@entra_login_required
def script_page(request: HttpRequest) -> HttpResponse:
    """A page whose scripts call `answer`, and that frames and fetches ahead what it is told to."""
    get_token(request)
    head = '<script src="/static/django_entra_auth/challenge.js" defer></script>'
    head += '<link rel="stylesheet" href="/static/django_entra_auth/entra.css">'
    return show("Scripts", head=head)


@entra_login_required(auth_context="c1")
def answer(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        received.append({"body": [request.body.decode()]})
    return JsonResponse({"who": request.user.get_username()})


@entra_login_required
def frame_page(request: HttpRequest) -> HttpResponse:
    return show("Outside", '<iframe src="/framed/" title="Inside" width="800"></iframe>')


@xframe_options_sameorigin
@entra_login_required(auth_context="c1")
def framed(request: HttpRequest) -> HttpResponse:
    return done(request)


@entra_login_required
def prefetch_page(request: HttpRequest) -> HttpResponse:
    """Asks the browser to load `context` before anybody goes there."""
    path = "/context/?ahead=1"
    if "rules" in request.GET:
        kind = request.GET["rules"]
        rules = f'{{"{kind}": [{{"urls": ["{path}"], "eagerness": "immediate"}}]}}'
        head = f'<script type="speculationrules">{rules}</script>'
    else:
        head = f'<link rel="prefetch" href="{path}">'
    return show("Ahead", f'<a href="{path}">Go there</a>', head)


@entra_login_required
def poll(request: HttpRequest) -> JsonResponse:
    """Who is signed in; with `slow`, what is loaded at the start is written at a late end."""
    who = request.user.get_username()
    if "slow" in request.GET:
        request.session["polled"] = time.time()
        time.sleep(SLOW_SECONDS)
    return JsonResponse({"who": who})


@entra_login_required
def hold(request: HttpRequest) -> JsonResponse:
    """Writes the session as it was at the start when the test says so."""
    request.session["held"] = True
    is_held.set()
    release.wait(HOLD_SECONDS)
    return JsonResponse({})


@entra_login_required
def poll_page(request: HttpRequest) -> HttpResponse:
    return show("Polls", head='<script src="/static/tests/poll.js" defer></script>')


@login_not_required
def empty(request: HttpRequest) -> HttpResponse:
    return show("Empty")
