"""Nobody is sent in circles, and nobody is sent off the site."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.visitor import Visitor, query_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(entra, entra_settings):
    return Visitor(entra)


def follow(visitor: Visitor, path: str, limit: int = 6) -> tuple[Any, list[str]]:
    """Follow redirects within the site; fails when they do not end."""
    seen: list[str] = []
    for _ in range(limit):
        response = visitor.client.get(path)
        seen.append(path)
        if response.status_code not in {301, 302, 303}:
            return response, seen
        path = response["Location"]
        if not path.startswith("/"):
            return response, seen
    raise AssertionError(f"endless redirect: {seen}")


@pytest.mark.parametrize("path", ["/reports/", "/admin/", "/admin/auth/user/", "/auth/login/"])
def test_signed_in_person_without_permission(visitor, path):
    visitor.sign_in()
    response, seen = follow(visitor, path)
    assert response.status_code == 403
    assert len(seen) <= 3
    assert "alice@contoso.example" in text_of(response)
    assert "may not be open to you" in text_of(response)


def test_the_page_offers_another_account(visitor):
    visitor.sign_in()
    response, _ = follow(visitor, "/reports/?year=2026")
    assert response.context["next_url"] == "/reports/?year=2026"
    moved = visitor.client.post(
        response.context["login_url"],
        {"account": "other", "next": response.context["next_url"]},
    )
    admin = get_user_model().objects.create_superuser("boss")
    auth_uri = moved.context["continue_url"]
    assert query_of(auth_uri)["prompt"] == "select_account"
    assert visitor.deliver(visitor.answer(auth_uri, "erin"))["Location"] == "/reports/?year=2026"
    assert admin.is_superuser  # somebody else's privileges are not touched


def test_disabled_django_user(visitor):
    """Signed in a moment ago and disabled since: the page speaks of the account, not of cookies."""
    visitor.sign_in()
    get_user_model().objects.update(is_active=False)
    response, _ = follow(visitor, "/private/")
    assert response["Location"].startswith(visitor.entra.origin)
    answer = visitor.deliver(visitor.answer(response["Location"]))
    assert answer.status_code == 403
    assert "disabled" in text_of(answer)
    assert not visitor.is_signed_in()


def test_disabled_entra_user_stays_on_entras_page(visitor):
    from django_entra_auth.emulator import EmulatorPage

    with pytest.raises(EmulatorPage) as caught:
        visitor.sign_in("dave")
    assert caught.value.number == 50057
    assert get_user_model().objects.count() == 0


@pytest.mark.parametrize("mode", ["form_post", "query"])
def test_strict_session_cookies(entra, entra_settings, mode):
    """The callback answers with same-site pages, since a redirect would lose the cookie."""
    entra_settings.SESSION_COOKIE_SAMESITE = "Strict"
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "RESPONSE_MODE": mode}
    visitor = Visitor(entra)
    response = visitor.deliver(visitor.answer(visitor.begin("/private/?x=1")))
    assert response.status_code == 200
    response = visitor.client.get(response.context["continue_url"])
    assert response.status_code == 200
    assert response.context["continue_url"] == "/private/?x=1"
    assert 'http-equiv="refresh"' in response.content.decode()
    assert visitor.is_signed_in()


OPEN_REDIRECTS = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "https://evil.example",
    "HTTPS://evil.example/private/",
    "http:evil.example",
    "http:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "/private/\r\nSet-Cookie: a=b",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\x00/evil.example",
    "https://127.0.0.1:8000@evil.example/",
    "http://127.0.0.1:8000.evil.example/",
    "/auth/logout/",
    "/auth/login/?next=/private/",
    "/auth/callback?state=x",
    "/auth/front-channel-logout?sid=x",
    "/" + "a" * 501,
]


@pytest.mark.parametrize("target", OPEN_REDIRECTS)
def test_open_redirects_are_refused(visitor, target):
    response = visitor.sign_in(next_url=target)
    assert response.status_code == 302
    assert response["Location"] == "/"


def test_next_is_checked_again_when_used(visitor, settings):
    """What was a page when it was sealed is ours by the time it is used."""
    answer = visitor.answer(visitor.begin("/private/login/"))
    settings.ROOT_URLCONF = "tests.site.urls_moved"
    answer_path = answer.url.replace("/auth/callback", "/private/callback")
    moved = type(answer)(method=answer.method, url=answer_path, fields=answer.fields)
    response = visitor.deliver(moved)
    assert response.status_code == 302
    assert response["Location"] == "/"


def test_nothing_but_next_is_read_from_the_query(visitor):
    query = "prompt=none&claims=%7B%7D&login_hint=x&max_age=0&scope=Mail.Read&state=x&account=other"
    auth_uri = visitor.client.get(f"/auth/login/?next=/private/&{query}")["Location"]
    parameters = query_of(auth_uri)
    assert "prompt" not in parameters
    assert "login_hint" not in parameters
    assert "max_age" not in parameters
    assert "Mail.Read" not in parameters["scope"]
