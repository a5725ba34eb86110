"""The snippet that MSAL's users start from runs with only its import changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from django_entra_auth.emulator import Emulator

RUN_SECONDS = 60
SCOPE = "https://graph.microsoft.com/.default"

IMPORTS = {
    "msal": "from msal import ConfidentialClientApplication",
    "ours": "from django_entra_auth.oauth2 import ConfidentialClientApplication",
}

# Both the settings of an application and what reaching a local server takes are configuration.
SNIPPET = """
import json, pathlib, sys

config = json.loads(pathlib.Path(sys.argv[1]).read_text())
app = ConfidentialClientApplication(
    config["client_id"],
    authority=config["authority"],
    client_credential=config["secret"],
    **config["local"],
)

def show(result):
    if "access_token" in result:
        print("token", result["token_source"], result["access_token"])
    else:
        print("error", result.get("error"), result.get("correlation_id"))

for _ in range(2):
    result = app.acquire_token_silent(scopes=config["scope"], account=None)
    if not result:
        result = app.acquire_token_for_client(scopes=config["scope"])
    show(result)
"""


@pytest.fixture(scope="module")
def https_entra() -> Iterator[Emulator]:
    with Emulator(tls=True) as entra:
        yield entra


@pytest.mark.parametrize("library", IMPORTS)
def test_prints_a_token(https_entra: Emulator, tmp_path: Path, library: str) -> None:
    first, second = _run(https_entra, tmp_path, library)
    assert first[:2] == ["token", "identity_provider"]
    assert second == ["token", "cache", first[2]]


@pytest.mark.parametrize("library", IMPORTS)
def test_prints_the_error(https_entra: Emulator, tmp_path: Path, library: str) -> None:
    first, _ = _run(https_entra, tmp_path, library, secret="wrong")
    assert first[:2] == ["error", "invalid_client"]
    assert len(first[2]) == len("00000000-0000-0000-0000-000000000000")


def _run(entra: Emulator, folder: Path, library: str, **changes: Any) -> list[list[str]]:
    """Return the words of the lines that the snippet printed."""
    local = {
        "msal": {"instance_discovery": False, "verify": entra.ca_bundle},
        "ours": {"allow_loopback": True, "ca_bundle": entra.ca_bundle},
    }
    config = {
        "client_id": entra.client_id,
        "authority": entra.authority,
        "secret": entra.client_secret,
        "scope": [SCOPE],
        "local": local[library],
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "snippet.py").write_text(IMPORTS[library] + SNIPPET)
    command = [sys.executable, str(folder / "snippet.py"), str(folder / "config.json")]
    # requests prefers these variables to the bundle that MSAL is given.
    hidden = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=RUN_SECONDS, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]
