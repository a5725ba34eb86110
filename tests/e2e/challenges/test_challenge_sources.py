"""Whatever asks for the person: one prompt, and they are where they began."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.challenges.moves import (
    CONSENT_FOR_MAIL,
    MFA_FOR_CONTEXT,
    MFA_FOR_MAIL,
    Move,
    Person,
    pass_by_consent,
    pass_by_mfa,
    pass_by_password,
)

AN_HOUR = 3_600


@dataclass(frozen=True)
class Source:
    """`arrange` makes the page need the person, who answers Entra by `passes`."""

    page: str
    arrange: Callable[[Any], None]
    passes: Move

    def __str__(self) -> str:
        return self.page


def need(policy: Any) -> Callable[[Any], None]:
    return lambda entra: entra.policies.add(policy)


def revoke(entra: Any) -> None:
    entra.revoke_sign_ins("alice")


SOURCES = [
    Source("token", need(MFA_FOR_MAIL), pass_by_mfa),
    Source("consent", need(CONSENT_FOR_MAIL), pass_by_consent),
    Source("api", revoke, pass_by_password),
    Source("api-context", need(MFA_FOR_CONTEXT), pass_by_mfa),
    Source("context", need(MFA_FOR_CONTEXT), pass_by_mfa),
    Source("raised", need(MFA_FOR_CONTEXT), pass_by_mfa),
    Source("async-context", need(MFA_FOR_CONTEXT), pass_by_mfa),
    Source("async-token", need(MFA_FOR_MAIL), pass_by_mfa),
]


BY_QUERY = ("consent", "api", "context")
CASES = [
    *((source, "form_post") for source in SOURCES),
    *((source, "query") for source in SOURCES if source.page in BY_QUERY),
]


@pytest.mark.parametrize(("source", "mode"), CASES, ids=str)
def test_a_page_that_needs_the_person(source: Source, mode: str, alice: Person) -> None:
    path = f"/{source.page}/?a=1&b=%C3%BC%20x&a=2"
    source.arrange(alice.entra)
    alice.go(path)
    source.passes(alice)
    alice.expect_done(path)
    assert alice.prompts == 1
    alice.page.reload()
    alice.expect_done(path)
    assert alice.prompts == 1


def test_credentials_that_are_too_old(
    open_site: Callable[..., str], entra: Any, page: Page
) -> None:
    """The password is asked for although Entra would not need it."""
    entra.optional_claims |= {"auth_time"}
    entra.clock = lambda: time.time() - AN_HOUR / 2
    alice = Person(page, open_site(), entra).sign_in()
    entra.clock = time.time
    alice.go("/recent/?x=1")
    pass_by_password(alice)
    alice.expect_done("/recent/?x=1")
    assert alice.prompts == 1
    alice.go("/recent/?x=2")
    alice.expect_done("/recent/?x=2")
    assert alice.prompts == 1


def test_who_has_what_is_needed_sees_no_page_of_entra(
    open_site: Callable[..., str], entra: Any, page: Page
) -> None:
    """A context that no policy is attached to is granted on the way through."""
    alice = Person(page, open_site(), entra).sign_in()
    alice.go("/context/?x=1")
    alice.expect_done("/context/?x=1")
    assert alice.prompts == 1


def test_a_stranger_signs_in_and_steps_up_in_one_go(
    open_site: Callable[..., str], entra: Any, page: Page
) -> None:
    stranger = Person(page, open_site(), entra)
    entra.policies.add(MFA_FOR_CONTEXT)
    stranger.go("/context/?x=1")
    pass_by_password(stranger)
    pass_by_mfa(stranger)
    stranger.expect_done("/context/?x=1")
    assert stranger.prompts == 1


def test_back_from_the_prompt_and_on_again(alice: Person) -> None:
    """Somebody turns back at Entra, does something else, and comes again later."""
    alice.entra.policies.add(MFA_FOR_CONTEXT)
    alice.go("/empty/")
    alice.go("/context/?x=1")
    alice.page.get_by_label("One-time code").wait_for()
    alice.page.go_back()
    alice.expect_at("/empty/", "Empty")
    alice.go("/private/")
    alice.expect_at("/private/", "Private of alice@contoso.example")
    alice.go("/context/?x=2")
    pass_by_mfa(alice)
    alice.expect_done("/context/?x=2")
    assert alice.prompts == 2
