"""A site whose registration knows a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.credentials.material import Pair, Shop, make_pair


@pytest.fixture(scope="package")
def pair() -> Pair:
    """A pair whose certificate has an issuer."""
    return make_pair(issuer_days=3650)


@pytest.fixture
def shop(entra: Any, entra_settings: Any, tmp_path: Path, pair: Pair, db: None) -> Shop:
    entra.application.credentials.certificates.append(pair.certificate)
    return Shop(entra, entra_settings, tmp_path, pair)
