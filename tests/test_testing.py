"""`testing.sign_in`: what users' own tests rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient, Client, override_settings

from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.provisioning import SignInRefused
from django_entra_auth.testing import sign_in
from django_entra_auth.testing.clients import TEST_TENANT_ID

pytestmark = pytest.mark.django_db

RAW: dict[str, Any] = {
    "CLIENT_ID": "client",
    "CLIENT_CREDENTIAL": "secret",
    "TENANT_ID": TEST_TENANT_ID,
}
ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]
OTHER_TENANT = "66666666-7777-4888-8999-AAAAAAAAAAAA"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    return str(request.param)


@pytest.fixture(params=["wsgi", "asgi"])
def browser(request: pytest.FixtureRequest) -> Any:
    return Client() if request.param == "wsgi" else AsyncClient()


def get(browser: Any, url: str) -> Any:
    if isinstance(browser, AsyncClient):
        return async_to_sync(browser.get)(url)
    return browser.get(url)


@pytest.mark.usefixtures("engine")
def test_a_client_is_signed_in_with_every_session_engine(browser: Any) -> None:
    user = sign_in(browser)
    for _ in range(2):
        response = get(browser, "/whoami/")
        assert response.json() == {"username": "alice@contoso.example", "user": user.pk}


def test_async_pages_and_classes_open_too(browser: Any) -> None:
    sign_in(browser, "bob")
    for page in ("/private/", "/private-async/", "/private-class/"):
        assert b"Private of bob@contoso.example" in get(browser, page).content


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


def test_a_tenant_may_be_spelled_in_any_case(client: Client) -> None:
    user = sign_in(client, claims={"tid": OTHER_TENANT})
    assert client.get("/whoami/").json()["user"] == user.pk


def test_a_user_of_ones_own_is_signed_in(browser: Any) -> None:
    mine = User.objects.create_user("mine", password="pw", first_name="My", last_name="Self")
    assert sign_in(browser, user=mine) == mine
    assert get(browser, "/whoami/").json()["user"] == mine.pk
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


def test_a_refusal_is_raised_and_nobody_is_signed_in(client: Client) -> None:
    with (
        override_settings(ENTRA_AUTH={**RAW, "CREATE_USERS": False}),
        pytest.raises(SignInRefused),
    ):
        sign_in(client)
    assert client.get("/whoami/").status_code == 302


def test_no_network_is_touched(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("no connection was expected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    sign_in(client)
    assert client.get("/private/").status_code == 200
