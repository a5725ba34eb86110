"""Gives MSAL's published throttling tests our client under the names that they import."""

from __future__ import annotations

import importlib.util
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import msal.exceptions

from django_entra_auth.oauth2 import ThrottledHttpClient as OwnThrottledHttpClient
from django_entra_auth.oauth2.http import BoundedHttpClient, copy_response

MODULE_NAME = "published_msal_throttling_tests"


class Clock:
    """Unix time that only ``sleep`` moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class MinimalResponse:
    """The answer of an HTTP client that is not requests; without headers it has no attribute."""

    def __init__(
        self, *, status_code: int, text: str = "", headers: dict[str, Any] | None = None
    ) -> None:
        self.status_code = status_code
        self.text = text
        if headers is not None:
            self.headers = headers


class NormalizedResponse:
    """Our answer under MSAL's class name."""

    def __init__(self, response: Any) -> None:
        answer = copy_response(response)
        self.status_code = answer.status_code
        self.text = answer.text
        self.headers = answer.headers


class _Normalizing:
    """Names the answers of one of our clients as MSAL does; adds no behaviour."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def post(self, url: str, **kwargs: Any) -> NormalizedResponse:
        return NormalizedResponse(self.client.post(url, **kwargs))

    def get(self, url: str, **kwargs: Any) -> NormalizedResponse:
        return NormalizedResponse(self.client.get(url, **kwargs))

    def close(self) -> None:
        self.client.close()


class ThrottledHttpClientBase(_Normalizing):
    """The layer below the throttle, which turns any client's answers into ours."""

    def __init__(self, http_client: Any) -> None:
        super().__init__(BoundedHttpClient(http_client))


def load_published_tests(path: Path, clock: Clock) -> ModuleType:
    """Return MSAL's test module at ``path``, importing ours; its sleeps move ``clock``."""

    class ThrottledHttpClient(_Normalizing):
        def __init__(self, http_client: Any, *, http_cache: Any = None) -> None:
            super().__init__(
                OwnThrottledHttpClient(http_client, http_cache=http_cache, clock=clock)
            )

    names = {
        "msal.throttled_http_client": {
            "ThrottledHttpClientBase": ThrottledHttpClientBase,
            "ThrottledHttpClient": ThrottledHttpClient,
            "NormalizedResponse": NormalizedResponse,
        },
        "msal.exceptions": {"MsalServiceError": msal.exceptions.MsalServiceError},
        "tests": {"unittest": unittest},
        "tests.http_client": {"MinimalResponse": MinimalResponse},
    }
    modules = {name: _make_module(name, members) for name, members in names.items()}
    # The module sets up logging for the whole process when it is imported.
    with mock.patch.dict(sys.modules, modules), mock.patch("logging.basicConfig"):
        module = _execute(path)
    vars(module)["sleep"] = clock.sleep
    return module


def run_published_tests(module: ModuleType) -> tuple[set[str], dict[str, str]]:
    """Return the names of all tests of ``module`` and the traceback of each that failed."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    names = {name for test in _flatten(suite) for name in [_short_name(test)]}
    result = unittest.TestResult()
    # Pickle finds a class by its module's name.
    with mock.patch.dict(sys.modules, {MODULE_NAME: module}):
        suite.run(result)
    failed = [*result.failures, *result.errors]
    return names, {_short_name(test): traceback for test, traceback in failed}


def _make_module(name: str, members: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    return module


def _execute(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(MODULE_NAME, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module in {path.name}")
    module = importlib.util.module_from_spec(spec)
    load: Callable[[ModuleType], None] = spec.loader.exec_module
    load(module)
    return module


def _flatten(suite: Any) -> list[unittest.TestCase]:
    if isinstance(suite, unittest.TestCase):
        return [suite]
    return [test for part in suite for test in _flatten(part)]


def _short_name(test: unittest.TestCase) -> str:
    return test.id().removeprefix(f"{MODULE_NAME}.")
