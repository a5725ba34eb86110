"""Runs a scenario with MSAL for Python, then with this project's client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msal.individual_cache
import pytest

from tests.interop.faults.lab import FaultyService, Lab, RunBoth, build_msal, build_ours
from tests.oauth2.scripted import Clock


@pytest.fixture(scope="session")
def faulty_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyService]:
    service = FaultyService(tmp_path_factory.mktemp("faulty-service"))
    service.start()
    yield service
    service.stop()


@pytest.fixture
def run_both(
    faulty_service: FaultyService, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunBoth[Any]]:
    """Run a scenario with each client; returns what it returned, MSAL's first.

    Time stands still unless the scenario moves it.
    """
    # requests prefers these variables to the bundle that MSAL is given.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    clock = Clock()
    # MSAL takes no clock.
    for module in (msal.application, msal.individual_cache, msal.token_cache):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock))
    labs: list[Lab] = []

    def run(scenario: Callable[[Lab], Any]) -> tuple[Any, Any]:
        outcomes = []
        for build in (build_msal, build_ours):
            faulty_service.reset()
            clock.now = time.time()
            labs.append(Lab(faulty_service, clock, build))
            outcomes.append(scenario(labs[-1]))
        theirs, ours = outcomes
        return theirs, ours

    yield run
    for lab in labs:
        lab.close()
