"""Sites whose sign-out Entra knows, with every session engine, and a second site beside them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Response

from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.emulator import OTHER_CLIENT_ID

ROOT = Path(__file__).resolve().parents[3]
ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]
FRONT_CHANNEL = "/auth/front-channel-logout"
STOP_SECONDS = 15


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Every place in which Django keeps sessions."""
    return str(request.param)


def register(application: Any, site: str) -> None:
    """Tell Entra where a site wants to hear of sign-outs."""
    application.front_channel_logout_uri = f"{site}{FRONT_CHANNEL}"


@pytest.fixture
def open_site(
    serve: Callable[..., str], entra: Any, engine: str, tmp_path: Path
) -> Callable[..., str]:
    """`open_site(SETTING=…)` starts a site of the engine, with its URL registered at Entra."""

    def start(**overrides: Any) -> str:
        local_copies.clear()
        entra.optional_claims |= {"sid", "login_hint"}
        site = serve(
            SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
            SESSION_FILE_PATH=str(tmp_path),
            **overrides,
        )
        register(entra.application, site)
        return site

    return start


@pytest.fixture
def second_site(entra: Any, engine: str, migrated_database: Path, tmp_path: Path) -> Iterator[str]:
    """The address of another application of the same people."""
    folder = tmp_path / "second"
    folder.mkdir()
    shutil.copyfile(migrated_database, folder / "second.db")
    command = [sys.executable, "-m", "tests.e2e.sign_out.second_site"]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [*command, entra.authority, engine, str(folder)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert process.stdin is not None
        assert process.stdout is not None
        stack.callback(process.wait, STOP_SECONDS)
        stack.callback(process.stdin.close)
        port = process.stdout.readline().strip()
        assert port, "the second site did not start"
        site = f"http://127.0.0.1:{port}"
        register(entra.applications[OTHER_CLIENT_ID], site)
        yield site


@pytest.fixture
def told() -> Callable[[Any], list[Response]]:
    """`told(context)` is a list that fills with the answers to Entra's frames."""

    def listen(context: Any) -> list[Response]:
        answers: list[Response] = []

        def note(response: Response) -> None:
            if FRONT_CHANNEL in response.url:
                answers.append(response)

        context.on("response", note)
        return answers

    return listen
