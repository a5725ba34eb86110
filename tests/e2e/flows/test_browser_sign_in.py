"""A person signs in, works, and signs out, in a real browser, in every supported shape."""

from __future__ import annotations

from playwright.sync_api import expect

from demo_project.middleware import POLICY
from tests.e2e.support import (
    choose,
    count_prompts,
    expect_entra,
    expect_private,
    pass_mfa,
    press,
    sign_out,
    watch_policy,
    with_middleware,
)

ASKED = "/private/?tab=2&q=caf%C3%A9"
INLINE_SCRIPT = """() => {
  const script = document.createElement("script");
  script.textContent = "window.ran = true";
  document.body.append(script);
}"""


def test_sign_in_with_mfa_and_out_again(serve, entra, context, mode):
    site = serve(RESPONSE_MODE=mode)
    page = context.new_page()
    page.goto(site + ASKED)
    expect_entra(page, entra)
    choose(page, "Bob Brown")
    expect_entra(page, entra, "Prove it is you")
    pass_mfa(page)
    expect_private(page, "bob", site + ASKED)

    page.reload()
    expect_private(page, "bob", site + ASKED)
    second = context.new_page()
    second.goto(f"{site}/private-class/?second=1")
    expect_private(second, "bob", f"{site}/private-class/?second=1")
    assert count_prompts(entra) == 1

    sign_out(page, site, entra)
    second.reload()
    expect_entra(second, entra)


def test_strict_content_security_policy(serve, entra, entra_settings, context, mode):
    entra_settings.MIDDLEWARE = with_middleware(entra_settings, "strict_policy")
    site = serve(RESPONSE_MODE=mode, SUPERUSER_ROLES=["Admin"])
    entra.optional_claims.add("login_hint")  # says at the sign-out which of two accounts
    complaints = watch_policy(context)
    page = context.new_page()
    page.goto(site + ASKED)
    choose(page, "Bob Brown")
    pass_mfa(page)
    expect_private(page, "bob", site + ASKED)

    page.goto(f"{site}/reports/")
    press(page, "Use another account")
    expect_entra(page, entra, "Pick an account")
    press(page, "Use another account")
    choose(page, "Erin Evans")
    expect(page).to_have_url(f"{site}/reports/")

    sign_out(page, site, entra)
    assert complaints == []
    assert POLICY in page.reload().header_value("content-security-policy")
    page.evaluate(INLINE_SCRIPT)
    assert len(complaints) == 1, "the console is not being watched"


def test_typed_name_and_password(serve, entra, page):
    site = serve()
    page.goto(site + ASKED)
    page.get_by_label("User name").fill("alice@contoso.example")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("AADSTS50126")
    page.get_by_label("Password").fill(entra.people["alice"].password)
    page.keyboard.press("Enter")
    expect_private(page, "alice", site + ASKED)


def test_without_javascript(serve, entra, page_without_script, mode):
    site, page = serve(RESPONSE_MODE=mode), page_without_script
    page.goto(site + ASKED)
    choose(page, "Bob Brown")
    pass_mfa(page)
    if mode == "form_post":
        expect_entra(page, entra, "Going back to the application")
        press(page, "Continue")
    expect_private(page, "bob", site + ASKED)
    sign_out(page, site, entra)
