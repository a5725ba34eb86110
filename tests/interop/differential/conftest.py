"""Runs both clients through all cells, once."""

from __future__ import annotations

import logging

import pytest

from tests.interop.differential.cells import make_cells
from tests.interop.differential.clients import (
    MsalClient,
    OwnClient,
    make_credential,
    run_cell,
)
from tests.interop.differential.comparison import Comparison, Difference, compare
from tests.interop.differential.service import Service


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The differences between MSAL for Python and this project's client over all cells."""
    service = Service(tmp_path_factory.mktemp("token-service"))
    service.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            # requests prefers these variables to the bundle that MSAL is given.
            for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                patch.delenv(name, raising=False)
            # MSAL logs every answer that is not JSON as an error with a traceback.
            patch.setattr(logging.getLogger("msal.oauth2cli.oauth2"), "disabled", True)
            return _run(service)
    finally:
        service.stop()


def _run(service: Service) -> Comparison:
    cells, certificate = make_cells(), make_credential()
    differences: list[Difference] = []
    for cell in cells:
        theirs = run_cell(MsalClient, service, cell, certificate)
        ours = run_cell(OwnClient, service, cell, certificate)
        for call, pair in enumerate(zip(theirs, ours, strict=True), start=1):
            differences += compare(cell, call, *pair)
    return Comparison(cells, differences)
