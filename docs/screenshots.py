"""Takes the pictures of the documentation from the demo: `make screenshots`.

It starts the demo in a copy of its folder, walks through it with Chromium, and writes
`docs/images/*.png`. Nothing in a picture is set up by hand.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.flows.demo import Demo, run_demo  # noqa: E402  the folder is not installed
from tests.e2e.support import choose, expect_heading, pass_mfa, press  # noqa: E402
from tests.prerequisites import find_chromium  # noqa: E402

IMAGES = ROOT / "docs/images"
SIZE = {"width": 1000, "height": 700}
ADMIN_SIZE = {"width": 1280, "height": 800}
Take = Callable[[Page, str], None]


def main() -> None:
    """Write all pictures."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        run_demo(Path(folder)) as demo,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport=SIZE, color_scheme="light")
        walk_as_a_person(demo, page, take)
        page = chromium.new_page(viewport=ADMIN_SIZE, color_scheme="light")
        walk_as_an_operator(demo, page, take)
        chromium.close()


def take(page: Page, name: str) -> None:
    """One picture of what is to be seen without scrolling."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def walk_as_a_person(demo: Demo, page: Page, take: Take) -> None:
    """Alice signs in, steps up, has a form kept and is stopped."""
    page.goto(f"{demo.site}/conditional-access/")
    take(page, "local-entra")
    choose(page, "Alice Adams")
    expect_heading(page, "Conditional Access")
    press(page, "Transfer money")
    expect_heading(page, "Prove it is you")
    take(page, "prompt")
    pass_mfa(page)
    expect_heading(page, "Conditional Access")
    take(page, "step-up")
    page.get_by_label("Message").fill("Thank you for dinner!")
    press(page, "Send the form")
    press(page, "Accept")
    expect_heading(page, "Your form was kept")
    take(page, "kept-form")
    page.get_by_role("button", name="Send", exact=True).click()
    expect_heading(page, "Conditional Access")
    press(page, "Open my files")
    take(page, "stopped")
    page.goto(f"{demo.site}/conditional-access/")
    press(page, "Throttle Entra")
    take(page, "wait")
    page.goto(f"{demo.entra}/control")
    take(page, "control")


def walk_as_an_operator(demo: Demo, page: Page, take: Take) -> None:
    """Erin, whose role makes him staff, looks at what went wrong."""
    page.goto(f"{demo.site}/admin/")
    choose(page, "Erin Evans")
    page.wait_for_url(f"{demo.site}/admin/")
    pages = f"{demo.site}/admin/django_entra_auth"
    for name, path in (
        ("admin-token-errors", "tokenerrorrecord/"),
        ("admin-sign-ins", "entrasignin/"),
        ("admin-throttles", "tokenerrorrecord/throttles/"),
    ):
        page.goto(f"{pages}/{path}")
        take(page, name)
    page.goto(f"{pages}/tokenerrorrecord/")
    row = page.locator("#result_list").get_by_role("row").filter(has_text="53003")
    row.get_by_role("link").first.click()
    take(page, "admin-token-error")


if __name__ == "__main__":
    main()
