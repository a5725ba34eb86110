"""docs/how-to/credentials.md: its commands run, its settings and functions sign somebody in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import pytest
from cryptography import x509

from django_entra_auth.oauth2 import credential_sources as sources
from tests.credentials.material import Shop, make_cluster_token, make_pair

TEXT = (Path(__file__).parents[2] / "docs" / "how-to" / "credentials.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def find_block(word: str, language: str = "python") -> str:
    (block,) = [text for kind, text in BLOCKS if kind == language and word in text]
    return block


def use(shop: Shop, word: str) -> None:
    """Configure what a block of settings does, its files in the folder of the test."""
    text = find_block(word).replace("/run/secrets/", f"{shop.folder}/")
    namespace: dict[str, Any] = {}
    exec(compile(text, "credentials.md", "exec"), namespace)
    shop.use(namespace["ENTRA_AUTH"]["CLIENT_CREDENTIAL"])


@pytest.fixture
def openssl(shop: Shop, cannot_run_here: Callable[[str], NoReturn]) -> Shop:
    """A folder in which the commands of the page were run; the certificate is registered."""
    if shutil.which("openssl") is None:
        cannot_run_here("no openssl on PATH")
    for kind, text in BLOCKS:
        if kind == "bash":
            subprocess.run(["bash", "-eu", "-c", text], cwd=shop.folder, check=True, timeout=60)
    made = x509.load_pem_x509_certificate((shop.folder / "site-certificate.pem").read_bytes())
    shop.entra.application.credentials.certificates[:] = [made]
    return shop


@pytest.mark.parametrize("word", ["site-key.pem", "site.pfx"])
def test_certificates_made_by_its_commands(
    openssl: Shop, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_PFX_PASSPHRASE", "change-me")
    use(openssl, word)
    assert openssl.sign_in()[0].is_signed_in()
    assert "client_assertion" in openssl.token_forms()[0]


def test_a_secret_in_a_file(shop: Shop) -> None:
    shop.write("entra-client-secret", shop.entra.client_secret)
    use(shop, "entra-client-secret")
    assert shop.sign_in()[0].is_signed_in()


def test_a_list(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRA_CLIENT_SECRET", "not-yet-there")
    monkeypatch.setenv("ENTRA_CLIENT_SECRET_BEFORE", shop.entra.client_secret)
    use(shop, "ENTRA_CLIENT_SECRET_BEFORE")
    assert shop.sign_in()[0].is_signed_in()


def test_workload_identity(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_pair().key
    shop.federate(key)
    path = shop.write("token", make_cluster_token(key))
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", path)
    monkeypatch.setenv("AZURE_CLIENT_ID", shop.entra.client_id)
    monkeypatch.setenv("AZURE_TENANT_ID", shop.entra.tenant_id)
    use(shop, "AZURE_FEDERATED_TOKEN_FILE")
    assert shop.sign_in()[0].is_signed_in()


@pytest.fixture
def platform() -> Iterator[Any]:
    """A vault and a machine's endpoint in one: answers JSON, keeps what it was asked."""
    asked: list[Any] = []
    answers: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            body = answers["body"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield types.SimpleNamespace(url=url, asked=asked, answers=answers)
    server.shutdown()
    thread.join()
    server.server_close()


def publish(monkeypatch: pytest.MonkeyPatch, name: str, word: str) -> types.ModuleType:
    """Import a block as the module that the page calls it."""
    module = types.ModuleType(name)
    exec(compile(find_block(word), "credentials.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "project", types.ModuleType("project"))
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_the_function_that_asks_a_vault(
    shop: Shop, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_ADDR", platform.url)
    monkeypatch.setenv("VAULT_TOKEN", "t")
    secret = {"client_secret": shop.entra.client_secret}
    platform.answers["body"] = json.dumps({"data": {"data": secret}})
    publish(monkeypatch, "project.vault", "# project/vault.py")
    use(shop, '"project.vault.load_secret"')
    for person in ("alice", "erin"):
        assert shop.sign_in(person)[0].is_signed_in()
    ((path, headers),) = platform.asked
    assert (path, headers["X-Vault-Token"]) == ("/v1/secret/data/your-site", "t")


def test_the_function_that_asks_the_machine(
    shop: Shop, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_pair().key
    shop.federate(key)
    platform.answers["body"] = json.dumps({"access_token": make_cluster_token(key)})
    module: Any = publish(monkeypatch, "project.identity", "# project/identity.py")
    module.ENDPOINT = platform.url
    use(shop, '"project.identity.fetch_assertion"')
    assert shop.sign_in()[0].is_signed_in()
    assert platform.asked[0][1]["Metadata"] == "true"


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"uses the answer for {sources.KEEP_SECONDS} seconds" in TEXT
    assert f"{sources.KEEP_SECONDS // 60} minutes for a function" in TEXT
    assert f"for rejections for {sources.RETRY_SECONDS} seconds" in TEXT
    assert f"called again after {sources.RETRY_SECONDS} seconds" in TEXT
    assert f"wait up to {sources.WAIT_SECONDS} seconds" in TEXT


def test_no_block_is_overlooked() -> None:
    assert len(BLOCKS) == TEXT.count("```") / 2 == 11
