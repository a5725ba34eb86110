"""Fixtures for the local Entra's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_entra_auth.emulator import Emulator
from tests.emulator.wire import Wire


@pytest.fixture
def wire(entra: Emulator) -> Iterator[Wire]:
    """A hand-written client of the running emulator."""
    client = Wire(entra)
    yield client
    client.close()
