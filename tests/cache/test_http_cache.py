"""Throttle state in the Django cache: shared, sealed, expired natively, and never in the way."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import msal
import pytest
import requests
from django.core.cache import cache, caches

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.client import get_application
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.oauth2.http_cache import ExpiringCache
from tests.visitor import Visitor

REDIS = "django.core.cache.backends.redis.RedisCache"


@pytest.fixture
def redis_cache(settings, redis_url):
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": redis_url}}
    yield redis_url
    caches["default"].clear()
    caches.close_all()


@pytest.fixture
def broken_cache(settings):
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}}


def test_it_is_a_cache_that_expires_and_a_mapping():
    http_cache = DjangoHTTPCache()
    assert isinstance(http_cache, ExpiringCache)
    http_cache.set("a", {"status": 429}, 60)
    assert http_cache.get("a") == http_cache["a"] == {"status": 429}
    assert not http_cache.add("a", 1, 60)
    assert http_cache.add("b", 1, 60)
    http_cache["c"] = (1, {"x": {2}})
    assert http_cache["c"] == (1, {"x": {2}})
    del http_cache["c"]
    assert "c" not in http_cache
    with pytest.raises(KeyError):
        http_cache["c"]
    assert http_cache.pop("c", "gone") == "gone"
    assert list(http_cache) == []


def test_entries_end_by_themselves():
    http_cache = DjangoHTTPCache()
    http_cache.set("a", 1, 0.01)
    deadline = time.monotonic() + 5
    while http_cache.get("a") is not None:
        assert time.monotonic() < deadline


def test_what_was_altered_is_a_miss():
    http_cache = DjangoHTTPCache()
    http_cache["a"] = "value"
    (key,) = [name.split(":", 2)[2] for name in cache._cache]
    cache.set(key, cache.get(key)[:-1] + b"x")
    assert "a" not in http_cache
    cache.set(key, b"\x80\x04N.")  # a pickle of somebody else's
    assert "a" not in http_cache


def test_nothing_is_readable(redis_cache):
    DjangoHTTPCache().set("a", {"text": "find-me"}, 60)
    store = caches["default"]._cache.get_client()
    (key,) = store.keys("*")
    assert b"find-me" not in store.get(key)
    assert b"entra:1:http:" in key
    assert 0 < store.ttl(key) <= 60


def test_an_outage_is_no_error(broken_cache):
    http_cache = DjangoHTTPCache()
    http_cache.set("a", 1, 60)
    http_cache["a"] = 1
    assert http_cache.get("a", "unknown") == "unknown"
    assert http_cache.add("a", 1, 60)
    del http_cache["a"]


@pytest.mark.django_db
def test_one_retry_after_holds_back_everybody(entra, entra_settings, redis_cache):
    """A 429 that one person meets is answered to the next from the cache, in a new worker too."""
    first, second = Visitor(entra), Visitor(entra)
    answers = [visitor.answer(visitor.begin()) for visitor in (first, second)]
    entra.faults.add("token", Fault(429, "Too Many Requests", {"Retry-After": "30"}))
    response = first.deliver(answers[0])
    assert response.status_code == 503
    assert 0 < int(response["Retry-After"]) <= 30
    before = len(entra.requests)
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH}  # as another worker would build it
    response = second.deliver(answers[1])
    assert response.status_code == 503
    assert 0 < int(response["Retry-After"]) <= 30
    assert not [r for r in list(entra.requests)[before:] if r.path.endswith("/token")]


def _ask_in_another_process(settings: dict[str, Any], url: str, results: Any) -> None:
    import django
    from django.conf import settings as django_settings

    from tests.settings import base

    values = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    values.update(ENTRA_AUTH=settings, CACHES={"default": {"BACKEND": REDIS, "LOCATION": url}})
    django_settings.configure(**values)
    django.setup()
    application = get_application()
    answers = [application.acquire_token_for_client(["api/.default"]) for _ in range(50)]
    results.put([answer.get("throttled", False) for answer in answers])


def test_processes_share_one_retry_after(entra, entra_settings, redis_cache):
    """After the first answer no process asks again: 4 times 50 calls, 0 requests."""
    entra.faults.add("token", Fault(429, "slow down", {"Retry-After": "60"}), times=None)
    assert "error" in get_application().acquire_token_for_client(["api/.default"])
    before = len([r for r in list(entra.requests) if r.path.endswith("/token")])
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(
            target=_ask_in_another_process, args=(entra_settings.ENTRA_AUTH, redis_cache, results)
        )
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    flags = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert flags == [[True] * 50] * 4
    assert len([r for r in list(entra.requests) if r.path.endswith("/token")]) == before == 1


def test_msal_takes_it_as_its_http_cache(entra, entra_settings, redis_cache):
    """Two applications of MSAL share one Retry-After through it."""
    entra.faults.add("token", Fault(429, '{"error": "busy"}', {"Retry-After": "60"}), times=None)

    def ask() -> dict[str, Any]:
        with requests.Session() as session:
            application = msal.ConfidentialClientApplication(
                entra.client_id,
                client_credential=entra.client_secret,
                authority=f"https://login.microsoftonline.com/{entra.tenant_id}",
                instance_discovery=False,
                http_cache=DjangoHTTPCache(),
                http_client=_Rewriting(session, entra),
            )
            return application.acquire_token_for_client(["api/.default"])

    assert ask()["error"] == ask()["error"] == "busy"
    assert len([r for r in list(entra.requests) if r.path.endswith("/token")]) == 1


class _Rewriting:
    """MSAL speaks https alone: sends what it asks of the real host to the local one."""

    def __init__(self, session: requests.Session, entra: Any) -> None:
        self._session = session
        self._origin = entra.origin

    def get(self, url: str, **kwargs: Any) -> Any:
        response = self._session.get(self._rewrite(url), timeout=5, **kwargs)
        response._content = response.content.replace(
            self._origin.encode(), b"https://login.microsoftonline.com"
        )
        return response

    def post(self, url: str, **kwargs: Any) -> Any:
        return self._session.post(self._rewrite(url), timeout=5, **kwargs)

    def close(self) -> None:
        self._session.close()

    def _rewrite(self, url: str) -> str:
        return url.replace("https://login.microsoftonline.com", self._origin)
