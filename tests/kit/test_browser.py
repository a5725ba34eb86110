"""Which Chromium is started, how, and what is said when there is none; pages: see the project."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from django_entra_auth.testing import browser
from django_entra_auth.testing.browser import BrowserMissing, open_browser


@pytest.fixture
def playwright(tmp_path: Path) -> Any:
    """As far as it says where its own Chromium would be."""
    return SimpleNamespace(chromium=SimpleNamespace(executable_path=str(tmp_path / "own")))


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, with one Chromium."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "chromium-browser"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return folder


def path_of(playwright: Any, **options: Any) -> str | None:
    found: str | None = browser._complete(options, playwright)["executable_path"]
    return found


def test_it_is_found_in_this_order(
    playwright: Any, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert path_of(playwright) == str(programs / "chromium-browser")
    Path(playwright.chromium.executable_path).touch()
    assert path_of(playwright) is None
    monkeypatch.setenv("CHROMIUM", "chromium-browser")
    assert path_of(playwright) == str(programs / "chromium-browser")
    monkeypatch.setenv("CHROMIUM", "/opt/chromium")
    assert path_of(playwright) == "/opt/chromium"
    assert path_of(playwright, executable_path="/mine") == "/mine"


def test_none_is_left_to_playwright(playwright: Any, programs: Path) -> None:
    (programs / "chromium-browser").unlink()
    assert path_of(playwright) is None


@pytest.mark.parametrize(
    ("user", "expected"), [(0, ["--mine", "--no-sandbox"]), (1000, ["--mine"])]
)
def test_root_alone_goes_without_a_sandbox(
    playwright: Any, monkeypatch: pytest.MonkeyPatch, user: int, expected: list[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    options = {"args": ["--mine"], "headless": True}
    completed = browser._complete(options, playwright)
    assert completed["args"] == expected
    assert completed["headless"] is True
    assert options == {"args": ["--mine"], "headless": True}


def test_without_playwright_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(BrowserMissing, match="pip install playwright"), open_browser():
        pass


@pytest.mark.parametrize("before", [None, "false"])
def test_the_database_is_guarded_again_afterwards(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv(browser.ASYNC_UNSAFE, raising=False)
    if before is not None:
        monkeypatch.setenv(browser.ASYNC_UNSAFE, before)
    with suppress(ZeroDivisionError), browser._database_allowed():
        assert os.environ[browser.ASYNC_UNSAFE] == "true"
        _ = 1 / 0
    assert os.environ.get(browser.ASYNC_UNSAFE) == before
