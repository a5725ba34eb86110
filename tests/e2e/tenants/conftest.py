"""Fixtures for people of several directories in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.support import with_middleware


@pytest.fixture
def open_at(entra: Any, entra_settings: Any, serve: Callable[..., str]) -> Callable[..., str]:
    """`open_at("organizations", ALLOWED_TENANTS=[…])` starts the site there; its address."""

    def start(segment: str, **keys: Any) -> str:
        entra_settings.MIDDLEWARE = with_middleware(entra_settings, "strict_policy")
        return serve(AUTHORITY=f"{entra.origin}/{segment}", **keys)

    return start
