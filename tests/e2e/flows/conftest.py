"""Fixtures for whole flows: a database for parallel requests, a site with chosen settings."""

from __future__ import annotations

import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, BrowserContext

from django_entra_auth.conf import SETTING_FIELDS
from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.keys import write_tls_files
from tests.databases import use_database
from tests.e2e.support import TIMEOUT_MS, HttpsServer


@pytest.fixture(scope="session")
def migrated_database(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any, browser: Any
) -> Path:
    """An SQLite file with all tables and no rows; tests work on copies."""
    path = tmp_path_factory.mktemp("database") / "migrated.sqlite3"
    with django_db_blocker.unblock(), use_database(path):
        call_command("migrate", verbosity=0)
    return path


@pytest.fixture
def transactional_db(
    migrated_database: Path, tmp_path: Path, django_db_blocker: Any
) -> Iterator[None]:
    """A database file of this test's own, in place of the one in memory."""
    path = tmp_path / "test.sqlite3"
    shutil.copyfile(migrated_database, path)
    with django_db_blocker.unblock(), use_database(path):
        yield


@pytest.fixture(scope="session")
def running_entra() -> Iterator[Emulator]:
    """One local Entra for all flows: its keys take longer to make than a sign-in takes."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def entra(running_entra: Emulator) -> Iterator[Emulator]:
    """The local Entra as after its start."""
    yield running_entra
    running_entra.reset()


@pytest.fixture(params=["form_post", "query"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both ways in which Entra's answer comes back."""
    return str(request.param)


@pytest.fixture
def serve(request: pytest.FixtureRequest, entra_settings: Any) -> Callable[..., str]:
    """`serve(RESPONSE_MODE=…, SESSION_…=…)` starts the site with these settings; its address."""

    def start(**overrides: Any) -> str:
        ours = {name: value for name, value in overrides.items() if name in SETTING_FIELDS}
        entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, **ours}
        for name in overrides.keys() - ours.keys():
            setattr(entra_settings, name, overrides[name])
        return str(request.getfixturevalue("site"))

    return start


@pytest.fixture
def https_entra() -> Iterator[Emulator]:
    """A local Entra over https."""
    with Emulator(tls=True) as emulator:
        yield emulator


@pytest.fixture
def https_site(
    https_entra: Emulator, entra_settings: Any, transactional_db: None, tmp_path: Path
) -> Iterator[str]:
    """The tested project over https on a host that has siblings."""
    certificate, key = write_tls_files(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + Path(https_entra.ca_bundle or "").read_text())
    https_entra.ca_bundle = str(both)
    entra_settings.ALLOWED_HOSTS = [".localhost"]
    entra_settings.ENTRA_AUTH = {
        **entra_settings.ENTRA_AUTH,
        "AUTHORITY": https_entra.authority,
        "CA_BUNDLE": str(both),
    }
    server = HttpsServer(context)
    site = f"https://app.localhost:{server.server_port}"
    https_entra.application.redirect_uris.append(f"{site}/auth/callback")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="https-site")
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def https_context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile that accepts the tests' certificates."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()
