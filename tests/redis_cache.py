"""The default cache in a real Redis, or where none answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches

from django_entra_auth.cache.local_copies import local_copies

REDIS = "django.core.cache.backends.redis.RedisCache"
DOWN = {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1/0"}  # nobody listens there


@pytest.fixture
def redis_backend() -> str:
    """The dotted path of the cache's class; overridden where tests look into it."""
    return REDIS


@pytest.fixture
def redis(settings: Any, redis_url: str, redis_backend: str) -> Iterator[Any]:
    """The client of the server that the default cache is in; it is empty before and after."""
    settings.CACHES = {"default": {"BACKEND": redis_backend, "LOCATION": redis_url}}
    local_copies.clear()
    store = open_redis()
    store.flushdb()
    yield store
    store.flushdb()
    local_copies.clear()


def open_redis() -> Any:
    """The client of the server behind the default cache."""
    return caches["default"]._cache.get_client()  # type: ignore[attr-defined]
