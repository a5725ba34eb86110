"""Each case of Conditional Access leaves exactly the rows an operator needs, and no other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connections

from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.emulator.policies import Policy
from django_entra_auth.models import TokenErrorRecord
from tests.challenges.asking import BY_NAME, Walker, make_walker

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.site.urls_challenges")]
MAIL = frozenset({"Mail.Read"})
MFA = Policy(name="m", control="mfa", scopes=MAIL)
STEP_UP = Policy(name="c", control="mfa", context="c1")
CORRELATION_ID = "11111111-2222-4333-8444-555555555555"

# kind, category, reason, error, suberror, number, resource, count
Row = tuple[str, str, str, str, str, int | None, str, int]
Action = Callable[[Walker], Any]


@dataclass(frozen=True)
class Case:
    """What happens to Alice, and the rows it leaves; `asked` are words of the claims kept."""

    name: str
    happen: Action
    rows: tuple[Row, ...]
    asked: str = ""
    is_async: bool = False

    def __str__(self) -> str:
        return self.name


def get(path: str, times: int = 1, caller: str = "navigation") -> Action:
    def ask(walker: Walker) -> None:
        for _ in range(times):
            walker.ask(BY_NAME[caller], path)

    return ask


def under(policy: Policy, then: Action) -> Action:
    def happen(walker: Walker) -> None:
        walker.entra.policies.add(policy)
        then(walker)

    return happen


def after_revocation(then: Action) -> Action:
    def happen(walker: Walker) -> None:
        walker.entra.revoke_sign_ins("alice")
        then(walker)

    return happen


def refused(number: int, then: Action, **members: Any) -> Action:
    """The token endpoint refuses every refresh in these words."""
    body = {
        "error": "invalid_grant",
        "error_codes": [number],
        "error_description": f"AADSTS{number}: in so many words",
        "correlation_id": CORRELATION_ID,
        **members,
    }
    fault = Fault(400, json.dumps(body), {"Content-Type": "application/json"})

    def happen(walker: Walker) -> None:
        walker.entra.faults.add("token", fault, grant="refresh_token", times=None)
        then(walker)

    return happen


def with_token_endpoint(fault: Fault, then: Action) -> Action:
    def happen(walker: Walker) -> None:
        walker.entra.faults.add("token", fault, times=None)
        then(walker)

    return happen


def throttled(then: Action) -> Action:
    def happen(walker: Walker) -> None:
        walker.entra.faults.throttle(30)
        then(walker)

    return happen


def prompted(path: str, **answer: Any) -> Action:
    """Asked, sent to Entra, and back again."""

    def happen(walker: Walker) -> None:
        prompt = walker.ask(BY_NAME["navigation"], path)["Location"]
        landed = walker.deliver(walker.answer(prompt, **answer))
        if landed.status_code == 302:
            walker.visit(landed["Location"])

    return happen


def endless(then: Action) -> Action:
    """An API that wants to see the person again with every call."""

    def happen(walker: Walker) -> None:
        challenges = (
            json.dumps({"access_token": {"nbf": {"essential": True, "value": str(number)}}})
            for number in itertools.count(1000)
        )
        walker.entra.graph.take_challenge = challenges.__next__
        then(walker)

    return happen


def ignoring(then: Action) -> Action:
    def happen(walker: Walker) -> None:
        walker.entra.ignores_claims = True
        then(walker)

    return happen


ASKED: Row = ("challenge", "interaction", "", "interaction_required", "", None, "", 1)
FOR_MFA: Row = ("challenge", "interaction", "", "invalid_grant", "basic_action", 50076, "graph", 1)
API: Row = ("challenge", "interaction", "", "insufficient_claims", "", None, "graph", 1)
GONE: Row = ("challenge", "expired_grant", "", "invalid_grant", "bad_token", 50173, "graph", 1)
BLOCKED: Row = ("stop", "blocked", "blocked", "invalid_grant", "message_only", 53003, "graph", 2)
BUSY: Row = ("throttle", "throttled", "", "temporarily_unavailable", "", None, "graph", 2)
DOWN: Row = ("refresh", "transient", "", "temporarily_unavailable", "", None, "graph", 2)
REJECTED: Row = (
    "configuration", "configuration", "configuration", "invalid_client", "", 7000215, "graph", 1,
)  # fmt: skip
WITHOUT_TIME: Row = (
    "configuration", "configuration", "configuration", "auth_time_missing", "", None, "", 1,
)  # fmt: skip

CASES = [
    Case("mfa", under(MFA, get("/mail/")), (FOR_MFA,), "capolids"),
    Case("mfa-repeated", under(MFA, get("/mail/", times=3, caller="fetch")),
         ((*FOR_MFA[:-1], 3),), "capolids"),
    Case("mfa-async", under(MFA, get("/mail-async/")), (FOR_MFA,), "capolids", is_async=True),
    Case("step-up", get("/step-up/"), (ASKED,), "acrs"),
    Case("step-up-form", get("/step-up/", caller="form"), (ASKED,), "acrs"),
    Case("step-up-htmx", get("/step-up/", caller="htmx"), (ASKED,), "acrs"),
    Case("step-up-class", get("/step-up-class/"), (ASKED,), "acrs"),
    Case("step-up-caught", get("/caught/"), (ASKED,), "acrs"),
    Case("step-up-async", get("/raising-async/"), (ASKED,), "acrs", is_async=True),
    Case("prefetch", get("/step-up/", caller="prefetch"), ()),
    Case("revoked", after_revocation(get("/me/")), (GONE,), "nbf"),
    Case("revoked-other-client", after_revocation(get("/relayed/")), (API,), "nbf"),
    Case("consent", under(Policy(name="k", control="user_consent", scopes=MAIL), get("/mail/")),
         (("challenge", "consent", "", "invalid_grant", "consent_required", 65001, "graph", 1),)),
    Case("blocked", refused(53003, get("/mail/", times=2), suberror="message_only"), (BLOCKED,)),
    Case("throttled", throttled(get("/mail/", times=2)), (BUSY,)),
    Case("throttled-async", throttled(get("/mail-async/", times=2)), (BUSY,), is_async=True),
    Case("down", with_token_endpoint(Fault(503), get("/mail/", times=2)), (DOWN,)),
    Case("secret-wrong", refused(7000215, get("/mail/"), error="invalid_client"), (REJECTED,)),
    Case("endless", endless(prompted("/me/")),
         (API, ("stop", "interaction", "repeated", "insufficient_claims", "", None, "graph", 1)),
         "nbf"),
    Case("step-up-ignored", ignoring(prompted("/step-up/")),
         (ASKED, ("sign_in", "", "not_satisfied", "", "", None, "", 1)), "acrs"),
    Case("step-up-cancelled", under(STEP_UP, prompted("/step-up/", cancel=True)),
         (ASKED, ("sign_in", "cancelled", "cancelled", "access_denied", "", None, "", 1)), "acrs"),
    Case("no-auth-time", prompted("/recent/"), (ASKED, WITHOUT_TIME)),
    Case("done-well", under(STEP_UP, prompted("/step-up/")), (ASKED,), "acrs"),
]  # fmt: skip


@pytest.fixture
def walker(entra: Any, entra_settings: Any) -> Walker:
    """Alice, signed in."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()
    walker = make_walker(entra)
    walker.sign_in(next_url="/private/")
    assert not TokenErrorRecord.objects.exists()
    return walker


