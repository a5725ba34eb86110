"""Views that ask for more than a sign-in, each in one of the ways there are."""

from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.shortcuts import challenge_response

MAIL, USER = ["Mail.Read"], ["User.Read"]
received: list[dict[str, list[str]]] = []


def graph(path: str) -> str:
    parts = urlsplit(settings.ENTRA_AUTH["AUTHORITY"])
    return f"{parts.scheme}://{parts.netloc}{path}"


def form_page(request: HttpRequest, title: str) -> HttpResponse:
    from django.middleware.csrf import get_token

    return HttpResponse(
        f"<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1>"
        f"<form method=post><input type=hidden name=csrfmiddlewaretoken value={get_token(request)}>"
        "<input name=amount value=12><textarea name=note></textarea>"
        "<button>Send</button></form>"
    )


def note_form(request: HttpRequest) -> JsonResponse:
    fields = dict(request.POST.lists())
    fields.pop("csrfmiddlewaretoken", None)
    received.append(fields)
    return JsonResponse({"received": fields})


@entra_login_required(scopes=MAIL)
def mail(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Mail")


@entra_login_required(scopes=MAIL)
async def mail_async(request: HttpRequest) -> HttpResponse:
    entra = await request.aentra()  # type: ignore[attr-defined]
    await entra.atoken(MAIL)
    return HttpResponse("Mail")


@entra_login_required(auth_context="c1")
def step_up(request: HttpRequest) -> HttpResponse:
    return note_form(request) if request.method == "POST" else form_page(request, "Step-up")


def late_step_up(request: HttpRequest) -> HttpResponse:
    """The form is open to all signed-in people; sending it needs the context."""
    if request.method != "POST":
        return form_page(request, "Transfer")
    if "c1" not in request.entra.contexts:  # type: ignore[attr-defined]
        raise InteractionRequired(auth_context="c1")
    return note_form(request)


@entra_login_required(auth_context="c1", resume=False)
def step_up_without_resume(request: HttpRequest) -> HttpResponse:
    return note_form(request)


@csrf_exempt
@entra_login_required(auth_context="c1")
def step_up_exempt(request: HttpRequest) -> HttpResponse:
    return note_form(request)


@entra_login_required(max_age=300)
def recent(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Recent")


class StepUpClass(EntraLoginRequiredMixin, View):
    entra_auth_context = "c1"

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("Step-up")


@entra_login_required
def me(request: HttpRequest) -> HttpResponse:
    auth = request.entra.auth(USER)  # type: ignore[attr-defined]
    answer = requests.get(graph("/v1.0/me"), auth=auth, timeout=10)
    return JsonResponse(answer.json(), status=answer.status_code)


@entra_login_required
def transfer(request: HttpRequest) -> HttpResponse:
    """Calls an operation that the API protects by an authentication context."""
    if request.method != "POST":
        return form_page(request, "Transfer")
    auth = request.entra.auth(USER)  # type: ignore[attr-defined]
    answer = requests.post(
        graph("/v1.0/me/transfer"), json={"amount": request.POST["amount"]}, auth=auth, timeout=10
    )
    answer.raise_for_status()
    return note_form(request)


@entra_login_required
def caught(request: HttpRequest) -> HttpResponse:
    """A framework that catches everything itself."""
    try:
        raise InteractionRequired(auth_context="c1")
    except InteractionRequired as needed:
        return challenge_response(request, needed)


@entra_login_required
def relayed(request: HttpRequest) -> HttpResponse:
    """Another HTTP client's answer."""
    token = request.entra.token(USER)  # type: ignore[attr-defined]
    answer = requests.get(
        graph("/v1.0/me"), headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    request.entra.raise_for_challenge(answer.status_code, answer.headers, USER)  # type: ignore[attr-defined]
    return HttpResponse("Me")


@entra_login_required
async def raising_async(request: HttpRequest) -> HttpResponse:
    entra: Any = await request.aentra()  # type: ignore[attr-defined]
    if "c1" not in entra.contexts:
        raise InteractionRequired(auth_context="c1")
    return HttpResponse("Step-up")
