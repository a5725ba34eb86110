"""The main cases in the shapes in which sites are deployed, all under a strict policy."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from django_entra_auth.emulator.keys import write_tls_files
from tests.e2e.challenges.moves import (
    ALICE,
    MFA_FOR_CONTEXT,
    Person,
    pass_by_mfa,
    pass_by_password,
)
from tests.e2e.challenges.proxy import TlsProxy
from tests.e2e.support import expect_heading, pass_mfa, press, wait_until_loaded
from tests.site.browser_challenges import received

LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


@dataclass(frozen=True)
class Shape:
    """Settings of a deployment."""

    name: str
    settings: dict[str, Any]
    is_behind_proxy: bool = False
    walls: bool = False

    def __str__(self) -> str:
        return self.name


COOKIES = {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}
STRICT = {"SESSION_COOKIE_SAMESITE": "Strict", "CSRF_COOKIE_SAMESITE": "Strict"}
PROXY = {
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "ALLOWED_HOSTS": [".localhost", "127.0.0.1"],
}
SHAPES = [
    Shape("signed-cookies", COOKIES),
    Shape("login-required", {}, walls=True),
    Shape("strict-cookies", STRICT),
    Shape("proxy", PROXY, is_behind_proxy=True),
    Shape("proxy-query-cookies", {**PROXY, **COOKIES}, is_behind_proxy=True, walls=True),
]


def with_wall(middleware: list[str]) -> list[str]:
    at = middleware.index(AUTHENTICATION) + 1
    return [*middleware[:at], LOGIN_REQUIRED, *middleware[at:]]


@pytest.fixture(params=SHAPES, ids=str)
def shape(request: pytest.FixtureRequest) -> Shape:
    return request.param


@pytest.fixture
def mode(shape: Shape) -> str:
    return "query" if "query" in shape.name else "form_post"


@pytest.fixture
def context(browser: Any) -> Iterator[BrowserContext]:
    """A browser profile that accepts the proxy's certificate."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def alice(
    shape: Shape,
    open_site: Callable[..., str],
    entra_settings: Any,
    entra: Any,
    page: Page,
    tmp_path: Path,
) -> Iterator[Person]:
    """Alice, signed in at a site of this shape."""
    middleware = entra_settings.MIDDLEWARE
    settings = dict(shape.settings)
    settings["MIDDLEWARE"] = with_wall(middleware) if shape.walls else middleware
    site = open_site(**settings)
    alice = Person(page, site, entra)
    if not shape.is_behind_proxy:
        yield alice.sign_in()
        return
    certificate, key = write_tls_files(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with TlsProxy(site, tls) as proxy:
        entra.application.redirect_uris.append(f"{proxy.origin}/auth/callback")
        yield replace(alice, site=proxy.origin).sign_in()


@pytest.fixture
def stepping_up(alice: Person) -> Person:
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    return alice


def test_a_step_up_and_a_revoked_session(stepping_up: Person) -> None:
    """The prompt after the revocation keeps what the first one has proved."""
    alice = stepping_up
    alice.go("/async-context/?x=1")
    pass_by_mfa(alice)
    alice.expect_done("/async-context/?x=1")
    alice.entra.revoke_sign_ins("alice")
    alice.go("/api/?x=1")
    pass_by_password(alice)
    alice.expect_done("/api/?x=1")
    alice.go("/context/?x=1")
    alice.expect_done("/context/?x=1")
    assert alice.prompts == 2


def test_a_form_and_one_in_another_tab(stepping_up: Person) -> None:
    first = stepping_up
    second = replace(first, page=first.page.context.new_page())
    for person, text in ((first, "first"), (second, "second")):
        person.go("/order/?x=1")
        person.page.get_by_label("Note").fill(text)
    press(first.page, "Order")
    pass_by_mfa(first)
    expect_heading(first.page, "Your form was kept")
    press(second.page, "Order")
    second.expect_done("/order/?x=1")
    first.page.get_by_role("button", name="Send").click()
    first.expect_done("/order/?x=1")
    assert received == [{"note": ["second"]}, {"note": ["first"]}]
    assert first.prompts == 1


CALL = """() => {
  window.result = window.entraFetch("/answer/").then((response) => response.json());
}"""


def test_a_call_by_script(stepping_up: Person) -> None:
    page = stepping_up.page
    stepping_up.go("/script-page/?x=1")
    wait_until_loaded(page)
    page.evaluate(CALL)
    with page.expect_popup() as opened:
        press(page, "Continue")
    pass_mfa(opened.value)
    assert page.evaluate("window.result") == {"who": ALICE}
    expect(page.locator("dialog")).to_have_count(0)
    assert stepping_up.prompts == 1


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[-1]], ids=str)
def test_what_could_not_be_kept_is_there_at_back(stepping_up: Person, tmp_path: Path) -> None:
    """The page about it says so: the text, and the file that was chosen."""
    file, page = tmp_path / "a.txt", stepping_up.page
    file.write_text("what it holds")
    stepping_up.go("/upload/?x=1")
    page.get_by_label("Note").fill("long text")
    page.get_by_label("File").set_input_files(file)
    press(page, "Order")
    expect_heading(page, "One more step before this can be sent")
    with page.context.expect_page() as opened:
        press(page, "Sign in in a new tab")
    pass_mfa(opened.value)
    expect_heading(opened.value, "Form")
    page.go_back()
    expect(page.get_by_label("Note")).to_have_value("long text")
    press(page, "Order")
    stepping_up.expect_done("/upload/?x=1")
    assert received == [{"upload": ["what it holds"]}, {"note": ["long text"]}]
    assert stepping_up.prompts == 1
