"""`entra_login_required(scopes=…)` reads the cache once, and the view's own use not at all."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from django_entra_auth.emulator.faults import Fault
from tests.request_tokens.site import operations, requests_for_tokens

pytestmark = [pytest.mark.urls("tests.request_tokens.site"), pytest.mark.django_db]

PAGES = ["/sure/", "/sure-async/", "/sure-class/", "/sure-async-class/", "/sure-calling/"]
# What a client says when it connects is no use of the cache.
GREETINGS = frozenset({"client|setinfo", "client|setname", "hello", "select", "config|resetstat"})


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest, visitor: Any) -> Any:
    """Ask as the visitor, behind Django's sync handler or its async one."""
    if request.param == "wsgi":
        return visitor.client.get
    client = AsyncClient(headers={"host": "127.0.0.1:8000"})
    client.cookies = visitor.client.cookies
    return async_to_sync(client.get)


def commands_of(redis: Any) -> dict[str, int]:
    """The commands Redis itself has counted since the last reset."""
    found = redis.info("commandstats")
    counts = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in found.items()}
    return {name: count for name, count in counts.items() if name not in GREETINGS | {"info"}}


def measure(get: Any, redis: Any, page: str) -> tuple[Counter[str], dict[str, int]]:
    get(page)  # the first request of a handler loads its middleware
    operations.clear()
    redis.config_resetstat()
    assert get(page).status_code == 200
    return Counter(operations), commands_of(redis)


@pytest.mark.parametrize("page", PAGES)
def test_it_is_one_read(entra, get, redis, page):
    """Without a copy in this process; as this app, and as Redis counts."""
    asked, commands = measure(get, redis, page)
    assert asked == {"get": 1}
    assert commands == {"get": 1}
    assert len(requests_for_tokens(entra)) == 1


@pytest.mark.parametrize("page", PAGES)
def test_with_a_copy_it_is_none(entra, get, redis, settings, page):
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 15}
    asked, commands = measure(get, redis, page)
    assert asked == {}
    assert commands == {}


@pytest.mark.parametrize("page", ["/private/", "/private-async/", "/private-class/"])
def test_without_scopes_it_is_none(get, redis, page):
    asked, commands = measure(get, redis, page)
    assert asked == {}
    assert commands == {}


@pytest.mark.parametrize("page", PAGES)
def test_without_a_token_the_view_does_not_run(entra, get, redis, page):
    redis.flushdb()
    response = get(page)
    assert response.status_code == 302
    assert response["Location"].startswith(entra.authority)
    assert entra.graph.calls == []


@pytest.mark.parametrize("page", PAGES)
def test_trouble_waits(entra, get, redis, page):
    for key in redis.keys("*entra:1:tokens:*"):
        redis.delete(key)
    entra.faults.add("token", Fault(503, "busy", {"Retry-After": "9"}), times=None)
    response = get(page)
    assert response.status_code == 503
    assert 1 <= int(response["Retry-After"]) <= 9
