"""A check with Entra that has come due also decides what a person may do, and whether at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group

from django_entra_auth.backends import EntraBackend
from django_entra_auth.emulator import TENANT_ID
from tests.revalidation_site import come_long_ago, is_signed_in, make_due, refreshes, user_of
from tests.visitor import Visitor

pytestmark = [pytest.mark.urls("tests.revalidation_site"), pytest.mark.django_db]

FOREIGN = "99999999-2222-4333-8444-555555555555"


class Picky(EntraBackend):
    """Lets in by a claim that this app adds itself."""

    allowed = True

    def verify_claims(self, claims: Any) -> bool:
        return self.allowed and claims["home_account_id"].endswith(claims["tid"])


@pytest.fixture
def arrive(entra: Any, configure: Callable[..., None]) -> Callable[..., Visitor]:
    """`arrive("alice")` is somebody who signed in long ago."""
    configure(SCOPES=["User.Read"])
    return partial(come_long_ago, entra)


def assert_let_in(visitor: Visitor, page: str) -> None:
    assert visitor.client.get(page).status_code == 200


def test_roles_are_given_and_taken(entra, arrive, configure):
    configure(STAFF_ROLES=["Admin"], GROUP_MAPPING={"Admin": "bosses", "Reader": "readers"})
    visitor = arrive()
    alice, user = entra.people["alice"], user_of(visitor)
    user.groups.add(Group.objects.create(name="own"))
    alice.roles = ["Admin"]
    assert_let_in(visitor, "/private/")
    user = user_of(visitor)
    assert user.is_staff
    assert set(user.groups.values_list("name", flat=True)) == {"own", "bosses"}
    assert visitor.client.session["_entra"]["claims"]["roles"] == ["Admin"]
    alice.roles = []
    make_due(visitor)
    assert_let_in(visitor, "/private/")
    user = user_of(visitor)
    assert not user.is_staff
    assert set(user.groups.values_list("name", flat=True)) == {"own"}
    assert "roles" not in visitor.client.session["_entra"]["claims"]


def test_what_was_taken_is_gone_in_the_very_request(entra, arrive, configure):
    configure(STAFF_ROLES=["Admin"])
    visitor = arrive("erin")
    assert user_of(visitor).is_staff
    entra.people["erin"].roles = []
    assert visitor.client.get("/admin/").status_code == 302


def test_who_has_become_a_guest_nobody_wants_is_out(entra, arrive, configure):
    visitor = arrive("carol")
    configure(BLOCK_GUESTS=True)
    visitor.client.get("/reading/")
    assert not is_signed_in(visitor)
    member = arrive()
    assert_let_in(member, "/private/")


def test_whose_tenant_is_no_longer_allowed_is_out(entra, arrive, configure):
    configure(AUTHORITY=f"{entra.origin}/organizations", ALLOWED_TENANTS=[TENANT_ID])
    visitor = arrive()
    assert_let_in(visitor, "/reading/")
    make_due(visitor)
    configure(ALLOWED_TENANTS=[FOREIGN])
    visitor.client.get("/reading/")
    assert not is_signed_in(visitor)


def test_the_sites_own_rule_is_asked_with_the_claims_of_a_sign_in(
    entra, arrive, settings, monkeypatch
):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Picky"]
    visitor = arrive()
    assert_let_in(visitor, "/private/")
    make_due(visitor)
    monkeypatch.setattr(Picky, "allowed", False)
    assert visitor.client.get("/private/").status_code == 302
    assert not is_signed_in(visitor)


def test_another_backends_person_is_left_alone(entra, arrive):
    visitor = arrive()
    user = user_of(visitor)
    visitor.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    entra.people["alice"].enabled = False
    assert visitor.client.get("/reading/").content == user.username.encode()
    assert refreshes(entra) == 0
