"""The rows behind the sessions: started, replaced, capped, and ended from anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import alogout, logout
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path

from django_entra_auth import sign_ins, signals
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.session_entry import SESSION_KEY
from django_entra_auth.sign_ins import rows
from django_entra_auth.testing import sign_in
from tests.shapes import ENGINES

pytestmark = pytest.mark.django_db

TID = "11111111-2222-4333-8444-555555555555"
OID = "abcdef01-2222-4333-8444-555555555555"
SID = "00aa11bb-2222-4333-8444-555555555555"
OTHER_SID = "99aa11bb-2222-4333-8444-555555555555"
ISSUER = f"https://login.microsoftonline.com/{TID}/v2.0"
on_the_server = pytest.mark.parametrize(
    "engine", [engine for engine in ENGINES if engine != "signed_cookies"], indirect=True
)


@pytest.fixture
def identity() -> Any:
    return EntraIdentity.objects.create(user=User.objects.create(username="a"), tid=TID, oid=OID)


def new_session() -> SessionStore:
    session = SessionStore()
    session.create()
    return session


def start(identity: EntraIdentity, **more: Any) -> tuple[str, EntraSignIn]:
    sign_in_id = sign_ins.new_sign_in_id()
    values = {"claims": {"sid": SID, "iss": ISSUER}, "session": new_session(), **more}
    return sign_in_id, sign_ins.start(sign_in_id, identity=identity, **values)


# Rows


def test_a_row_says_who_and_when_and_no_secret(identity: EntraIdentity) -> None:
    session = new_session()
    claims = {"sid": SID.upper(), "iss": ISSUER, "acrs": ["c1", "c2", 3]}
    sign_in_id, row = start(identity, claims=claims, session=session)
    row.refresh_from_db()
    assert (row.identity, row.sid, row.issuer) == (identity, SID, ISSUER)
    assert row.contexts == ["c1", "c2"]
    assert row.last_prompt >= row.created.replace(microsecond=0)
    stored = repr([getattr(row, field.attname) for field in row._meta.concrete_fields])
    assert sign_in_id not in stored
    assert session.session_key is not None
    assert session.session_key not in stored


@pytest.mark.parametrize("sid", [None, "", "not-a-guid", 5, ["x"], "g" * 36])
def test_a_sid_that_is_no_guid_is_not_kept(identity: EntraIdentity, sid: Any) -> None:
    assert start(identity, claims={"sid": sid, "iss": ISSUER})[1].sid == ""


@pytest.mark.parametrize(("acrs", "kept"), [("c1", ["c1"]), (None, []), ([None], []), (5, [])])
def test_contexts_of_any_shape(identity: EntraIdentity, acrs: Any, kept: list[str]) -> None:
    assert start(identity, claims={"acrs": acrs, "iss": ISSUER})[1].contexts == kept


def test_ids_are_256_random_bits_and_stand_hashed(identity: EntraIdentity) -> None:
    ids = {sign_ins.new_sign_in_id() for _ in range(50)}
    assert len(ids) == 50
    assert min(map(len, ids)) == 43
    sign_in_id, row = start(identity)
    assert row.id_hash == sign_ins.hash_id(sign_in_id) != sign_in_id
    assert len(row.id_hash) == 64


def test_a_second_prompt_takes_the_place_of_the_first(identity: EntraIdentity) -> None:
    first, _ = start(identity)
    start(identity)
    second, row = start(identity, replaces=first)
    assert not EntraSignIn.objects.filter(id_hash=sign_ins.hash_id(first)).exists()
    assert EntraSignIn.objects.get(id_hash=sign_ins.hash_id(second)) == row
    assert EntraSignIn.objects.count() == 2


def test_rows_that_nobody_ends_do_not_pile_up(
    identity: EntraIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "SIGN_INS_PER_IDENTITY", 3)
    other = EntraIdentity.objects.create(user=identity.user, tid=TID, oid=TID)
    start(other)
    started = [start(identity)[1].pk for _ in range(5)]
    left = EntraSignIn.objects.filter(identity=identity).values_list("pk", flat=True)
    assert set(left) == set(started[-3:])
    assert EntraSignIn.objects.filter(identity=other).count() == 1


def test_the_session_whose_row_goes_ends_too(
    identity: EntraIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a row nobody could end it: neither an administrator nor a sign-out at Entra."""
    monkeypatch.setattr(rows, "SIGN_INS_PER_IDENTITY", 2)
    sessions = [new_session() for _ in range(3)]
    for session in sessions:
        start(identity, session=session)
    assert [session.exists(session.session_key) for session in sessions] == [False, True, True]


