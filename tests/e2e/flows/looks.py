"""Looks at a page as people see it: light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

from tests.e2e.support import wait_until_loaded

SIZES = {
    "desktop": ViewportSize(width=1280, height=900),
    "phone": ViewportSize(width=390, height=844),
}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def check_looks(
    page: Page,
    name: str,
    screenshot: Callable[[Page, str], Path],
    assert_accessible: Callable[[Page], None],
) -> None:
    """Fails on what axe finds and on sideways scrolling; keeps a picture of each look."""
    wait_until_loaded(page)
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            screenshot(page, f"{name}-{size}-{scheme}")
            assert page.evaluate(OVERFLOW) <= 0, f"{name} scrolls sideways ({size})"
            assert_accessible(page)
