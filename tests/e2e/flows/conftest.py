"""Fixtures for whole flows: both ways in which Entra answers, and a running demo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.flows.demo import Demo, run_demo


@pytest.fixture(params=["form_post", "query"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both ways in which Entra's answer comes back."""
    return str(request.param)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all tests; each browser is somebody else's business."""
    with run_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo
