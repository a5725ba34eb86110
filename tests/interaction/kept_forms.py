"""Forms as a browser sends them, kept and opened; for the tests of kept forms."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, _get_new_csrf_string
from django.test import RequestFactory

from django_entra_auth.conf import get_settings
from django_entra_auth.interaction.resume import (
    Owner,
    ResumeRefused,
    claim_form,
    grant,
    keep_form,
)
from django_entra_auth.interaction.sent_form import URL_ENCODED, KeptForm, NotKept

FLOW = b"f" * 16
DOWN = {  # nobody listens there
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
    }
}
MINE, THEIRS = "M" * 43, "T" * 43
PAIRS = [("b", "1"), ("a", "2"), ("b", "3"), ("empty", ""), ("text", "one\r\ntwo"), ("ü", "日本 ☃")]
TOKEN = _get_new_csrf_string()


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def check_csrf(request: HttpRequest, checked_view: Any = view) -> HttpRequest:
    """The request after Django's middleware has looked at it."""
    request.COOKIES["csrftoken"] = TOKEN
    middleware = CsrfViewMiddleware(lambda request: HttpResponse())
    middleware.process_request(request)
    middleware.process_view(request, checked_view, (), {})
    return request


def send(
    pairs: list[tuple[str, str]] = PAIRS, *, path: str = "/money/?from=1", **extra: Any
) -> HttpRequest:
    """A url-encoded form as a browser sends it, its CSRF token checked."""
    body = urlencode([("csrfmiddlewaretoken", TOKEN), *pairs])
    request = RequestFactory().post(path, body, content_type=URL_ENCODED, **extra)
    request.session = SessionStore()
    return check_csrf(request)


def send_multipart(fields: dict[str, Any]) -> HttpRequest:
    data = {"csrfmiddlewaretoken": TOKEN, **fields}
    request = RequestFactory().post("/money/", data)
    request.session = SessionStore()
    return check_csrf(request)


def keep(request: HttpRequest, view_func: Any = view, **changes: Any) -> str | NotKept:
    if request.resolver_match is None:
        request.resolver_match = SimpleNamespace(func=view_func)  # type: ignore[assignment]
    options: dict[str, Any] = {"flow_id": FLOW, "settings": get_settings()}
    owner = pop_owner(changes)
    return keep_form(request, owner, **{**options, **changes})


def pop_owner(changes: dict[str, Any]) -> Owner:
    return Owner(changes.pop("browser", MINE), changes.pop("user_id", "7"))


def open_with(function: Any, session: Any, resume_id: Any, **changes: Any) -> KeptForm:
    request = RequestFactory().get("/")
    request.session = session
    owner = pop_owner(changes)
    form = function(request, resume_id, owner, **{"settings": get_settings(), **changes})
    assert isinstance(form, KeptForm)
    return form


def keep_and_open(request: HttpRequest, view_func: Any = view) -> KeptForm:
    """The way of a form through a prompt that ended well."""
    resume_id = keep(request, view_func)
    assert not isinstance(resume_id, NotKept), resume_id
    grant(request.session, resume_id)
    return open_with(claim_form, request.session, resume_id)


def refusal(function: Any, session: Any, resume_id: Any, **changes: Any) -> str:
    with pytest.raises(ResumeRefused) as caught:
        open_with(function, session, resume_id, **changes)
    return caught.value.reason


def kept() -> tuple[Any, str]:
    """A form that was kept and granted: the session, its id."""
    request = send()
    resume_id = keep(request)
    assert not isinstance(resume_id, NotKept)
    grant(request.session, resume_id)
    return request.session, resume_id
