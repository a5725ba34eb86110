"""Fixtures for sites over https on a host that has siblings, with a local Entra over https."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.keys import write_tls_files
from tests.e2e.serving import HttpsServer, serving
from tests.e2e.support import TIMEOUT_MS


@pytest.fixture(scope="session")
def running_https_entra() -> Iterator[Emulator]:
    """One local Entra over https for all tests of a worker."""
    with Emulator(tls=True) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def site_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of the site's certificate and of its key."""
    return write_tls_files(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def https_entra(running_https_entra: Emulator) -> Iterator[Emulator]:
    """The local Entra over https as after its start."""
    yield running_https_entra
    running_https_entra.reset()


@pytest.fixture
def https_site(
    https_entra: Emulator,
    site_certificate: tuple[Path, Path],
    entra_settings: Any,
    transactional_db: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """The tested project over https on a host that has siblings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*site_certificate)
    both = tmp_path / "both.pem"
    both.write_text(site_certificate[0].read_text() + Path(https_entra.ca_bundle or "").read_text())
    monkeypatch.setattr(https_entra, "ca_bundle", str(both))
    entra_settings.ALLOWED_HOSTS = [".localhost"]
    entra_settings.ENTRA_AUTH = {
        **entra_settings.ENTRA_AUTH,
        "AUTHORITY": https_entra.authority,
        "CA_BUNDLE": str(both),
    }
    with serving(HttpsServer(context)) as port:
        site = f"https://app.localhost:{port}"
        https_entra.application.redirect_uris.append(f"{site}/auth/callback")
        yield site


@pytest.fixture
def https_context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile that accepts the tests' certificates."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()
