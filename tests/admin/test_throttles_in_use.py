"""From a refusal of Entra to the operator's button and back: nothing in between is made up."""

from __future__ import annotations

from typing import Any

import pytest

from django_entra_auth.admin.throttles import find_held, forget_answer, let_one_through, list_held
from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.emulator.policies import Policy
from tests.challenges.asking import BY_NAME, Walker, make_walker

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.site.urls_challenges")]
MFA = Policy(name="m", control="mfa", scopes=frozenset({"Mail.Read"}))


@pytest.fixture
def walker(entra: Any, entra_settings: Any) -> Walker:
    """Alice, signed in."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()
    walker = make_walker(entra)
    walker.sign_in(next_url="/private/")
    return walker


def ask_for_mail(walker: Walker, times: int = 1) -> int:
    """How many token requests that takes."""
    before = count_token_requests(walker)
    for _ in range(times):
        walker.ask(BY_NAME["navigation"], "/mail/")
    return count_token_requests(walker) - before


def count_token_requests(walker: Walker) -> int:
    return sum(one.path.endswith("/token") for one in list(walker.entra.requests))


def test_a_wait_that_entra_asked_for(walker: Walker) -> None:
    walker.entra.faults.throttle(200)
    assert ask_for_mail(walker, times=2) == 1
    (held,) = list_held()
    assert (held.rule, held.status) == ("shared", 429)
    assert 150 < held.left <= 200
    assert held.count == 2
    found = find_held(held.key)
    assert found
    let_one_through(held.key, found[1])
    assert ask_for_mail(walker, times=3) == 1, "one went ahead and was told to wait again"
    assert list_held()[0].left > 100
    walker.entra.faults.clear()
    let_one_through(held.key, found[1])
    assert ask_for_mail(walker) == 1
    assert list_held() == [], "its answer freed the others"


def test_a_person_whose_policy_was_just_fixed(walker: Walker) -> None:
    walker.entra.policies.add(MFA)
    assert ask_for_mail(walker, times=2) == 1
    (held,) = list_held()
    assert (held.rule, held.status) == ("rejection", 400)
    assert held.record.number == 50076
    walker.entra.policies.clear()
    assert ask_for_mail(walker) == 0
    forget_answer(held.key)
    assert list_held() == []
    assert ask_for_mail(walker) == 1
