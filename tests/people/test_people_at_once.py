"""First sign-ins and checks that overlap, on a database that locks as a server's does."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from django_entra_auth.emulator.faults import Fault
from django_entra_auth.models import EntraIdentity
from tests.people.asking import ALL, FRANK, count_questions, rights_of
from tests.people.at_once import run_at_once
from tests.revalidation_site import make_due
from tests.visitor import Visitor, make_client

pytestmark = [pytest.mark.urls("tests.revalidation_site"), pytest.mark.usefixtures("file_database")]

TABS = 6


@pytest.fixture(params=[False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
def atomic_requests(request: Any, file_database: None, monkeypatch: Any) -> None:
    from django.db import connections

    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", request.param)


def begin(entra: Any, person: str) -> tuple[Visitor, Any]:
    visitor = Visitor(entra)
    return visitor, visitor.answer(visitor.begin(), person)


def deliver(pair: tuple[Visitor, Any]) -> int:
    visitor, answer = pair
    return int(visitor.deliver(answer).status_code)


@pytest.mark.usefixtures("atomic_requests")
def test_one_new_person_in_many_browsers_is_one_user(entra, configure):
    configure(GROUP_MAPPING={"Admin": ["bosses", "team"]})
    waiting = [begin(entra, "erin") for _ in range(TABS)]
    assert run_at_once([partial(deliver, pair) for pair in waiting]) == [302] * TABS
    user = get_user_model().objects.get()
    assert EntraIdentity.objects.get().user == user
    assert set(user.groups.values_list("name", flat=True)) == {"bosses", "team"}
    assert Group.objects.count() == 2


@pytest.mark.usefixtures("atomic_requests")
def test_new_people_of_one_name_are_as_many_users(entra, configure):
    names = list(entra.people)[:3]
    for number, name in enumerate(names):
        entra.people[name].enabled = True
        entra.people[name].extra_claims = {"nickname": "sam" if number else "Sam"}
    configure(USERNAME_CLAIM="nickname")
    waiting = [begin(entra, name) for name in names]
    assert run_at_once([partial(deliver, pair) for pair in waiting]) == [302] * len(names)
    users = get_user_model().objects.values_list("username", flat=True)
    assert len({name.lower() for name in users}) == len(names)
    assert EntraIdentity.objects.count() == len(names)


def test_one_asks_graph_for_all_requests_of_a_session(entra, by_groups):
    visitor = Visitor(entra)
    visitor.sign_in("frank")
    make_due(visitor)
    before = count_questions(entra)
    entra.faults.add("graph", Fault(delay=0.3))

    def get() -> int:
        client = make_client()
        client.cookies.load(visitor.client.cookies.output(header=""))
        return int(client.get("/private/").status_code)

    assert run_at_once([get] * TABS) == [200] * TABS
    assert count_questions(entra) == before + 1
    assert rights_of(FRANK) == ALL
