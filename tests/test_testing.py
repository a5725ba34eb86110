"""`testing.sign_in`: what users' own tests rely on."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, NoReturn

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client, override_settings

from django_entra_auth.exceptions import InteractionRequired, SignInFailed
from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.sign_ins import tokens_for
from django_entra_auth.testing import TEST_TENANT_ID, asign_in, sign_in
from tests.shapes import get, post

pytestmark = pytest.mark.django_db

RAW: dict[str, Any] = {
    "CLIENT_ID": "client",
    "CLIENT_CREDENTIAL": "secret",
    "TENANT_ID": TEST_TENANT_ID,
}
OTHER_TENANT = "66666666-7777-4888-8999-AAAAAAAAAAAA"


@pytest.mark.usefixtures("engine")
def test_a_client_is_signed_in_with_every_session_engine(caller: Any) -> None:
    user = sign_in(caller)
    for _ in range(2):
        response = get(caller, "/whoami/")
        assert response.json() == {"username": "alice@contoso.example", "user": user.pk}


def test_async_pages_and_classes_open_too(caller: Any) -> None:
    sign_in(caller, "bob")
    for page in ("/private/", "/private-async/", "/private-class/"):
        assert b"Private of bob@contoso.example" in get(caller, page).content


def test_an_async_test_signs_in_from_a_thread(async_client: AsyncClient) -> None:
    async def scenario() -> int:
        await sync_to_async(sign_in)(async_client)
        return (await async_client.get("/private-async/")).status_code

    assert async_to_sync(scenario)() == 200


def test_a_person_is_always_the_same_and_two_are_two(client: Client) -> None:
    alice = sign_in(client)
    assert sign_in(Client()) == alice
    bob = sign_in(Client(), "bob")
    assert bob != alice
    assert client.get("/whoami/").json()["user"] == alice.pk
    assert EntraIdentity.objects.count() == 2


def test_a_sign_in_has_its_row(client: Client) -> None:
    sign_in(client, acrs=["c1"])
    assert EntraSignIn.objects.get().contexts == ["c1"]


def test_signing_in_again_changes_the_person(client: Client) -> None:
    sign_in(client)
    sign_in(client, "bob")
    assert client.get("/whoami/").json()["username"] == "bob@contoso.example"


def test_roles_lead_to_flags_and_groups(client: Client) -> None:
    mapping = {"STAFF_ROLES": ["Admin"], "GROUP_MAPPING": {"Admin": "Admins"}}
    with override_settings(ENTRA_AUTH={**RAW, **mapping}):
        user = sign_in(client, roles=["Admin"])
        assert user.is_staff
        assert user.groups.get().name == "Admins"
        assert client.get("/admin/").status_code == 200
        user = sign_in(client, "bob")
        assert not user.is_staff
        assert client.get("/admin/").status_code == 302


def test_claims_replace_and_add(client: Client) -> None:
    user = sign_in(client, claims={"preferred_username": "al", "given_name": "Al"})
    user.refresh_from_db()
    assert (user.username, user.first_name) == ("al", "Al")
    assert client.get("/whoami/").json()["username"] == "al"


def test_a_claim_can_be_left_out(client: Client) -> None:
    user = sign_in(client, claims={"name": None})
    assert user.first_name == ""
    assert sign_in(Client(), "bob").first_name == "Bob"


def test_a_tenant_may_be_spelled_in_any_case(client: Client) -> None:
    settings = {**RAW, "TENANT_ID": "organizations", "ALLOWED_TENANTS": ["*"]}
    with override_settings(ENTRA_AUTH=settings):
        user = sign_in(client, claims={"tid": OTHER_TENANT})
        assert client.get("/whoami/").json()["user"] == user.pk
    assert EntraIdentity.objects.get().tid == OTHER_TENANT.lower()


def test_a_user_of_ones_own_is_signed_in(caller: Any) -> None:
    mine = User.objects.create_user("mine", password="pw", first_name="My", last_name="Self")
    assert sign_in(caller, user=mine) == mine
    assert get(caller, "/whoami/").json()["user"] == mine.pk
    mine.refresh_from_db()
    assert mine.username == "mine"
    assert mine.check_password("pw")


def test_a_user_of_ones_own_keeps_its_name(client: Client) -> None:
    mine = User.objects.create(username="mine", first_name="My", last_name="Self")
    sign_in(client, user=mine)
    mine.refresh_from_db()
    assert (mine.first_name, mine.last_name) == ("My", "Self")


def test_two_users_of_ones_own_are_two_accounts() -> None:
    users = [User.objects.create(username=name) for name in ("one", "two")]
    clients = [Client(), Client()]
    for client, user in zip(clients, users, strict=True):
        sign_in(client, user=user)
    assert [client.get("/whoami/").json()["user"] for client in clients] == [
        user.pk for user in users
    ]
    assert EntraIdentity.objects.filter(user__in=users).count() == 2


def test_a_user_of_ones_own_does_not_become_somebody_else() -> None:
    alice = sign_in(Client())
    mine = User.objects.create(username="mine")
    sign_in(Client(), user=mine)
    assert sign_in(Client()) == alice


@pytest.mark.parametrize(
    ("entra_auth", "claims", "reason"),
    [
        ({"CREATE_USERS": False}, {}, "user_unknown"),
        ({"BLOCK_GUESTS": True}, {"acct": 1}, "guest_not_allowed"),
        (
            {"BLOCK_GUESTS": True},
            {"home_account_id": f"{OTHER_TENANT}.{OTHER_TENANT}"},
            "guest_not_allowed",
        ),
        ({}, {"tid": OTHER_TENANT}, "tenant_not_allowed"),
        (
            {"TENANT_ID": "organizations", "ALLOWED_TENANTS": [TEST_TENANT_ID]},
            {"tid": OTHER_TENANT},
            "tenant_not_allowed",
        ),
    ],
)
def test_a_refusal_is_raised_and_nobody_is_signed_in(
    client: Client, entra_auth: dict[str, Any], claims: dict[str, Any], reason: str
) -> None:
    with override_settings(ENTRA_AUTH={**RAW, **entra_auth}):
        with pytest.raises(SignInFailed) as refused:
            sign_in(client, claims=claims)
        assert refused.value.reason == reason
        assert client.get("/whoami/").status_code == 302


def test_a_disabled_user_of_ones_own_is_refused(client: Client) -> None:
    mine = User.objects.create(username="mine", is_active=False)
    with pytest.raises(SignInFailed, match="user_disabled"):
        sign_in(client, user=mine)


def test_a_site_of_several_tenants_lets_its_first_one_in(client: Client) -> None:
    allowed = [OTHER_TENANT, TEST_TENANT_ID]
    roles = {"STAFF_ROLES": [f"{OTHER_TENANT}:Admin"]}
    settings = {**RAW, "TENANT_ID": "organizations", "ALLOWED_TENANTS": allowed, **roles}
    with override_settings(ENTRA_AUTH=settings):
        assert sign_in(client, roles=["Admin"]).is_staff
        assert not sign_in(client, roles=["Admin"], claims={"tid": TEST_TENANT_ID}).is_staff


# Step-up, age, tokens


@pytest.mark.urls("tests.kit.site")
@override_settings(ENTRA_AUTH=RAW)
def test_what_was_long_ago_counts_no_more(client: Client) -> None:
    sign_in(client, acrs=["c1"])
    assert client.get("/context/").content == client.get("/age/").content == b"in"
    sign_in(client, acrs=["c1"], seconds_ago=3599)
    assert client.get("/context/").content == b"in"
    assert client.get("/age/").content != b"in"
    sign_in(client, acrs=["c1"], seconds_ago=3601)
    assert client.get("/context/").content != b"in"
    assert client.get("/whoami/").status_code == 200


@pytest.mark.urls("tests.kit.site")
@pytest.mark.usefixtures("engine")
@override_settings(ENTRA_AUTH=RAW)
def test_a_token_is_there_for_views_and_for_background_code(caller: Any) -> None:
    user = sign_in(caller, tokens={"Mail.Read User.Read": "graphs", "api://mine/Do": "mine"})
    assert get(caller, "/mail/").content == b"graphs"
    assert get(caller, "/mine/").content == b"mine"
    assert get(caller, "/async-mail/").content == b"graphs"
    assert tokens_for(user).token(["api://mine/Do"]) == "mine"
    with pytest.raises(InteractionRequired):
        tokens_for(user).token(["Mail.Send"])


@override_settings(
    ENTRA_AUTH=RAW, CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
)
def test_a_cache_that_keeps_nothing_is_named(client: Client) -> None:
    sign_in(client)
    with pytest.raises(ImproperlyConfigured, match="'default' does not keep tokens"):
        sign_in(client, tokens={"Mail.Read": "graphs"})


def test_an_async_test_has_its_own(async_client: AsyncClient) -> None:
    async def scenario() -> int:
        await asign_in(async_client, "bob", acrs=["c1"])
        return (await async_client.get("/private-async/")).status_code

    assert async_to_sync(scenario)() == 200
    assert EntraSignIn.objects.get().contexts == ["c1"]


# No network


class Contacted(AssertionError):
    pass


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Refuses every connection, and lists those that were tried."""
    tried: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> NoReturn:
        tried.append(address)
        raise Contacted(f"no connection was expected: {address}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: refuse(None, args))  # type: ignore[arg-type]
    return tried


AUTHORITIES = {
    "directory": {"TENANT_ID": TEST_TENANT_ID},
    "domain": {"TENANT_ID": "contoso.onmicrosoft.com"},
    "many": {"TENANT_ID": "organizations", "ALLOWED_TENANTS": ["*"]},
    "china": {"AUTHORITY": f"https://login.partner.microsoftonline.cn/{TEST_TENANT_ID}"},
    "external": {"AUTHORITY": "https://contoso.ciamlogin.com/contoso.onmicrosoft.com"},
    "own-domain": {"AUTHORITY": f"https://login.contoso.example/{TEST_TENANT_ID}"},
    "b2c": {"AUTHORITY": "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_in"},
}
PAGES = ("/context/", "/age/", "/mail/", "/never-had/", "/whoami/", "/auth/login/", "/raises/")


@pytest.mark.urls("tests.kit.site")
@pytest.mark.parametrize("authority", AUTHORITIES)
def test_no_network_is_touched(caller: Any, authority: str, no_network: list[Any]) -> None:
    settings = {**RAW, **AUTHORITIES[authority], "LOCAL_EMULATOR": True}
    with override_settings(ENTRA_AUTH=settings):
        sign_in(caller, tokens={"Mail.Read": "graphs"})
        answers = [get(caller, page).status_code for page in PAGES]
        settings = {**settings, "STEP_UP_SECONDS": 0, "REVALIDATE_SECONDS": 0}
        with override_settings(ENTRA_AUTH=settings):
            assert get(caller, "/whoami/").status_code == 302
        sign_in(caller, "bob", seconds_ago=10**6)
        assert get(caller, "/whoami/").status_code == 200
        assert post(caller, "/auth/logout/").status_code == 200
        assert get(caller, "/whoami/").status_code == 302
    assert answers == [302, 200, 200, 302, 200, 403, 302]
    assert no_network == []


@pytest.mark.urls("tests.kit.site")
def test_the_guard_of_these_tests_sees_connections(client: Client, no_network: list[Any]) -> None:
    """A visitor's way to `login` does ask: the tests above could fail."""
    from django.core.signals import request_started
    from django.test.client import ClientHandler

    uid = "django_entra_auth.testing.ClientHandler"
    request_started.disconnect(sender=ClientHandler, dispatch_uid=uid)
    with override_settings(ENTRA_AUTH={**RAW, "LOCAL_EMULATOR": True}), suppress(Contacted):
        client.get("/auth/login/")
    assert no_network
