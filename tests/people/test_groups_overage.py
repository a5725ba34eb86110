"""Somebody in 250 groups, whom no ID token can list: Graph tells, or nothing is given."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from django_entra_auth import signals
from django_entra_auth.admin.throttles import find_held, let_one_through, list_held
from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import TokenErrorRecord
from tests.people.asking import (
    ALL,
    FRANK,
    NOTHING,
    count_questions,
    count_token_requests,
    rights_of,
    user_of,
)
from tests.people.conftest import LAST
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db

JSON = {"Content-Type": "application/json"}
OTHER_GROUP = "0b0b0b0b-0000-4000-8000-000000000001"


def answer_with(entra: Emulator, value: Any, *, status: int = 200) -> None:
    """Let Graph answer every question with this."""
    body = value if isinstance(value, str) else json.dumps(value)
    entra.faults.add("graph", Fault(status, body, JSON), times=None)


# Asked


@pytest.mark.usefixtures("by_groups")
def test_graph_is_asked_once_and_with_the_token_of_the_sign_in(entra, visitor):
    visitor.sign_in("frank")
    assert visitor.is_signed_in()
    assert rights_of(FRANK) == ALL
    assert count_questions(entra) == 1
    assert count_token_requests(entra) == 1
    assert "groups" not in visitor.client.session["_entra"]["claims"]


@pytest.mark.usefixtures("by_groups")
def test_graph_answers_page_by_page(entra, visitor):
    entra.graph.largest_page = 100
    visitor.sign_in("frank")
    assert rights_of(FRANK) == ALL
    assert count_questions(entra) == 3


@pytest.mark.usefixtures("by_groups")
def test_who_is_in_another_250_groups_gets_nothing(entra, visitor):
    entra.people["frank"].groups[LAST] = OTHER_GROUP
    visitor.sign_in("frank")
    assert rights_of(FRANK) == NOTHING
    assert count_questions(entra) == 1
    assert not TokenErrorRecord.objects.exists()


def test_the_sites_own_code_sees_all_groups(entra, visitor, by_groups):
    seen: list[Any] = []

    def look(**kwargs: Any) -> None:
        seen.append(kwargs["claims"]["groups"])

    signals.signed_in.connect(look)
    try:
        visitor.sign_in("frank")
    finally:
        signals.signed_in.disconnect(look)
    assert seen == [entra.people["frank"].groups]


@pytest.mark.parametrize("scopes", [[], ["api://timesheets/Hours.Read", "User.Read"]])
@pytest.mark.usefixtures("by_groups")
def test_whatever_the_first_token_is_for(entra, visitor, configure, scopes):
    configure(SCOPES=scopes)
    visitor.sign_in("frank")
    assert rights_of(FRANK) == ALL


def test_an_id_may_be_written_in_capitals(entra, visitor, configure, by_groups):
    configure(GROUP_MAPPING={by_groups.upper(): "team"}, STAFF_ROLES=[by_groups.upper()])
    visitor.sign_in("frank")
    assert rights_of(FRANK) == ALL


@pytest.mark.usefixtures("by_groups")
def test_a_token_may_only_say_that_there_are_groups(entra, visitor):
    alice = entra.people["alice"]
    alice.groups, alice.extra_claims = [], {"hasgroups": True}
    visitor.sign_in("alice")
    assert rights_of("alice@contoso.example") == NOTHING
    assert count_questions(entra) == 1


# Not asked


def test_groups_that_fit_are_not_asked_for(entra, visitor, configure, by_groups):
    configure(GROUP_MAPPING={entra.people["alice"].groups[0]: "team"})
    visitor.sign_in("alice")
    assert rights_of("alice@contoso.example") == (False, {"team"})
    assert count_questions(entra) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"GROUP_MAPPING": {}, "STAFF_ROLES": []},
        {"GROUPS_CLAIM": "roles"},
    ],
)
@pytest.mark.usefixtures("by_groups")
def test_nothing_is_asked_that_no_setting_depends_on(entra, visitor, configure, changes):
    configure(**changes)
    visitor.sign_in("frank")
    assert rights_of(FRANK) == NOTHING
    assert count_questions(entra) == 0


def test_nothing_is_asked_for_another_tenants_settings(entra, visitor, configure, by_groups):
    other = "99999999-2222-4333-8444-555555555555"
    scoped = f"{other}:{by_groups}"
    tenants = {
        "AUTHORITY": f"{entra.origin}/organizations",
        "ALLOWED_TENANTS": [entra.tenant_id, other],
    }
    configure(**tenants, GROUP_MAPPING={scoped: "team"}, STAFF_ROLES=[scoped])
    visitor.sign_in("frank")
    assert rights_of(FRANK) == NOTHING
    assert count_questions(entra) == 0
    scoped = f"{entra.tenant_id.upper()}:{by_groups}"
    configure(GROUP_MAPPING={scoped: "team"}, STAFF_ROLES=[scoped])
    Visitor(entra).sign_in("frank")
    assert rights_of(FRANK) == ALL


# Refused

ITEM = {"@odata.type": "#microsoft.graph.group", "id": OTHER_GROUP}
TROUBLE: dict[str, Callable[[Emulator], None]] = {
    "500": lambda entra: entra.faults.outage("500", endpoint="graph"),
    "503": lambda entra: entra.faults.outage("503", endpoint="graph"),
    "gateway": lambda entra: entra.faults.outage("html", endpoint="graph"),
    "reset": lambda entra: entra.faults.outage("reset", endpoint="graph"),
    "hang": lambda entra: entra.faults.outage("hang", endpoint="graph"),
    "throttled": lambda entra: entra.graph.throttle(120),
    "challenged": lambda entra: entra.graph.require_context("/v1.0/me/transitiveMemberOf", "c2"),
    "refused": lambda entra: answer_with(entra, {"error": {"code": "no"}}, status=403),
    "too many for Graph": lambda entra: answer_with(entra, {"error": {"code": "x"}}, status=400),
    "redirect": lambda entra: answer_with(entra, "", status=302),
    "no JSON": lambda entra: answer_with(entra, "<html>"),
    "no object": lambda entra: answer_with(entra, [ITEM]),
    "no list": lambda entra: answer_with(entra, {"value": {"id": OTHER_GROUP}}),
    "nothing": lambda entra: answer_with(entra, {}),
    "no id": lambda entra: answer_with(entra, {"value": [ITEM, {"id": "team"}]}),
    "a bare id": lambda entra: answer_with(entra, {"value": [OTHER_GROUP]}),
    "odd next": lambda entra: answer_with(entra, {"value": [ITEM], "@odata.nextLink": 1}),
    "endless": lambda entra: answer_with(
        entra,
        {"value": [ITEM], "@odata.nextLink": f"{entra.origin}/v1.0/me/transitiveMemberOf"},
    ),
    "huge": lambda entra: answer_with(entra, {"value": [ITEM] * 20_000}),
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
@pytest.mark.usefixtures("by_groups")
def test_trouble_refuses_the_privileges_and_lets_the_person_in(entra, visitor, configure, trouble):
    Visitor(entra).sign_in("frank")
    assert rights_of(FRANK) == ALL
    user_of(FRANK).groups.add(Group.objects.create(name="own"))
    trouble(entra)
    if trouble is TROUBLE["hang"]:
        configure(HTTP_TIMEOUT=(3.05, 2))
    visitor.sign_in("frank")
    assert visitor.is_signed_in()
    assert rights_of(FRANK) == (False, {"own"})
    row = TokenErrorRecord.objects.get()
    assert row.reason == "groups_unresolved"
    assert (row.oid, row.tid) == (entra.people["frank"].oid, entra.tenant_id)
    assert (row.resource, row.correlation_id != "") == ("graph", True)


@pytest.mark.usefixtures("by_groups")
def test_the_next_page_is_graphs_own_or_none(entra, visitor):
    # The same server under another name: another origin, which must not get the token.
    elsewhere = entra.origin.replace("localhost", "127.0.0.1") + "/v1.0/me/transitiveMemberOf"
    answer_with(entra, {"value": [ITEM], "@odata.nextLink": elsewhere})
    visitor.sign_in("frank")
    assert rights_of(FRANK) == NOTHING
    assert count_questions(entra) == 1
    assert TokenErrorRecord.objects.get().error == "invalid_response"


@pytest.mark.usefixtures("by_groups")
def test_what_failed_says_who_has_to_act(entra, visitor):
    answer_with(entra, {"error": {"code": "Authorization_RequestDenied"}}, status=403)
    visitor.sign_in("frank")
    row = TokenErrorRecord.objects.get()
    assert (row.error, row.category) == ("consent_required", "consent")


@pytest.mark.usefixtures("by_groups")
def test_a_permission_nobody_consented_to(entra, visitor, configure):
    configure(SCOPES=[])
    entra.application.require_consent = True
    visitor.sign_in("frank")
    assert visitor.is_signed_in()
    assert rights_of(FRANK) == NOTHING
    assert (TokenErrorRecord.objects.get().number, count_questions(entra)) == (65001, 0)


@pytest.mark.usefixtures("by_groups")
def test_a_token_for_graph_that_needs_the_person(entra, visitor, configure):
    configure(SCOPES=["api://timesheets/Hours.Read", "User.Read"])
    answer = visitor.answer(visitor.begin(), "frank")
    entra.faults.add(
        "token",
        Fault(
            400,
            json.dumps({"error": "interaction_required", "error_codes": [50076]}),
            JSON,
        ),
        grant="refresh_token",
    )
    visitor.deliver(answer)
    assert visitor.is_signed_in()
    assert rights_of(FRANK) == NOTHING
    row = TokenErrorRecord.objects.get()
    assert (row.number, row.category, count_questions(entra)) == (50076, "interaction", 0)


# Held back


@pytest.mark.usefixtures("by_groups")
def test_a_wait_is_respected_by_everybody_and_can_be_ended(entra, visitor):
    entra.graph.throttle(120)
    visitor.sign_in("frank")
    Visitor(entra).sign_in("frank")
    assert count_questions(entra) == 1
    (held,) = list_held()
    assert (held.rule, held.status, 100 < held.left <= 120) == ("shared", 429, True)
    entra.faults.clear()
    found = find_held(held.key)
    assert found is not None
    let_one_through(held.key, found[1])
    Visitor(entra).sign_in("frank")
    assert rights_of(FRANK) == ALL


@pytest.mark.usefixtures("by_groups")
def test_a_wait_has_a_limit(entra, visitor):
    entra.graph.throttle(86_400)
    visitor.sign_in("frank")
    (held,) = list_held()
    assert 200 < held.left <= 300


@pytest.mark.usefixtures("by_groups")
def test_an_outage_that_names_no_time_holds_nobody_back(entra, visitor):
    entra.faults.outage("503", endpoint="graph")
    visitor.sign_in("frank")
    entra.faults.clear()
    Visitor(entra).sign_in("frank")
    assert rights_of(FRANK) == ALL


# Said


@pytest.mark.usefixtures("by_groups")
def test_neither_token_nor_group_is_said_anywhere(entra, visitor, caplog):
    caplog.set_level(logging.DEBUG)
    answer_with(entra, {"value": [{"id": OTHER_GROUP}, {"id": "the-name-of-a-group"}]})
    told: list[Any] = []

    def hear(**kwargs: Any) -> None:
        told.append((kwargs["result"], kwargs["reason"]))

    signals.token_error.connect(hear)
    try:
        visitor.sign_in("frank")
    finally:
        signals.token_error.disconnect(hear)
    assert [reason for _, reason in told] == ["groups_unresolved"]
    said = caplog.text + repr(told) + repr(TokenErrorRecord.objects.values())
    assert "Privileges by group were refused" in said
    for secret in (OTHER_GROUP, "the-name-of-a-group", "eyJ", "Bearer"):
        assert secret not in said


def test_another_user_of_the_same_name_gets_nothing_by_it(entra, visitor, by_groups):
    User.objects.create(username=FRANK)
    visitor.sign_in("frank")
    assert rights_of(FRANK) == NOTHING
