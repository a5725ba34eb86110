"""The backend: one account is one user, found by (tid, oid), and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client, RequestFactory, override_settings

from django_entra_auth import provisioning
from django_entra_auth.backends import EntraBackend, find_backend
from django_entra_auth.models import EntraIdentity
from django_entra_auth.provisioning import Claims, SignInRefused, ValidatedSignIn
from django_entra_auth.testing import sign_in

pytestmark = pytest.mark.django_db

TID = "11111111-2222-4333-8444-555555555555"
OTHER_TID = "66666666-7777-4888-8999-aaaaaaaaaaaa"
OID = "abcdef01-2222-4333-8444-555555555555"
ISSUER = f"https://login.microsoftonline.com/{TID}/v2.0"
RAW: dict[str, Any] = {"CLIENT_ID": "client", "CLIENT_CREDENTIAL": "secret", "TENANT_ID": TID}
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


class StrictBackend(EntraBackend):
    """Lets only one name in."""

    def verify_claims(self, claims: Claims) -> bool:
        return claims.get("name") == "Alice"


class LinkingBackend(EntraBackend):
    """Knows whom an account belongs to."""

    def link_user(self, claims: Claims) -> Any:
        return User.objects.filter(last_name=claims.get("employee_id", "")).first()


class OwnBackend(EntraBackend):
    """Makes and updates users in its own way."""

    def create_user(self, claims: Claims) -> Any:
        return User.objects.create(username=f"own-{claims['oid']}")

    def update_user(self, user: Any, claims: Claims) -> None:
        user.last_name = "updated"
        user.save()

    def user_can_authenticate(self, user: Any) -> bool:
        return True


REEXPORTED = type("Reexported", (EntraBackend,), {"__module__": "somewhere.internal"})


@pytest.fixture(autouse=True)
def _one_tenant() -> Iterator[None]:
    with override_settings(ENTRA_AUTH=RAW):
        yield


def validated(home: str = f"{OID}.{TID}", **claims: Any) -> ValidatedSignIn:
    base = {"iss": ISSUER, "tid": TID, "oid": OID, "preferred_username": "alice@contoso.example"}
    return ValidatedSignIn({**base, "home_account_id": home, **claims})


def enter(backend: EntraBackend | None = None, request: Any = None, **claims: Any) -> Any:
    return (backend or EntraBackend()).authenticate(request, sign_in=validated(**claims))


def refusal(backend: EntraBackend | None = None, request: Any = None, **claims: Any) -> str:
    with pytest.raises(SignInRefused) as caught:
        enter(backend, request, **claims)
    return caught.value.reason


def request_of(user: Any) -> Any:
    request = RequestFactory().get("/")
    request.user = user
    return request


# Who is who


def test_the_first_sign_in_makes_a_user_and_its_identity() -> None:
    user = enter(given_name="Alice", email="alice@contoso.example")
    identity = EntraIdentity.objects.get()
    assert (identity.user_id, identity.tid, identity.oid) == (user.pk, TID, OID)
    user.refresh_from_db()
    assert (user.first_name, user.email) == ("Alice", "alice@contoso.example")
    assert not user.has_usable_password()


def test_the_next_sign_in_finds_it_whatever_else_changed() -> None:
    user = enter()
    again = enter(preferred_username="married@contoso.example", email="x@y.example", sub="other")
    assert again.pk == user.pk
    assert again.username == "alice@contoso.example"
    assert User.objects.count() == EntraIdentity.objects.count() == 1


def test_an_account_is_the_same_in_any_spelling() -> None:
    user = enter(tid=TID.upper(), oid=OID.upper())
    assert EntraIdentity.objects.values_list("tid", "oid").get() == (TID, OID)
    assert enter() == user


@pytest.mark.parametrize("changes", [{"tid": OTHER_TID}, {"oid": OTHER_TID}])
def test_another_tenant_or_object_is_another_user(changes: dict[str, Any]) -> None:
    assert enter().pk != enter(**changes).pk
    assert User.objects.count() == 2


def test_the_same_name_or_address_gives_nothing() -> None:
    boss = User.objects.create(
        username="alice@contoso.example", email="alice@contoso.example", is_superuser=True
    )
    user = enter(email="alice@contoso.example", upn="alice@contoso.example")
    assert user.pk != boss.pk
    assert not user.is_superuser
    assert not boss.entra_identities.exists()
    boss.refresh_from_db()
    assert boss.username == "alice@contoso.example"


def test_a_mapped_user_name_that_is_taken_gives_nothing_and_breaks_nothing() -> None:
    """Whether the setting or the sign-in is refused is a matter of taste; a crash is not."""
    boss = User.objects.create(username="boss@contoso.example")
    mapping = {**RAW, "CLAIM_MAPPING": {"username": "email"}}
    with override_settings(ENTRA_AUTH=mapping), suppress(ImproperlyConfigured, SignInRefused):
        assert enter(email="boss@contoso.example").pk != boss.pk
    assert not EntraIdentity.objects.filter(user=boss).exists()


def test_a_person_with_two_accounts_may_be_one_user() -> None:
    user = enter()
    EntraIdentity.objects.create(user=user, tid=OTHER_TID, oid=OID)
    assert enter(tid=OTHER_TID) == user


# Guests and addresses


@pytest.mark.parametrize("guest", [{"acct": 1}, {"idp": "live.com"}])
def test_a_guests_address_is_not_taken(guest: dict[str, Any]) -> None:
    user = enter(email="ceo@contoso.example", **guest)
    user.refresh_from_db()
    assert user.email == ""


def test_a_guest_known_by_its_home_tenant_alone_is_a_guest() -> None:
    user = enter(home=f"{OID}.{OTHER_TID}", email="ceo@contoso.example")
    user.refresh_from_db()
    assert user.email == ""


# Settings and overrides


def test_without_create_users_a_stranger_stays_one() -> None:
    with override_settings(ENTRA_AUTH={**RAW, "CREATE_USERS": False}):
        assert refusal() == "user_unknown"
    assert not User.objects.exists()
    assert not EntraIdentity.objects.exists()


def test_without_create_users_the_known_still_come_in() -> None:
    user = enter()
    with override_settings(ENTRA_AUTH={**RAW, "CREATE_USERS": False}):
        assert enter() == user


def test_without_update_users_only_a_new_one_gets_its_fields() -> None:
    with override_settings(ENTRA_AUTH={**RAW, "UPDATE_USERS": False}):
        user = enter(given_name="First")
        enter(given_name="Second")
    user.refresh_from_db()
    assert user.first_name == "First"


def test_with_update_users_a_known_one_follows() -> None:
    user = enter(given_name="First")
    enter(given_name="Second")
    user.refresh_from_db()
    assert user.first_name == "Second"


def test_a_disabled_user_is_refused_and_left_as_it_is() -> None:
    user = enter(given_name="First")
    User.objects.update(is_active=False)
    assert refusal(given_name="Second") == "user_disabled"
    user.refresh_from_db()
    assert (user.first_name, user.is_active) == ("First", False)


def test_a_linked_user_that_is_disabled_is_not_linked() -> None:
    User.objects.create(username="local", last_name="4711", is_active=False)
    assert refusal(LinkingBackend(), employee_id="4711") == "user_disabled"
    assert not EntraIdentity.objects.exists()


def test_link_user_decides_at_the_first_sign_in_alone() -> None:
    local = User.objects.create_user("local", password="pw", last_name="4711")
    assert enter(LinkingBackend(), employee_id="4711") == local
    other = User.objects.create(username="other", last_name="4712")
    assert enter(LinkingBackend(), employee_id="4712") == local
    assert not other.entra_identities.exists()
    local.refresh_from_db()
    assert local.check_password("pw")


def test_link_user_serves_sites_that_create_nobody() -> None:
    local = User.objects.create(username="local", last_name="4711")
    with override_settings(ENTRA_AUTH={**RAW, "CREATE_USERS": False}):
        assert enter(LinkingBackend(), employee_id="4711") == local


def test_verify_claims_may_refuse() -> None:
    assert refusal(StrictBackend(), name="Mallory") == "claims_refused"
    assert not User.objects.exists()
    assert enter(StrictBackend(), name="Alice").pk


def test_the_other_overrides_are_called() -> None:
    user = enter(OwnBackend())
    user.refresh_from_db()
    assert (user.username, user.last_name) == (f"own-{OID}", "updated")
    User.objects.update(is_active=False)
    assert enter(OwnBackend()) == user


def test_roles_are_given_and_taken_at_sign_in() -> None:
    with override_settings(
        ENTRA_AUTH={**RAW, "STAFF_ROLES": ["Admin"], "GROUP_MAPPING": {"Admin": "Admins"}}
    ):
        user = enter(roles=["Admin"])
        assert user.is_staff
        assert list(user.groups.all()) == [Group.objects.get(name="Admins")]
        user = enter()
        assert not user.is_staff
        assert not user.groups.exists()


def test_permissions_are_djangos() -> None:
    user = enter()
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert EntraBackend().has_perm(User.objects.get(pk=user.pk), "auth.view_user")


# What is taken


@pytest.mark.parametrize(
    "value", [None, {}, {"claims": {}}, "text", 1, ("claims", "home"), object(), Exception()]
)
def test_only_the_callbacks_result_is_taken(value: Any) -> None:
    assert EntraBackend().authenticate(None, sign_in=value) is None
    assert EntraBackend().authenticate(None) is None
    assert not User.objects.exists()


@pytest.fixture
def local_user() -> Any:
    return User.objects.create_user("local", password="correct")


@pytest.mark.usefixtures("local_user")
def test_a_password_is_never_taken() -> None:
    with override_settings(AUTHENTICATION_BACKENDS=["django_entra_auth.backends.EntraBackend"]):
        assert authenticate(username="local", password="correct") is None


@pytest.mark.usefixtures("local_user")
def test_a_password_is_never_taken_by_async_code_either() -> None:
    with override_settings(AUTHENTICATION_BACKENDS=["django_entra_auth.backends.EntraBackend"]):
        assert async_to_sync(aauthenticate)(username="local", password="correct") is None


@pytest.mark.usefixtures("local_user")
def test_the_backend_itself_takes_no_password() -> None:
    credentials = {"username": "local", "password": "correct"}
    with pytest.raises(TypeError):
        async_to_sync(EntraBackend().aauthenticate)(None, **credentials)
    with pytest.raises(TypeError):
        EntraBackend().authenticate(None, **credentials)  # type: ignore[arg-type]


def test_the_sign_in_by_password_of_others_goes_on(local_user: User) -> None:
    found: Any = authenticate(username="local", password="correct")
    assert found == local_user
    assert found.backend == MODEL_BACKEND
    assert authenticate(username="local", password="wrong") is None
    found = async_to_sync(aauthenticate)(username="local", password="correct")
    assert found.backend == MODEL_BACKEND


# A running session


def test_a_running_session_is_never_swapped() -> None:
    local = User.objects.create(username="local")
    assert refusal(request=request_of(local)) == "account_mismatch"
    assert User.objects.get() == local
    assert not EntraIdentity.objects.exists()


def test_a_running_session_is_not_swapped_for_a_known_user_either() -> None:
    enter(given_name="First")
    local = User.objects.create(username="local")
    assert refusal(request=request_of(local), given_name="Second") == "account_mismatch"
    assert not User.objects.filter(first_name="Second").exists()


def test_a_running_session_of_the_same_user_goes_on() -> None:
    user = enter()
    assert enter(request=request_of(user)) == user
    assert enter(request=request_of(AnonymousUser())) == user


# The way back from the session


def test_the_backend_says_who_it_is() -> None:
    assert enter().backend == "django_entra_auth.backends.EntraBackend"
    assert enter(OwnBackend()).backend == f"{__name__}.OwnBackend"


def test_a_backend_named_by_another_path_than_its_modules_keeps_people_signed_in(
    client: Client,
) -> None:
    with override_settings(AUTHENTICATION_BACKENDS=[f"{__name__}.REEXPORTED"]):
        user = sign_in(client)
        assert client.get("/whoami/").json()["user"] == user.pk


def test_the_projects_own_backend_is_found() -> None:
    with override_settings(AUTHENTICATION_BACKENDS=[MODEL_BACKEND, f"{__name__}.OwnBackend"]):
        assert type(find_backend()) is OwnBackend
    with (
        override_settings(AUTHENTICATION_BACKENDS=[MODEL_BACKEND]),
        pytest.raises(ImproperlyConfigured, match="AUTHENTICATION_BACKENDS"),
    ):
        find_backend()


# A race


@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_one_new_person_make_one_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tab commits, on a connection of its own, just after this one found nobody."""
    rivals: list[Any] = []
    real_find = provisioning.find_identity

    def rival() -> None:
        try:
            rivals.append(enter())
        finally:
            connection._close()  # type: ignore[attr-defined]  # Django keeps connections to databases in memory open

    def find_too_early(claims: Claims, **more: Any) -> Any:
        if threading.current_thread() is not threading.main_thread() or rivals:
            return real_find(claims, **more)
        thread = threading.Thread(target=rival)
        thread.start()
        thread.join(timeout=20)
        return None

    monkeypatch.setattr(provisioning, "find_identity", find_too_early)
    user = enter()
    assert [user] == rivals
    assert User.objects.count() == EntraIdentity.objects.count() == 1
