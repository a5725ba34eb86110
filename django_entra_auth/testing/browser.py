"""A page of a real browser, Chromium by Playwright, that knows its way through a local Entra."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import reverse

from django_entra_auth.emulator import MFA_CODE, PASSWORD, Emulator

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

    class EntraPage(Page):
        """A Playwright page with two moves more; `goto("/path")` means the tested site."""

        def sign_in(self, person: str = "alice", path: str = "/") -> None:
            """Sign in as `person` (short name) on the way to `path`."""

        def answer_prompt(self, person: str = "alice") -> None:
            """Wait for Entra's page, do what it asks, and wait until it leads back."""


ASYNC_UNSAFE = "DJANGO_ALLOW_ASYNC_UNSAFE"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
TIMEOUT_MS = 15_000
NO_PLAYWRIGHT = "A browser test needs Playwright: pip install playwright"
NO_CHROMIUM = (
    "Chromium does not start ({reason}). Run `playwright install chromium`, or name another one in"
    " the variable CHROMIUM or by `executable_path`."
)
_MAX_PAGES = 10

Step = Callable[["Page", str], None]


class BrowserMissing(Exception):
    """Playwright or Chromium is not there; the text says what to do."""


@contextmanager
def open_browser(**options: Any) -> Iterator[Browser]:
    """A headless Chromium; `options` are those of Playwright's `launch`.

    Found by `executable_path`, the variable CHROMIUM, as Playwright's own, or on PATH. Raises
    BrowserMissing.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as exc:
        raise BrowserMissing(NO_PLAYWRIGHT) from exc
    with _database_allowed(), sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(**_complete(options, playwright))
        except Error as error:
            reason = error.message.strip().partition("\n")[0]
            raise BrowserMissing(NO_CHROMIUM.format(reason=reason)) from error
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, site: str, emulator: Emulator) -> Iterator[EntraPage]:
    """A page of a fresh profile; `site` is the address of the tested site."""
    context = browser.new_context(base_url=site)
    context.set_default_timeout(TIMEOUT_MS)
    page: Any = context.new_page()
    page.sign_in = partial(_sign_in, page, emulator)
    page.answer_prompt = partial(_answer_prompt, page, emulator)
    try:
        yield page
    finally:
        context.close()


@contextmanager
def open_entra_page(site: str, emulator: Emulator, **options: Any) -> Iterator[EntraPage]:
    """A page in a browser of its own, for tests without fixtures.

    `site` is the address of the tested site, as a live server test case knows it; `options` are
    those of Playwright's `launch`. Raises BrowserMissing.
    """
    with open_browser(**options) as browser, open_page(browser, site, emulator) as page:
        yield page


@contextmanager
def _database_allowed() -> Iterator[None]:
    """Playwright's event loop runs in the test's thread, where Django then refuses the database."""
    before = os.environ.get(ASYNC_UNSAFE)
    os.environ[ASYNC_UNSAFE] = "true"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ASYNC_UNSAFE, None)
        else:
            os.environ[ASYNC_UNSAFE] = before


def _complete(options: dict[str, Any], playwright: Playwright) -> dict[str, Any]:
    args = list(options.get("args", ()))
    # Chromium's sandbox cannot be had by root, and nobody else should go without it.
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--no-sandbox" not in args:
        args.append("--no-sandbox")
    path = options.get("executable_path") or _find_chromium(playwright)
    return {**options, "args": args, "executable_path": path}


def _find_chromium(playwright: Playwright) -> str | None:
    """Path of a Chromium; None leaves it to Playwright, which says what is missing."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named) or named
    if Path(playwright.chromium.executable_path).exists():
        return None
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def _sign_in(page: Page, emulator: Emulator, person: str = "alice", path: str = "/") -> None:
    page.goto(f"{reverse('django_entra_auth:login')}?{urlencode({'next': path})}")
    _answer_prompt(page, emulator, person)


def _answer_prompt(page: Page, emulator: Emulator, person: str = "alice") -> None:
    username = emulator.people[person].username
    page.wait_for_url(re.compile(re.escape(emulator.origin)), wait_until="domcontentloaded")
    for _ in range(_MAX_PAGES):
        if not _is_at(page, emulator):
            page.wait_for_load_state()
            return
        _take_step(page, emulator, username)
    raise AssertionError(f"Entra asks for more and more: {_heading(page)!r}.")


def _take_step(page: Page, emulator: Emulator, username: str) -> None:
    kind = page.locator("body").get_attribute("data-page")
    if kind == "form_post":  # it goes on by itself
        page.wait_for_url(lambda url: not url.startswith(emulator.origin), wait_until="commit")
        return
    step = _STEPS.get(kind or "")
    if step is None or page.locator("[data-error-number]").count():
        raise AssertionError(f"Entra does not let {username} on: {_heading(page)!r}.")
    with page.expect_navigation(wait_until="domcontentloaded"):
        step(page, username)


def _is_at(page: Page, emulator: Emulator) -> bool:
    return page.url.startswith(f"{emulator.origin}/")


def _heading(page: Page) -> str:
    return page.locator("h1").first.inner_text()


def _give_password(page: Page, username: str) -> None:
    page.locator("#username").fill(username)
    page.locator("#password").fill(PASSWORD)
    _submit(page, "sign-in")


def _give_code(page: Page, username: str) -> None:
    page.locator("#code").fill(MFA_CODE)
    _submit(page, "mfa")


def _change_password(page: Page, username: str) -> None:
    for name in ("#new_password", "#new_password_again"):
        page.locator(name).fill(f"{PASSWORD}-2")
    _submit(page, "change")


def _pick_account(page: Page, username: str) -> None:
    known = page.locator(f'form[id="account-{username}"]').count()
    _submit(page, f"account-{username}" if known else "other-account")


def _submit(page: Page, form: str) -> None:
    page.locator(f'form[id="{form}"] button[type="submit"]').click(no_wait_after=True)


_STEPS: dict[str, Step] = {
    "sign_in": _give_password,
    "pick_account": _pick_account,
    "mfa": _give_code,
    "device": lambda page, _: _submit(page, "device"),
    "terms": lambda page, _: _submit(page, "terms"),
    "password_change": _change_password,
    "consent": lambda page, _: _submit(page, "accept"),
}
