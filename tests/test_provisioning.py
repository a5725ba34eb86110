"""From claims to a user: names, e-mail, groups and flags, and who gets none of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.conf import EntraSettings
from django_entra_auth.models import EntraIdentity
from django_entra_auth.provisioning import (
    SignInRefused,
    apply_roles,
    build_username,
    create_user,
    find_identity,
    is_email_trusted,
    is_guest,
    update_user,
)

pytestmark = pytest.mark.django_db

TID = "11111111-2222-4333-8444-555555555555"
OTHER_TID = "66666666-7777-4888-8999-aaaaaaaaaaaa"
OID = "abcdef01-2222-4333-8444-555555555555"
OTHER_OID = "abcdef99-2222-4333-8444-555555555555"
ISSUER = f"https://login.microsoftonline.com/{TID}/v2.0"
SINGLE = f"https://login.microsoftonline.com/{TID}"
SHARED = "https://login.microsoftonline.com/organizations"


def conf(authority: str = SINGLE, **changes: Any) -> EntraSettings:
    return EntraSettings(
        client_id="client", client_credential="secret", authority=authority, **changes
    )


def claims(**changes: Any) -> dict[str, Any]:
    base = {"iss": ISSUER, "tid": TID, "oid": OID, "preferred_username": "alice@contoso.example"}
    return {**base, **changes}


def update(user: Any, values: dict[str, Any], settings: EntraSettings, **more: Any) -> Any:
    update_user(user, values, settings, guest=more.get("guest", False))
    user.refresh_from_db()
    return user


@pytest.fixture
def user() -> Any:
    return User.objects.create(
        username="alice", first_name="Old", last_name="Name", email="old@contoso.example"
    )


# Identity


def test_an_identity_is_found_by_tenant_and_object_in_any_spelling(user: User) -> None:
    identity = EntraIdentity.objects.create(user=user, tid=TID, oid=OID)
    assert find_identity(claims()) == identity
    assert find_identity(claims(tid=TID.upper(), oid=OID.upper())) == identity


@pytest.mark.parametrize(
    "changes", [{"tid": OTHER_TID}, {"oid": OTHER_OID}, {"tid": OID, "oid": TID}]
)
def test_an_identity_is_found_by_nothing_else(user: User, changes: dict[str, str]) -> None:
    EntraIdentity.objects.create(user=user, tid=TID, oid=OID)
    assert find_identity(claims(**changes)) is None


# User names


def test_a_new_user_has_the_claimed_name_and_no_password() -> None:
    made = create_user(claims(), conf())
    assert made.get_username() == "alice@contoso.example"
    assert not made.has_usable_password()
    assert not made.is_staff  # type: ignore[attr-defined]
    assert not made.is_superuser  # type: ignore[attr-defined]


@pytest.mark.parametrize("taken", ["alice@contoso.example", "ALICE@Contoso.Example"])
def test_a_taken_name_is_told_apart_by_the_object_id(taken: str) -> None:
    existing = User.objects.create(username=taken)
    made = create_user(claims(), conf())
    assert made.pk != existing.pk
    assert made.get_username() == "alice@contoso.example-abcdef01"


def test_two_of_a_name_and_of_a_beginning_of_the_object_id() -> None:
    names = {create_user(claims(), conf()).get_username()}
    names.add(create_user(claims(oid="abcdef01-" + OTHER_OID[9:]), conf()).get_username())
    names.add(create_user(claims(oid="abcdef01-" + OID[:27]), conf()).get_username())
    assert len(names) == 3


def test_a_long_name_is_cut_to_the_field() -> None:
    long_name = "x" * 400
    first = create_user(claims(preferred_username=long_name), conf())
    second = create_user(claims(preferred_username=long_name, oid=OTHER_OID), conf())
    assert first.get_username() == "x" * 150
    assert second.get_username() == "x" * 141 + "-abcdef99"


def test_control_characters_do_not_reach_a_name() -> None:
    nasty = "al\x00ice\r\n\t\x1b[31m\u202e\u2028@contoso.example"
    assert build_username(claims(preferred_username=nasty), conf()) == "alice[31m@contoso.example"


@pytest.mark.parametrize("missing", [None, "", "   ", "\x00\n", 5, ["alice"], {"a": 1}])
def test_without_a_name_it_is_the_object_id(missing: Any) -> None:
    assert build_username(claims(preferred_username=missing), conf()) == OID
    assert build_username({"tid": TID, "oid": OID.upper()}, conf()) == OID


def test_another_claim_may_give_the_name() -> None:
    assert build_username(claims(upn="a.smith"), conf(username_claim="upn")) == "a.smith"


@given(st.text(max_size=300))
def test_any_name_fits_and_can_be_shown(name: str) -> None:
    built = build_username(claims(preferred_username=name), conf())
    assert 0 < len(built) <= 150
    assert not any(ord(char) < 32 for char in built)


# Mapped fields


def test_claims_are_copied(user: User) -> None:
    values = claims(given_name="Alice", family_name="Smith", email="alice@contoso.example")
    update(user, values, conf())
    assert (user.first_name, user.last_name, user.email) == (
        "Alice",
        "Smith",
        "alice@contoso.example",
    )


@pytest.mark.parametrize("absent", [{}, {"given_name": ""}, {"given_name": None}, {"email": 5}])
def test_absent_claims_do_not_overwrite(user: User, absent: dict[str, Any]) -> None:
    update(user, claims(**absent), conf())
    assert (user.first_name, user.last_name, user.email) == ("Old", "Name", "old@contoso.example")


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Alice Smith", "Alice", "Smith"),
        ("  Alice   Smith Jones ", "Alice", "Smith Jones"),
        ("Madonna", "Madonna", "Name"),
        ("", "Old", "Name"),
        (None, "Old", "Name"),
        (5, "Old", "Name"),
    ],
)
def test_names_fall_back_to_splitting_the_full_one(
    user: User, name: Any, first: str, last: str
) -> None:
    update(user, claims(name=name), conf())
    assert (user.first_name, user.last_name) == (first, last)


def test_a_given_name_is_not_second_guessed(user: User) -> None:
    update(user, claims(name="Somebody Else", given_name="Alice"), conf())
    assert (user.first_name, user.last_name) == ("Alice", "Name")


def test_a_long_name_is_cut(user: User) -> None:
    update(user, claims(given_name="x" * 1000), conf())
    assert user.first_name == "x" * 150


def test_an_address_that_does_not_fit_is_not_cut_into_another(user: User) -> None:
    begin = "a" * 230 + "@contoso.example"
    update(user, claims(email=begin.ljust(254, "x") + ".evil.example"), conf())
    assert user.email == "old@contoso.example"


def test_control_characters_do_not_reach_a_field(user: User) -> None:
    update(user, claims(given_name="Al\x00ice\r\n", family_name="Smi\x1bth"), conf())
    assert "".join([user.first_name, user.last_name]).isprintable()


def test_an_own_mapping_takes_the_place_of_the_default(user: User) -> None:
    settings = conf(claim_mapping={"last_name": "department", "unknown_field": "name"})
    update(user, claims(given_name="Alice", department="Sales"), settings)
    assert (user.first_name, user.last_name) == ("Old", "Sales")


def test_nothing_is_written_when_nothing_changed(
    user: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        update_user(user, claims(given_name="Old"), conf(), guest=False)


def test_the_password_of_an_existing_user_stays(user: User) -> None:
    user.set_password("local")
    user.save()
    update(user, claims(given_name="Alice"), conf())
    assert user.check_password("local")


# E-mail


@pytest.mark.parametrize(
    ("values", "authority", "guest", "expected"),
    [
        ({}, SINGLE, False, True),
        ({}, SINGLE, True, False),
        ({}, SHARED, False, False),
        ({}, SHARED, True, False),
        ({"xms_edov": True}, SHARED, False, True),
        ({"xms_edov": "1"}, SHARED, True, True),
        ({"xms_edov": 1}, SINGLE, True, True),
        ({"xms_edov": "true"}, SHARED, False, True),
        ({"xms_edov": False}, SHARED, False, False),
        ({"xms_edov": "0"}, SHARED, False, False),
        ({"xms_edov": ""}, SHARED, False, False),
        ({"xms_edov": None}, SHARED, False, False),
        ({"email_verified": True}, SHARED, False, False),
    ],
)
def test_whose_address_is_trusted(
    user: User, values: dict[str, Any], authority: str, guest: bool, expected: bool
) -> None:
    settings = conf(authority)
    assert is_email_trusted(claims(**values), settings, guest=guest) is expected
    update(user, claims(email="new@evil.example", **values), settings, guest=guest)
    assert user.email == ("new@evil.example" if expected else "old@contoso.example")


@pytest.mark.parametrize("claim", ["preferred_username", "upn"])
def test_an_untrusted_account_sets_no_address_by_another_claim(user: User, claim: str) -> None:
    settings = conf(SHARED, claim_mapping={"email": claim})
    update(user, claims(**{claim: "ceo@contoso.example"}), settings)
    assert user.email == "old@contoso.example"


# Guests


@pytest.mark.parametrize(
    ("values", "home", "expected"),
    [
        ({}, "", False),
        ({"acct": 0}, "", False),
        ({"acct": 1}, "", True),
        ({"acct": "1"}, "", True),
        ({"acct": 0, "idp": "live.com"}, f"x.{OTHER_TID}", False),
        ({"idp": "live.com"}, "", True),
        ({"idp": ISSUER}, "", False),
        ({"idp": ""}, "", False),
        ({}, f"{OID}.{TID}", False),
        ({}, f"{OID}.{TID.upper()}", False),
        ({}, f"{OTHER_OID}.{OTHER_TID}", True),
    ],
)
def test_who_is_a_guest(values: dict[str, Any], home: str, expected: bool) -> None:
    assert is_guest(claims(**values, home_account_id=home)) is expected


# Roles and groups


def flags(user: Any) -> tuple[bool, bool]:
    user.refresh_from_db()
    return user.is_staff, user.is_superuser


def groups(user: Any) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


ADMINS: dict[str, Any] = {"staff_roles": ("Staff", "Admin"), "superuser_roles": ("Admin",)}


def test_roles_give_and_take_flags(user: User) -> None:
    apply_roles(user, claims(roles=["Staff"]), conf(**ADMINS))
    assert flags(user) == (True, False)
    apply_roles(user, claims(roles=["Admin", "Other"]), conf(**ADMINS))
    assert flags(user) == (True, True)
    apply_roles(user, claims(), conf(**ADMINS))
    assert flags(user) == (False, False)


@pytest.mark.parametrize(
    "roles", [None, "Admin", {"Admin": 1}, [["Admin"]], [None], ["admin"], ["Admin "], []]
)
def test_nothing_but_a_list_with_the_very_role_grants(user: User, roles: Any) -> None:
    apply_roles(user, claims(roles=roles), conf(**ADMINS))
    assert flags(user) == (False, False)


def test_flags_without_a_setting_are_left_alone(user: User) -> None:
    user.is_staff = user.is_superuser = True
    user.save()
    apply_roles(user, claims(), conf())
    assert flags(user) == (True, True)
    apply_roles(user, claims(), conf(staff_roles=("Staff",)))
    assert flags(user) == (False, True)


def test_only_mapped_groups_are_touched(user: User) -> None:
    mapping = {"Editor": ["Editors", "Writers"], "Reader": "Readers"}
    kept, lost = (Group.objects.create(name=name) for name in ("Local", "Readers"))
    user.groups.add(kept, lost)
    apply_roles(user, claims(roles=["Editor", "Local"]), conf(group_mapping=mapping))
    assert groups(user) == {"Local", "Editors", "Writers"}
    apply_roles(user, claims(), conf(group_mapping=mapping))
    assert groups(user) == {"Local"}


def test_a_group_of_two_values_stays_while_one_of_them_is_held(user: User) -> None:
    mapping = {"A": "Team", "B": ["Team"]}
    apply_roles(user, claims(roles=["A", "B"]), conf(group_mapping=mapping))
    apply_roles(user, claims(roles=["B"]), conf(group_mapping=mapping))
    assert groups(user) == {"Team"}


def test_group_ids_come_from_the_groups_claim_alone(user: User) -> None:
    settings = conf(groups_claim="groups", group_mapping={OID: "Team"}, staff_roles=(OID,))
    apply_roles(user, claims(roles=[OID]), settings)
    assert groups(user) == set()
    apply_roles(user, claims(groups=[OID]), settings)
    assert groups(user) == {"Team"}
    assert flags(user) == (True, False)


OVERAGE = {
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x"}},
}


@pytest.mark.parametrize("values", [OVERAGE, {"hasgroups": True}, {"groups:src1": "x"}])
def test_too_many_groups_grant_nothing(user: User, values: dict[str, Any]) -> None:
    settings = conf(groups_claim="groups", group_mapping={OID: "Team"}, staff_roles=(OID,))
    user.groups.add(Group.objects.create(name="Team"))
    apply_roles(user, claims(**values), settings)
    assert groups(user) == set()
    assert flags(user) == (False, False)


SEVERAL = [
    conf(SHARED, allowed_tenants=("*",), staff_roles=("Admin",), group_mapping={"Admin": "Team"}),
    conf(SINGLE, allowed_tenants=(TID, OTHER_TID), staff_roles=("Admin",)),
]


@pytest.mark.parametrize("settings", SEVERAL)
def test_with_several_tenants_a_bare_value_grants_nothing(
    user: User, settings: EntraSettings
) -> None:
    apply_roles(user, claims(roles=["Admin"]), settings)
    assert flags(user) == (False, False)
    assert groups(user) == set()


def scoped(tid: str) -> EntraSettings:
    grant = f"{tid}:Admin"
    return conf(SHARED, allowed_tenants=("*",), staff_roles=(grant,), group_mapping={grant: "Team"})


def test_with_several_tenants_a_value_counts_in_its_tenant_alone(user: User) -> None:
    apply_roles(user, claims(roles=["Admin"]), scoped(OTHER_TID))
    assert (flags(user), groups(user)) == ((False, False), set())
    apply_roles(user, claims(roles=["Admin"], tid=TID.upper()), scoped(TID))
    assert (flags(user), groups(user)) == ((True, False), {"Team"})


def test_a_role_that_spells_another_tenant_grants_nothing(user: User) -> None:
    forged = claims(roles=[f"{OTHER_TID}:Admin"])
    apply_roles(user, forged, scoped(OTHER_TID))
    assert (flags(user), groups(user)) == ((False, False), set())


def test_one_tenant_may_be_named_too(user: User) -> None:
    apply_roles(user, claims(roles=["Admin"]), conf(staff_roles=(f"{TID}:Admin",)))
    assert flags(user) == (True, False)


def test_a_refusal_is_permission_denied_with_a_reason() -> None:
    refusal = SignInRefused("user_unknown")
    assert isinstance(refusal, PermissionDenied)
    assert refusal.reason == "user_unknown"