def test_a_session_that_cannot_be_ended_now_keeps_its_row(
    identity: EntraIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(row: EntraSignIn) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(rows, "SIGN_INS_PER_IDENTITY", 1)
    first, _ = start(identity)
    with monkeypatch.context() as patch:
        patch.setattr(rows, "delete_session", fail)
        start(identity)
    assert EntraSignIn.objects.filter(id_hash=sign_ins.hash_id(first)).exists()
    start(identity)
    assert EntraSignIn.objects.count() == 1


def test_ending_forgets_that_one_alone(identity: EntraIdentity) -> None:
    first, _ = start(identity)
    second, _ = start(identity)
    sign_ins.end(first)
    assert EntraSignIn.objects.get().id_hash == sign_ins.hash_id(second)
    sign_ins.end("unknown")
    assert EntraSignIn.objects.count() == 1


# Guids


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SID.upper(), SID),
        (SID, SID),
        (f"{{{SID[1:-1]}}}", None),
        ("x" * 36, None),
        ("", None),
        (None, None),
        (5, None),
        (SID + " ", None),
    ],
)
def test_guids(value: object, expected: str | None) -> None:
    assert sign_ins.normalise_guid(value) == expected


# From elsewhere


def is_in(client: Client) -> bool:
    return client.get("/private/").status_code == 200


@on_the_server
@pytest.mark.usefixtures("engine")
def test_a_session_is_ended_from_elsewhere_whatever_its_engine() -> None:
    mine, elsewhere = Client(), Client()
    sign_in(mine, claims={"sid": SID})
    sign_in(elsewhere, claims={"sid": OTHER_SID})
    assert is_in(mine)
    assert sign_ins.end_from_elsewhere(SID) == 1
    assert not is_in(mine)
    assert is_in(elsewhere)
    assert EntraSignIn.objects.count() == 1


@on_the_server
@pytest.mark.usefixtures("engine")
def test_nothing_of_an_ended_session_is_left(client: Client) -> None:
    sign_in(client, claims={"sid": SID})
    session = client.session
    sign_ins.end_from_elsewhere(SID)
    assert not type(session)(session.session_key).get(SESSION_KEY)


def test_all_sign_ins_of_an_entra_session_end() -> None:
    clients = [Client(), Client()]
    for client in clients:
        sign_in(client, claims={"sid": SID})
    assert sign_ins.end_from_elsewhere(SID) == 2
    assert not any(map(is_in, clients))


def test_the_issuer_has_to_match_when_it_is_given(client: Client) -> None:
    sign_in(client, claims={"sid": SID, "iss": ISSUER})
    for issuer in ("https://login.microsoftonline.com/other/v2.0", ISSUER + "/", ISSUER.upper()):
        assert sign_ins.end_from_elsewhere(SID, issuer=issuer) == 0
    assert is_in(client)
    assert sign_ins.end_from_elsewhere(SID, issuer=ISSUER) == 1
    assert not is_in(client)


@pytest.mark.parametrize("sid", [OTHER_SID, "", " ", "%"])
def test_another_sid_ends_nobody(client: Client, sid: str) -> None:
    sign_in(client)
    assert EntraSignIn.objects.get().sid == ""
    assert sign_ins.end_from_elsewhere(sid) == 0
    assert is_in(client)


def test_the_end_is_told(client: Client) -> None:
    user = sign_in(client, claims={"sid": SID})
    row = EntraSignIn.objects.get()
    told: list[dict[str, Any]] = []

    def receive(**kwargs: Any) -> None:
        told.append(kwargs)

    signals.signed_out.connect(receive)
    try:
        sign_ins.end_from_elsewhere(SID)
    finally:
        signals.signed_out.disconnect(receive)
    (message,) = told
    assert (message["request"], message["user"]) == (None, user)
    assert message["sign_in_hash"] == row.id_hash


