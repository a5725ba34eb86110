"""The tutorial, followed in an empty folder with the built wheel, ends signed in and stepped up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.support import choose, expect_heading, pass_mfa, press
from tests.e2e.tutorial.follow import Reader, free_ports

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/tutorial/1-sign-in-and-step-up.md"
OURS = ("PYTHON", "DJANGO", "VIRTUAL_ENV", "COV")


@pytest.fixture
def reader(wheel: Path, tmp_path: Path) -> Iterator[Reader]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environ |= {"PIP_FIND_LINKS": str(wheel.parent), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    site, entra = free_ports(2)
    reader = Reader(tmp_path, environ, {8000: site, 8400: entra})
    yield reader
    reader.stop()


def send(page: Page) -> None:
    """Send the form that was kept."""
    page.get_by_role("button", name="Send", exact=True).click()


def test_the_tutorial_ends_signed_in_and_stepped_up(
    reader: Reader, page: Page, screenshot: Callable[..., Path]
) -> None:
    reader.follow(PAGE)
    site = f"http://127.0.0.1:{reader.ports[8000]}"
    entra = f"http://localhost:{reader.ports[8400]}"

    page.goto(site)
    choose(page, "Alice Adams")
    expect_heading(page, "Hello Alice Adams")
    press(page, "Your profile")
    expect(page.get_by_text("Alice Adams, alice@contoso.example")).to_be_visible()
    page.go_back()
    press(page, "Transfer")
    send(page)
    expect_heading(page, "120 euros transferred")

    page.goto(f"{entra}/control")
    row = page.get_by_role("listitem").filter(has_text="Context c1 needs MFA")
    row.get_by_role("button", name="Switch on").click()
    page.goto(site)
    press(page, "Sign out")
    page.goto(site)
    choose(page, "Alice Adams")

    expect_heading(page, "Hello Alice Adams")
    page.get_by_label("Euros").fill("250")
    press(page, "Transfer")
    pass_mfa(page)
    screenshot(page, "kept")
    send(page)
    expect_heading(page, "250 euros transferred")
    page.goto(site)
    press(page, "Transfer")
    expect_heading(page, "120 euros transferred")
