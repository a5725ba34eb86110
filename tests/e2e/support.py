"""What the tests in a real browser share: a strict policy, the moves of a person, counting."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, expect

from demo_project.middleware import content_security_policy
from django_entra_auth.emulator import MFA_CODE

TIMEOUT_MS = 15_000
MAX_NAVIGATIONS = 10
strict_policy = content_security_policy


expect.set_options(timeout=TIMEOUT_MS)

# For what does not depend on how Entra's answer travels.
form_post_only = pytest.mark.parametrize("mode", ["form_post"])


def with_middleware(settings: Any, name: str) -> list[str]:
    """MIDDLEWARE with a middleware of this module as the outermost."""
    return [f"{__name__}.{name}", *settings.MIDDLEWARE]


def choose(page: Page, name: str) -> None:
    """Press the button of a person on a page of Entra."""
    page.get_by_role("button", name=re.compile(name)).click()


def pass_mfa(page: Page, code: str = MFA_CODE) -> None:
    """Type the one-time code and send it."""
    page.get_by_label("One-time code").fill(code)
    page.get_by_role("button", name="Verify").click()


def press(page: Page, name: str) -> None:
    """Press a button or follow a link."""
    page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).click()


def expect_heading(page: Page, text: str | re.Pattern[str]) -> None:
    """Wait until the page's main heading has this text."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def expect_private(page: Page, person: str, url: str | None = None) -> None:
    """Wait until the page shows the private page of `person`, at `url` when it is given."""
    expect_heading(page, f"Private of {person}@contoso.example")
    if url is not None:
        expect(page).to_have_url(url)


def expect_entra(page: Page, entra: Any, heading: str = "Sign in") -> None:
    """Wait until the page is one of Entra's, with this heading."""
    expect(page).to_have_url(re.compile(re.escape(entra.origin)))
    expect_heading(page, heading)


LOADED = """new Promise(done => {
  if (document.readyState === "complete") done();
  else addEventListener("load", () => done());
})"""


def wait_until_loaded(page: Page) -> None:
    """Wait for the end of loading; `page.wait_for_function` polls with what a policy forbids."""
    assert any(_has_loaded(page) for _ in range(MAX_NAVIGATIONS)), f"{page.url} goes on and on"


def _has_loaded(page: Page) -> bool:
    try:
        page.evaluate(LOADED)
    except Error as error:
        if "context was destroyed" not in error.message:
            raise
        return False  # The page sent itself on meanwhile: it is the next one that has to load.
    return True


def go_back(page: Page) -> None:
    """Press "back" and wait for the page, which may be Chromium's question about a sent form."""
    try:
        page.go_back(wait_until="commit")
    except Error as error:
        # An answer to a POST that must not be stored. A slow machine leaves more of these behind:
        # a form that submits itself before its page has loaded takes that page's place.
        if "ERR_CACHE_MISS" not in error.message:
            raise
        page.wait_for_url("chrome-error://**", wait_until="commit")
    wait_until_loaded(page)


def sign_in(page: Page, url: str, person: str = "Alice Adams") -> None:
    """Open a protected page and sign in on the way; waits until the page is there."""
    page.goto(url)
    choose(page, person)
    expect(page).to_have_url(url)


def sign_out(page: Page, site: str, entra: Any) -> None:
    """Sign out through the page; waits until the person is back from Entra's own sign-out."""
    page.goto(f"{site}/auth/logout/")
    press(page, "Sign out")
    expect_signed_out(page, site, entra)


def expect_signed_out(page: Page, site: str, entra: Any) -> None:
    """Wait for the signed-out page, reached by way of Entra."""
    expect(page.get_by_text("your browser was sent to Microsoft")).to_be_visible()
    expect(page).to_have_url(f"{site}/auth/logout/")
    expect_heading(page, "You are signed out")
    assert any(one.path.endswith("/logout") for one in list(entra.requests))


def count_prompts(entra: Any) -> int:
    """How often a browser was sent to the authorize endpoint."""
    return sum(one.path.endswith("/authorize") for one in list(entra.requests))


def count_sign_ins(entra: Any) -> int:
    """How often somebody gave a password."""
    return sum(one.path == "/sign-in/password" for one in list(entra.requests))


def watch_policy(context: BrowserContext) -> list[str]:
    """A list that fills with what the console says about a violated policy."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            complaints.append(message.text)

    context.on("console", listen)
    return complaints


DELIVER = """([method, url, fields]) => {
  if (method === "GET") { location.href = url; return; }
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""


def deliver(page: Page, entra: Any, answer: Any) -> None:
    """Bring an answer to the site from another site, as a link or a form there would."""
    page.goto(entra.origin)
    page.evaluate(DELIVER, [answer.method, answer.url, answer.fields])