def test_a_faulty_receiver_does_not_stop_it(client: Client) -> None:
    sign_in(client, claims={"sid": SID})

    def fail(**kwargs: Any) -> None:
        raise RuntimeError

    signals.signed_out.connect(fail)
    try:
        assert sign_ins.end_from_elsewhere(SID) == 1
    finally:
        signals.signed_out.disconnect(fail)
    assert not is_in(client)


def test_a_row_that_no_key_opens_any_more_is_still_removed(client: Client) -> None:
    sign_in(client, claims={"sid": SID})
    EntraSignIn.objects.update(session_key=b"altered")
    assert sign_ins.end_from_elsewhere(SID) == 1
    assert not EntraSignIn.objects.exists()


def test_a_sealed_session_key_cannot_be_moved_to_another_row() -> None:
    victim, attacker = Client(), Client()
    sign_in(victim, "victim")
    sign_in(attacker, "attacker", claims={"sid": SID})
    stolen = EntraSignIn.objects.get(sid="").session_key
    EntraSignIn.objects.filter(sid=SID).update(session_key=stolen)
    sign_ins.end_from_elsewhere(SID)
    assert is_in(victim)


def test_the_front_channel_page_ends_it_without_a_cookie(client: Client) -> None:
    sign_in(client, claims={"sid": SID, "iss": ISSUER})
    response = Client().get("/auth/front-channel-logout", {"sid": SID, "iss": ISSUER})
    assert (response.status_code, response.content) == (200, b"")
    assert "no-store" in response["Cache-Control"]
    assert not response.has_header("X-Frame-Options")
    assert not response.cookies
    assert not is_in(client)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sid": ""},
        {"sid": "x" * 36},
        {"sid": SID, "iss": "https://evil.example"},
        {"iss": ISSUER},
    ],
)
def test_the_front_channel_page_tells_nothing_and_ends_nobody_else(
    client: Client, query: dict[str, str]
) -> None:
    sign_in(client, claims={"sid": SID, "iss": ISSUER})
    response = Client().get("/auth/front-channel-logout", query)
    assert (response.status_code, response.content) == (200, b"")
    assert is_in(client)


# By Django's own logout


def leave(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse()


async def leave_async(request: HttpRequest) -> HttpResponse:
    await alogout(request)
    return HttpResponse()


urlpatterns = [
    path("leave/", leave),
    path("leave-async/", leave_async),
    path("auth/", include("django_entra_auth.urls")),
]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("page", ["/leave/", "/leave-async/"])
def test_djangos_own_logout_removes_the_row(client: Client, page: str) -> None:
    sign_in(Client(), "bob")
    user = sign_in(client)
    assert EntraSignIn.objects.count() == 2
    client.get(page)
    assert EntraSignIn.objects.get().identity.user != user


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("page", ["/leave/", "/leave-async/"])
def test_djangos_own_logout_removes_the_row_behind_the_async_handler(
    async_client: AsyncClient, page: str
) -> None:
    sign_in(async_client)
    async_to_sync(async_client.get)(page)
    assert not EntraSignIn.objects.exists()


def test_the_test_clients_logout_removes_it_too(client: Client) -> None:
    sign_in(client)
    client.logout()
    assert not EntraSignIn.objects.exists()


def test_people_of_other_backends_leave_as_ever(client: Client) -> None:
    sign_in(Client())
    client.force_login(
        User.objects.create(username="local"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    client.logout()
    assert EntraSignIn.objects.count() == 1


# Signed-cookie sessions


def test_with_signed_cookies_no_key_is_kept(client: Client, settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    sign_in(client, claims={"sid": SID})
    assert is_in(client)
    assert bytes(EntraSignIn.objects.get().session_key) == b""
    assert sign_ins.end_from_elsewhere(SID) == 1
    assert not EntraSignIn.objects.exists()
