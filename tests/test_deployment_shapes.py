"""The same sign-in in the shapes in which sites are deployed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.test import AsyncClient, Client
from django.urls import clear_script_prefix, set_script_prefix

from django_entra_auth.interaction.next_url import check_next
from django_entra_auth.models import EntraSignIn
from tests.visitor import Visitor, make_client, query_of, text_of

pytestmark = pytest.mark.django_db

ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]


@pytest.fixture(params=["redis", "django_redis", "locmem"])
def cache_shape(request, settings, redis_url):
    backends = {
        "redis": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
        },
        "django_redis": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis_url},
        "locmem": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    }
    settings.CACHES = {"default": backends[request.param]}
    yield request.param
    caches["default"].clear()
    caches.close_all()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_session_engine_and_cache(cache_shape, engine, entra, entra_settings, tmp_path):
    entra_settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    entra_settings.SESSION_FILE_PATH = str(tmp_path)
    visitor = Visitor(entra)
    assert visitor.sign_in("bob")["Location"] == "/private/"
    assert visitor.is_signed_in()
    replay = visitor.answer(visitor.client.post(
        "/auth/login/", {"account": "same", "next": "/private/"}
    ).context["continue_url"], "bob")  # fmt: skip
    assert visitor.deliver(replay)["Location"] == "/private/"
    visitor.client.post("/auth/logout/")
    assert not visitor.is_signed_in()
    assert EntraSignIn.objects.count() == 0


def _behind_proxy(entra: Any, settings: Any) -> Client:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "RESPONSE_MODE": "query"}
    entra.application.redirect_uris.append("https://www.example.test/auth/callback")
    return Client(HTTP_HOST="www.example.test", HTTP_X_FORWARDED_PROTO="https")


def test_behind_a_proxy_that_ends_tls(entra, entra_settings):
    client = _behind_proxy(entra, entra_settings)
    response = client.get("/auth/login/", {"next": "/private/"})
    assert query_of(response["Location"])["redirect_uri"] == (
        "https://www.example.test/auth/callback"
    )
    cookie = response.cookies["__Host-entra_browser"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    answer = entra.complete_sign_in(response["Location"])
    done = client.get(answer.url.removeprefix("https://www.example.test"))
    assert done["Location"] == "/private/"
    assert client.get("/private/").status_code == 200


def test_proxy_that_was_not_declared_is_said_before_entra_is_asked(entra, entra_settings):
    """Without SECURE_PROXY_SSL_HEADER the redirect URI would be http, which Entra refuses."""
    entra_settings.ENTRA_AUTH = {
        "CLIENT_ID": entra.client_id,
        "CLIENT_CREDENTIAL": entra.client_secret,
        "TENANT_ID": entra.tenant_id,
    }
    response = Client(HTTP_HOST="www.example.test").get("/auth/login/?next=/private/")
    assert response.status_code == 500
    assert "connected to Microsoft" in text_of(response)
    assert "SECURE_PROXY" not in text_of(response)


def test_below_a_path_of_its_own(request, entra, entra_settings):
    """SCRIPT_NAME: a site that is mounted below a prefix."""
    entra.application.redirect_uris.append("http://127.0.0.1/app/auth/callback")
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "RESPONSE_MODE": "query"}
    entra_settings.FORCE_SCRIPT_NAME = "/app"
    request.addfinalizer(clear_script_prefix)
    set_script_prefix("/app/")  # as the WSGI handler does; the test client's does not
    client = make_client()
    first = client.get("/private/")
    assert first["Location"] == "/app/auth/login/?next=/app/private/"
    response = client.get("/auth/login/", {"next": "/app/private/"})
    answer = entra.complete_sign_in(response["Location"])
    assert answer.url.startswith("http://127.0.0.1:8000/app/auth/callback?")
    done = client.get(answer.url.removeprefix("http://127.0.0.1:8000/app"))
    assert done["Location"] == "/app/private/"
    assert check_next("/app/auth/logout/") is None
    assert check_next("/app/private/") == "/app/private/"


@pytest.mark.django_db(transaction=True)
def test_under_asgi(entra, entra_settings):
    """Start, callback and an async view through the asynchronous handler."""

    entra.application.redirect_uris.append("http://testserver/auth/callback")

    async def walk() -> tuple[int, str, bytes]:
        client = AsyncClient()
        response = await client.get("/auth/login/?next=/private-async/")
        answer = await asyncio.to_thread(entra.complete_sign_in, response["Location"], "bob")
        kept = await AsyncClient().post("/auth/callback", answer.fields)
        assert kept.status_code == 303
        done = await client.get(kept["Location"])
        page = await client.get(done["Location"])
        return page.status_code, done["Location"], page.content

    status, location, content = asyncio.run(walk())
    assert (status, location) == (200, "/private-async/")
    assert b"bob@contoso.example" in content


def test_custom_user_model_with_an_email_for_a_name(tmp_path):
    """Another AUTH_USER_MODEL needs another process: settings are read once."""
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "tests.site.custom_user_sign_in"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["alice@contoso.example", "Alice", "False", "302", "200"]


def test_no_user_is_made_when_the_sign_in_cannot_be_written(entra, entra_settings, monkeypatch):
    """User, session and sign-in row stand or fall together."""
    from django.db import DatabaseError

    from django_entra_auth import sign_ins

    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(sign_ins, "start", fail)
    visitor = Visitor(entra, make_client(raise_request_exception=False))
    assert visitor.sign_in().status_code == 500
    assert get_user_model().objects.count() == 0
    assert not visitor.is_signed_in()
