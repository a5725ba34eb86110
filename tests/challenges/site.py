"""Views that challenge in every way there is, for any method; they note what they got done."""

from __future__ import annotations

from typing import Any

import requests
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.urls import path

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.shortcuts import challenge_response
from tests.site.challenges import MAIL, USER, graph
from tests.site.urls_challenges import urlpatterns as others

done: list[list[tuple[str, list[str]]]] = []


def page(request: HttpRequest) -> HttpResponse:
    """Where calls come from."""
    get_token(request)
    return HttpResponse("Page")


def finish(request: HttpRequest) -> HttpResponse:
    sent = [
        (name, values) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken"
    ]
    done.append(sent)
    return HttpResponse("Done")


@entra_login_required
def token(request: Any) -> HttpResponse:
    request.entra.token(MAIL)
    return finish(request)


@entra_login_required(scopes=MAIL)
def scopes(request: HttpRequest) -> HttpResponse:
    return finish(request)


@entra_login_required
def api(request: Any) -> HttpResponse:
    requests.get(graph("/v1.0/me"), auth=request.entra.auth(USER), timeout=10).raise_for_status()
    return finish(request)


@entra_login_required
def api_transfer(request: Any) -> HttpResponse:
    auth = request.entra.auth(USER)
    requests.post(
        graph("/v1.0/me/transfer"), json={"amount": 1}, auth=auth, timeout=10
    ).raise_for_status()
    return finish(request)


@entra_login_required
def other_client(request: Any) -> HttpResponse:
    headers = {"Authorization": f"Bearer {request.entra.token(USER)}"}
    answer = requests.get(graph("/v1.0/me"), headers=headers, timeout=10)
    request.entra.raise_for_challenge(answer.status_code, answer.headers, USER)
    return finish(request)


@entra_login_required(auth_context="c1")
def context(request: HttpRequest) -> HttpResponse:
    return finish(request)


@entra_login_required(max_age=300)
def recent(request: HttpRequest) -> HttpResponse:
    return finish(request)


def require_context(request: Any) -> None:
    if "c1" not in request.entra.contexts:
        raise InteractionRequired(auth_context="c1")


@entra_login_required
def raised(request: HttpRequest) -> HttpResponse:
    require_context(request)
    return finish(request)


@entra_login_required
def caught(request: HttpRequest) -> HttpResponse:
    try:
        require_context(request)
    except InteractionRequired as needed:
        return challenge_response(request, needed)
    return finish(request)


@entra_login_required
def twofold(request: Any) -> HttpResponse:
    require_context(request)
    return token(request)


@entra_login_required(auth_context="c1", scopes=MAIL)
def both(request: HttpRequest) -> HttpResponse:
    return finish(request)


@entra_login_required
async def async_token(request: Any) -> HttpResponse:
    entra = await request.aentra()
    await entra.atoken(MAIL)
    return finish(request)


@entra_login_required(auth_context="c1")
async def async_context(request: Any) -> HttpResponse:
    return finish(request)


@entra_login_required
async def async_raised(request: Any) -> HttpResponse:
    if "c1" not in (await request.aentra()).contexts:
        raise InteractionRequired(auth_context="c1")
    return finish(request)


urlpatterns = [
    path("page/", page),
    path("token/", token),
    path("scopes/", scopes),
    path("api/", api),
    path("api-transfer/", api_transfer),
    path("other-client/", other_client),
    path("context/", context),
    path("recent/", recent),
    path("raised/", raised),
    path("caught/", caught),
    path("twofold/", twofold),
    path("both/", both),
    path("async-token/", async_token),
    path("async-context/", async_context),
    path("async-raised/", async_raised),
    *others,
]