@pytest.fixture
def atomic_requests() -> Iterator[None]:
    with patch.dict(connections.settings["default"], ATOMIC_REQUESTS=True):
        yield


def read_rows() -> list[Row]:
    names = ("kind", "category", "reason", "error", "suberror", "number", "resource", "count")
    return list(TokenErrorRecord.objects.order_by("pk").values_list(*names))


def check(case: Case, walker: Walker) -> None:
    case.happen(walker)
    assert read_rows() == list(case.rows)
    alice = walker.entra.people["alice"]
    for row in TokenErrorRecord.objects.select_related("user"):
        assert row.user
        assert row.user.get_username() == alice.username
        assert (row.tid, row.oid) == (alice.tid, alice.oid)
        assert case.asked in row.claims or row.kind != "challenge"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_leaves_its_rows(case: Case, walker: Walker) -> None:
    check(case, walker)


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize("case", [case for case in CASES if not case.is_async], ids=str)
def test_a_rolled_back_request_leaves_the_same(case: Case, walker: Walker) -> None:
    check(case, walker)


def test_what_is_held_back_says_since_when_until_when_and_under_which_key(walker: Walker) -> None:
    throttled(get("/mail/"))(walker)
    row = TokenErrorRecord.objects.get()
    assert row.throttle_until
    assert 25 < (row.throttle_until - row.first_seen).total_seconds() <= 30
    assert row.throttle_key


def test_an_answer_that_is_given_again_can_be_forgotten_by_its_key(walker: Walker) -> None:
    happen = refused(50076, get("/mail/", times=2), suberror="basic_action")
    happen(walker)
    row = TokenErrorRecord.objects.get()
    assert row.count == 2
    assert row.throttle_key
    assert row.correlation_id == CORRELATION_ID


def test_a_provider_s_own_words_do_not_get_in(walker: Walker) -> None:
    words = {"error": "<script>", "suberror": "'; --", "correlation_id": "../..", "trace_id": "x"}
    refused(10**12, get("/mail/"), **words)(walker)
    row = TokenErrorRecord.objects.get()
    assert (row.error, row.suberror, row.number) == ("other", "other", None)
    assert (row.correlation_id, row.trace_id) == ("", "")


def test_a_failed_first_sign_in_names_nobody(entra: Any, entra_settings: Any) -> None:
    stranger = make_walker(entra)
    stranger.deliver(stranger.answer(stranger.begin("/private/"), cancel=True))
    row = TokenErrorRecord.objects.get()
    assert (row.reason, row.user, row.tid, row.oid) == ("cancelled", None, "", "")
