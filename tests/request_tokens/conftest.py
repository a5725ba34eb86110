"""A site with a counting Redis, and a local Entra for each module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches

from django_entra_auth.cache.local_copies import local_copies
from django_entra_auth.emulator import Emulator
from tests.request_tokens.site import CACHE
from tests.visitor import Visitor


@pytest.fixture(autouse=True)
def redis(settings: Any, redis_url: str) -> Iterator[Any]:
    settings.CACHES = {"default": {"BACKEND": CACHE, "LOCATION": redis_url}}
    store = caches["default"]._cache.get_client()  # type: ignore[attr-defined]
    local_copies.clear()
    yield store
    store.flushdb()


@pytest.fixture(scope="module")
def running_entra() -> Iterator[Emulator]:
    with Emulator(port=0) as emulator:
        yield emulator


@pytest.fixture
def entra(running_entra: Emulator) -> Emulator:
    """The one local Entra of this module, as if freshly started."""
    running_entra.reset()
    return running_entra


@pytest.fixture
def site(entra: Any, entra_settings: Any) -> Any:
    """Signs in for Graph; no copies within the worker unless a test asks for them."""
    entra.optional_claims |= {"sid"}
    entra_settings.ENTRA_AUTH = {
        **entra_settings.ENTRA_AUTH,
        "SCOPES": ["User.Read"],
        "LOCAL_COPY_SECONDS": 0,
    }
    return entra_settings


@pytest.fixture
def visitor(entra: Any, site: Any) -> Visitor:
    visitor = Visitor(entra)
    visitor.sign_in()
    return visitor


@pytest.fixture(params=["/token/", "/token-async/"])
def view(request: pytest.FixtureRequest) -> str:
    return str(request.param)
