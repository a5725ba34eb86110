"""Views and middleware that read `request.user` in every way there is, and what tests of it ask."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.views.generic import View

from django_entra_auth.emulator.faults import Fault
from tests.site.urls_challenges import urlpatterns as site_urls
from tests.visitor import Visitor

OLD_SECONDS = 4000
PLAIN_TEMPLATE = "{{ user.get_username }}"
SWALLOWING_TEMPLATE = "{% if user.is_authenticated and user.is_active %}in{% else %}out{% endif %}"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ],
            "loaders": [
                (
                    "django.template.loaders.locmem.Loader",
                    {
                        "plain.html": PLAIN_TEMPLATE,
                        "swallowing.html": SWALLOWING_TEMPLATE,
                        "404.html": f"Not found, {PLAIN_TEMPLATE}",
                        "403.html": f"Refused, {PLAIN_TEMPLATE}",
                    },
                ),
                "django.template.loaders.app_directories.Loader",
            ],
        },
    }
]
logged: list[str] = []
moments = itertools.count(0, 1000)


def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


def with_session(request: HttpRequest) -> HttpResponse:
    request.session["seen"] = True
    return HttpResponse("session")


def reading(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username())


async def reading_async(request: Any) -> HttpResponse:
    user = await request.auser()
    again = await request.auser()
    return HttpResponse(user.get_username() + ("" if user == again else "?"))


def template(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, "plain.html")


def swallowing(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, "swallowing.html")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


def streaming(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        yield request.user.get_username().encode()

    return StreamingHttpResponse(body())


def failing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username(), status=500)


def stubborn(request: HttpRequest) -> HttpResponse:
    """Takes every exception for a stranger, twice."""
    found = []
    for _ in range(2):
        with suppress(Exception):
            found.append(request.user.get_username() or "nobody")
    return HttpResponse(" ".join(found))


class Wrapper:
    """A request within a request, whose `user` is found late, as API frameworks have it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def user(self) -> Any:
        user = getattr(self._request, "user", None)
        return user if user and user.is_active else None


class Wrapping(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(getattr(Wrapper(request).user, "username", "nobody"))

    post = get


class Early:
    """A middleware that reads the user before any view is known, and again at the end."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        request.user.is_authenticated  # noqa: B018  reading is all it does
        response = self.get_response(request)
        logged.append(request.user.get_username() or "nobody")
        return response


class EarlyView:
    """A middleware that reads the user when the view is known, before this app's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> None:
        logged.append(request.user.get_username() or "nobody")


class Late:
    """A middleware that reads the user only after the view."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        logged.append(request.user.get_username() or "nobody")
        return response


urlpatterns = [
    path("public/", public),
    path("with-session/", with_session),
    path("reading/", reading),
    path("reading-async/", reading_async),
    path("template/", template),
    path("swallowing/", swallowing),
    path("missing/", missing),
    path("streaming/", streaming),
    path("failing/", failing),
    path("stubborn/", stubborn),
    path("wrapping/", Wrapping.as_view()),
    *site_urls,
]


def add_middleware(settings: Any, visitor: Visitor, name: str) -> None:
    """Just before this app's, which has to be the last."""
    *before, ours = django_settings.MIDDLEWARE
    settings.MIDDLEWARE = [*before, name, ours]
    visitor.client.handler._middleware_chain = None  # it loads them once


def make_due(visitor: Visitor) -> None:
    """Let the last check with Entra be long ago."""
    session = visitor.client.session
    entry = session["_entra"]
    # Never the same time twice: it tells one check from another.
    session["_entra"] = {**entry, "checked": entry["checked"] - OLD_SECONDS - next(moments)}
    session.save()
    visitor.client.cookies[django_settings.SESSION_COOKIE_NAME] = session.session_key


def come_long_ago(entra: Any, person: str = "alice") -> Visitor:
    """Somebody who signed in long ago."""
    visitor = Visitor(entra)
    visitor.sign_in(person)
    make_due(visitor)
    return visitor


def refreshes(entra: Any) -> int:
    """How often a refresh token was used."""
    posts = [one for one in list(entra.requests) if one.path.endswith("/token")]
    return sum(one.form["grant_type"] == "refresh_token" for one in posts)


def refuse(entra: Any, number: int, *, times: int | None = None, **members: Any) -> None:
    """Let Entra refuse refreshes, as it words it."""
    body = {
        "error": "invalid_grant",
        "error_description": f"AADSTS{number}: No.",
        "error_codes": [number],
        **members,
    }
    fault = Fault(400, json.dumps(body), {"Content-Type": "application/json"})
    entra.faults.add("token", fault, times=times, grant="refresh_token")


def is_signed_in(visitor: Visitor) -> bool:
    """What the session says, without asking the site."""
    return "_auth_user_id" in visitor.client.session


def user_of(visitor: Visitor) -> Any:
    return User.objects.get(pk=visitor.client.session["_auth_user_id"])
