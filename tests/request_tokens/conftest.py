"""A site with a counting Redis, and a local Entra for each module."""

from __future__ import annotations

from typing import Any

import pytest

from tests.request_tokens.site import CACHE
from tests.visitor import Visitor


@pytest.fixture
def redis_backend() -> str:
    return CACHE


@pytest.fixture(autouse=True)
def _use_redis(redis: Any) -> None:
    """Every test here has its cache in Redis."""


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
