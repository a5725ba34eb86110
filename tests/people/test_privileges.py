"""What gives nothing: names, addresses, and values of another directory."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from django_entra_auth.emulator import FABRIKAM_TENANT_ID, TENANT_ID
from django_entra_auth.models import EntraIdentity
from tests.people.asking import ALL, NOTHING, rights_of
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db

ALICE = "alice@contoso.example"
GRACE = "grace@fabrikam.example"


# Names


@pytest.mark.parametrize("claim", ["name", "preferred_username", "nickname"])
def test_a_display_name_equal_to_a_privileged_groups(entra, visitor, configure, claim):
    configure(GROUP_MAPPING={"Admin": "team"}, STAFF_ROLES=["Admin"], SUPERUSER_ROLES=["Admin"])
    Group.objects.create(name="team")
    for name in ("Admin", "team"):
        entra.people["alice"].extra_claims = {claim: name}
        Visitor(entra).sign_in("alice")
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.groups.count()) == (False, False, 0)


@pytest.mark.parametrize("name", ["Admins", "admins"])
def test_a_group_that_is_named_as_a_privileged_one(entra, visitor, configure, name):
    """Registrations can be set to send names; whoever may make a group chooses its name."""
    entra.optional_claims.add("groups")
    configure(GROUPS_CLAIM="groups", GROUP_MAPPING={name: "team"}, STAFF_ROLES=[name])
    entra.people["alice"].groups = [name]
    visitor.sign_in("alice")
    assert rights_of(ALICE) == NOTHING


def test_a_role_of_a_groups_id_and_a_group_of_a_roles_name(entra, visitor, configure):
    entra.optional_claims.add("groups")
    alice = entra.people["alice"]
    group = alice.groups[0]
    alice.roles, alice.groups = [group], []
    configure(GROUPS_CLAIM="groups", GROUP_MAPPING={group: "team"}, STAFF_ROLES=[group])
    visitor.sign_in("alice")
    assert rights_of(ALICE) == NOTHING
    alice.roles, alice.groups = [], [group]
    configure(GROUPS_CLAIM="roles")
    Visitor(entra).sign_in("alice")
    assert rights_of(ALICE) == NOTHING


# Addresses


@pytest.mark.parametrize("person", ["alice", "carol"])
def test_an_address_equal_to_an_existing_users(entra, visitor, configure, person):
    boss = User.objects.create_superuser("boss", "boss@contoso.example", "password")
    Group.objects.create(name="team").user_set.add(boss)
    mail = {"email": boss.email, "upn": boss.email, "preferred_username": boss.email}
    entra.people[person].extra_claims = mail
    visitor.sign_in(person)
    user = EntraIdentity.objects.get().user
    assert user.pk != boss.pk
    assert (user.is_staff, user.is_superuser, user.groups.count()) == (False, False, 0)
    boss.refresh_from_db()
    assert boss.check_password("password")
    assert not boss.entra_identities.exists()
    # A member's address is their own directory's word, a guest's is nobody's.
    assert user.email == (boss.email if person == "alice" else "")


def test_a_username_equal_to_an_existing_users(entra, visitor, configure):
    boss = User.objects.create_superuser(ALICE.upper(), "", "password")
    visitor.sign_in("alice")
    user = EntraIdentity.objects.get().user
    assert (user.pk != boss.pk, user.is_superuser) == (True, False)
    assert user.username == f"{ALICE}-0a11ce00"


# Another directory


@pytest.fixture
def two_tenants(entra: Any, configure: Any) -> Any:
    configure(
        AUTHORITY=f"{entra.origin}/organizations",
        ALLOWED_TENANTS=[TENANT_ID, FABRIKAM_TENANT_ID],
        STAFF_ROLES=[f"{TENANT_ID}:Admin"],
        GROUP_MAPPING={f"{TENANT_ID}:Admin": "team"},
    )
    return configure


@pytest.mark.usefixtures("two_tenants")
def test_a_role_value_from_a_second_tenant(entra, visitor):
    forged = ["Admin", f"{TENANT_ID}:Admin", f"{TENANT_ID}:{TENANT_ID}:Admin", "*:Admin"]
    entra.people["grace"].roles = forged
    visitor.sign_in("grace")
    assert visitor.is_signed_in()
    assert rights_of(GRACE) == NOTHING
    entra.people["alice"].roles = ["Admin"]
    Visitor(entra).sign_in("alice")
    assert rights_of(ALICE) == ALL


def test_a_group_id_from_a_second_tenant(entra, visitor, two_tenants):
    entra.optional_claims.add("groups")
    group = entra.people["alice"].groups[0]
    scoped = f"{TENANT_ID}:{group}"
    two_tenants(GROUPS_CLAIM="groups", STAFF_ROLES=[scoped], GROUP_MAPPING={scoped: "team"})
    entra.people["grace"].groups = [group]
    visitor.sign_in("grace")
    assert rights_of(GRACE) == NOTHING
    Visitor(entra).sign_in("alice")
    assert rights_of(ALICE) == ALL


def test_the_same_person_seen_by_two_directories_is_two_users(entra, configure, visitor):
    entra.people["carol"].roles = ["Admin"]
    configure(STAFF_ROLES=["Admin"])
    visitor.sign_in("carol")
    configure(
        AUTHORITY=f"{entra.origin}/organizations",
        ALLOWED_TENANTS=[TENANT_ID, FABRIKAM_TENANT_ID],
        STAFF_ROLES=[f"{TENANT_ID}:Admin"],
    )
    Visitor(entra).sign_in("carol")
    guest, member = EntraIdentity.objects.order_by("pk")
    assert (guest.tid, member.tid) == (TENANT_ID, FABRIKAM_TENANT_ID)
    assert (guest.user.is_staff, member.user.is_staff) == (True, False)


# Given and taken


def test_superuser_and_staff_go_with_the_role(entra, visitor, configure):
    configure(STAFF_ROLES=["Admin", "Editor"], SUPERUSER_ROLES=["Admin"])
    erin, seen = entra.people["erin"], []
    for roles in (["Admin"], ["Editor"], ["Admin"], []):
        erin.roles = roles
        Visitor(entra).sign_in("erin")
        user = User.objects.get()
        seen.append((user.is_staff, user.is_superuser))
    assert seen == [(True, True), (True, False), (True, True), (False, False)]


def test_what_no_setting_maps_is_the_sites_own(entra, visitor, configure):
    configure(GROUP_MAPPING={"Admin": "team"})
    visitor.sign_in("erin")
    user = User.objects.get()
    user.is_staff = user.is_superuser = True
    user.save()
    user.groups.add(Group.objects.create(name="own"))
    entra.people["erin"].roles = []
    Visitor(entra).sign_in("erin")
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (True, True)
    assert rights_of("erin@contoso.example") == (True, {"own"})
