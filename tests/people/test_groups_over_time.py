"""Groups that are too many for a token are looked at again with each check with Entra."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from django_entra_auth.backends import EntraBackend
from django_entra_auth.conf import get_settings
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.provisioning import apply_roles
from tests.people.asking import ALL, FRANK, NOTHING, count_questions, rights_of, user_of
from tests.people.conftest import LAST
from tests.revalidation_site import is_signed_in, make_due
from tests.visitor import Visitor

pytestmark = [pytest.mark.urls("tests.revalidation_site"), pytest.mark.django_db]


class Grouped(EntraBackend):
    """Lets in members of frank's last group alone."""

    wanted = ""

    def verify_claims(self, claims: Any) -> bool:
        return self.wanted in claims.get("groups", ())


@pytest.fixture
def frank(entra, by_groups, visitor) -> Visitor:
    """Frank, who signed in long ago."""
    visitor.sign_in("frank")
    assert rights_of(FRANK) == ALL
    make_due(visitor)
    return visitor


def is_due_in(visitor: Visitor) -> float:
    """Seconds until the next check."""
    checked = visitor.client.session["_entra"]["checked"]
    return float(checked + 3600 - time.time())


def test_graph_is_asked_once_for_each_check(entra, frank):
    before = count_questions(entra)
    for _ in range(3):
        assert frank.client.get("/private/").status_code == 200
    assert count_questions(entra) == before + 1
    assert rights_of(FRANK) == ALL
    assert is_due_in(frank) > 3500


def test_who_has_left_the_group_is_no_longer_staff(entra, frank):
    entra.people["frank"].groups[LAST] = "0b0b0b0b-0000-4000-8000-000000000001"
    assert frank.client.get("/admin/").status_code == 302
    assert rights_of(FRANK) == NOTHING
    assert is_signed_in(frank)


def test_who_no_longer_has_too_many_is_read_from_the_token(entra, frank):
    del entra.people["frank"].groups[:100]
    before = count_questions(entra)
    assert frank.client.get("/private/").status_code == 200
    assert rights_of(FRANK) == ALL
    assert count_questions(entra) == before


@pytest.mark.parametrize("kind", ["503", "reset"])
def test_graph_being_down_refuses_the_privileges_and_signs_nobody_out(entra, frank, kind):
    entra.faults.outage(kind, endpoint="graph")
    assert frank.client.get("/private/").status_code == 200
    assert rights_of(FRANK) == NOTHING
    assert 0 < is_due_in(frank) <= 60
    entra.faults.clear()
    make_due(frank)
    assert frank.client.get("/private/").status_code == 200
    assert rights_of(FRANK) == ALL
    assert is_due_in(frank) > 3500


def test_a_wait_that_graph_names_is_waited(entra, frank):
    entra.graph.throttle(200)
    assert frank.client.get("/private/").status_code == 200
    assert rights_of(FRANK) == NOTHING
    assert 150 < is_due_in(frank) <= 200


def test_a_refusal_that_will_not_pass_is_not_repeated_each_minute(entra, frank):
    entra.faults.add("graph", Fault(403, "{}"), times=None)
    assert frank.client.get("/private/").status_code == 200
    assert rights_of(FRANK) == NOTHING
    assert is_due_in(frank) > 3500


def test_entra_being_down_takes_nothing(entra, frank):
    entra.faults.outage("503")
    entra.faults.outage("503", endpoint="graph")
    assert frank.client.get("/private/").status_code == 200
    assert rights_of(FRANK) == ALL


@pytest.mark.usefixtures("by_groups")
def test_after_a_sign_in_without_graph_the_check_comes_soon(entra, visitor):
    entra.faults.outage("503", endpoint="graph")
    visitor.sign_in("frank")
    assert rights_of(FRANK) == NOTHING
    assert 0 < is_due_in(visitor) <= 60
    assert visitor.client.get("/private/").status_code == 200


def test_a_rule_of_the_site_by_groups_signs_nobody_out_while_graph_is_down(
    entra, frank, by_groups, settings, monkeypatch
):
    monkeypatch.setattr(Grouped, "wanted", by_groups)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Grouped"]
    visitor = Visitor(entra)
    visitor.sign_in("frank")
    make_due(visitor)
    entra.faults.outage("503", endpoint="graph")
    assert visitor.client.get("/private/").status_code == 200
    assert rights_of(FRANK) == NOTHING
    entra.faults.clear()
    entra.people["frank"].groups[LAST] = "0b0b0b0b-0000-4000-8000-000000000001"
    make_due(visitor)
    visitor.client.get("/private/")
    assert not is_signed_in(visitor)


def test_permissions_that_were_asked_for_before_are_forgotten(entra, frank):
    group = user_of(FRANK).groups.get()
    group.permissions.add(Permission.objects.get(codename="view_user"))
    user = user_of(FRANK)
    assert user.has_perm("auth.view_user")
    apply_roles(user, {"tid": entra.tenant_id, "groups": []}, get_settings())
    assert not user.has_perm("auth.view_user")
