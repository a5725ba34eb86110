"""Every configuration of docs/how-to/redis-in-production.md loads, and our checks approve of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings

from django_entra_auth import cache_checks
from django_entra_auth.cache import chain
from django_entra_auth.cache.single_flight import LOCK_SECONDS
from django_entra_auth.conf import find_problems, get_settings

TEXT = (Path(__file__).parents[2] / "docs/how-to/redis-in-production.md").read_text()
BLOCKS = re.findall(
    r"^## (.+?)\n(?:(?!^## ).)*?```python\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL
)


def load(block: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(block, "redis.md", "exec"), namespace)
    return {name: value for name, value in namespace.items() if name.isupper()}


def test_no_block_is_overlooked() -> None:
    assert len(BLOCKS) == TEXT.count("```python") == 5


@pytest.fixture(params=BLOCKS, ids=[title for title, _ in BLOCKS])
def configured(request: pytest.FixtureRequest, settings: Any) -> Any:
    values = load(request.param[1])
    settings.CACHES = values["CACHES"]
    own = {**settings.ENTRA_AUTH, "CACHE_ALIAS": "entra"}
    settings.ENTRA_AUTH = {**own, **values.get("ENTRA_AUTH", {})}
    return settings


def test_it_is_approved_for_production(configured: Any) -> None:
    assert find_problems(configured.ENTRA_AUTH) == []
    entra = get_settings()
    assert entra.cache_alias == "entra"
    assert list(cache_checks.find_problems(entra)) == []
    assert list(cache_checks.find_deployment_problems(entra)) == []


def test_it_builds_and_ends_its_waits(configured: Any) -> None:
    kwargs = pool_options(caches["entra"])
    assert (kwargs["socket_timeout"], kwargs["socket_connect_timeout"]) == (1, 1)
    if str(configured.CACHES["entra"]["LOCATION"]).startswith("rediss"):
        assert kwargs["ssl_check_hostname"] is True


def pool_options(cache: Any) -> Mapping[str, Any]:
    """What connections are made with; none is made."""
    if not hasattr(cache, "client"):
        return dict(cache._cache.get_client().connection_pool.connection_kwargs)
    factory = cache.client.connection_factory
    if "cluster" in type(factory).__module__:  # its client asks a node when it is built
        return dict(factory.make_connection_params(cache.client._server[0]))
    return dict(cache.client.get_client().connection_pool.connection_kwargs)


def test_a_pool_belongs_to_a_location_and_not_to_an_alias() -> None:
    """As the page says of django-redis; if that changes, the page has to."""
    backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/3"}
    other = {**backend, "OPTIONS": {"SOCKET_TIMEOUT": 7}}
    with override_settings(CACHES={"default": backend, "entra": other}):
        first, second = (caches[name].client.get_client() for name in ("default", "entra"))
        assert first.connection_pool is second.connection_pool


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"until the lock expires ({LOCK_SECONDS} seconds)" in TEXT.replace("\n", " ")
    assert chain.TOMBSTONE_SECONDS <= 600  # "all others within minutes"
    written = set(re.findall(r"django_entra_auth\.([EW]\d{3})", TEXT))
    code = Path(cache_checks.__file__).read_text()
    assert written
    assert all(f'"{number}"' in code for number in written)
