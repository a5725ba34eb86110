"""What a person does on the way through a challenge, and how often Entra saw them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, expect

from django_entra_auth.emulator.policies import Policy
from tests.e2e.support import count_prompts, expect_heading, pass_mfa, press, sign_in

MAIL = frozenset({"Mail.Read"})
MFA_FOR_MAIL = Policy(name="mail", control="mfa", scopes=MAIL)
MFA_FOR_CONTEXT = Policy(name="step-up", control="mfa", context="c1")
CONSENT_FOR_MAIL = Policy(name="consent", control="user_consent", scopes=MAIL)
ADMIN_FOR_MAIL = Policy(name="approval", control="admin_consent", scopes=MAIL)
ALICE = "alice@contoso.example"


@dataclass
class Person:
    """Somebody signed in at the site; `prompts` counts what came after that."""

    page: Page
    site: str
    entra: Any
    before: int = 0

    def sign_in(self, name: str = "Alice Adams") -> Person:
        """Sign in at the site."""
        sign_in(self.page, f"{self.site}/private/", name)
        self.before = count_prompts(self.entra)
        return self

    @property
    def prompts(self) -> int:
        """How often this person was sent to Entra since the sign-in."""
        return count_prompts(self.entra) - self.before

    def go(self, path: str) -> None:
        """Open a page of the site; it may lead elsewhere."""
        self.page.goto(self.site + path)

    def expect_at(self, path: str, heading: str = "Done") -> None:
        """Wait until the page of this path, with its query, is there."""
        expect_heading(self.page, heading)
        expect(self.page).to_have_url(self.site + path)

    def expect_done(self, path: str, who: str = ALICE) -> None:
        """Wait until the page that needed the person has what it needed."""
        self.expect_at(path)
        expect(self.page.locator("#who")).to_have_text(who)

    def expect_stop(self, heading: str) -> None:
        """Wait for a page of the app that leads nowhere by itself."""
        expect_heading(self.page, heading)

    def retry(self) -> None:
        """The person's own click on a page that stopped them."""
        press(self.page, "Try again")


def pass_by_mfa(person: Person) -> None:
    pass_mfa(person.page)


def pass_by_consent(person: Person) -> None:
    press(person.page, "Accept")


def pass_by_password(person: Person) -> None:
    person.page.get_by_role("button", name="Alice Adams").click()


Move = Callable[[Person], None]
