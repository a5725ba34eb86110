"""The shapes of a site that tests go through: session engines, both handlers, keys of the app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """Every place in which Django keeps sessions."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    return str(request.param)


@pytest.fixture(params=["wsgi", "asgi"])
def caller(request: pytest.FixtureRequest) -> Any:
    """A client behind Django's sync handler, or its async one."""
    return Client() if request.param == "wsgi" else AsyncClient()


def get(caller: Any, url: str) -> Any:
    """The answer to a GET, from either handler."""
    return async_to_sync(caller.get)(url) if isinstance(caller, AsyncClient) else caller.get(url)


def post(caller: Any, url: str) -> Any:
    """The answer to a POST, from either handler."""
    return async_to_sync(caller.post)(url) if isinstance(caller, AsyncClient) else caller.post(url)


@pytest.fixture
def configure(entra_settings: Any) -> Callable[..., None]:
    """Change keys of ENTRA_AUTH."""

    def change(**values: Any) -> None:
        entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, **values}

    return change
