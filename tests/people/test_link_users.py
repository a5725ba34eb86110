"""`entra_link_users`: what would be linked, what is, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from django_entra_auth import linking
from django_entra_auth.emulator import TENANT_ID
from django_entra_auth.linking import Row, decide
from django_entra_auth.management.commands import entra_link_users
from django_entra_auth.models import EntraIdentity
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db

OID = "0a11ce00-0000-4000-8000-0000000000{:02d}"
HEADER = "userPrincipalName,displayName,mail,id,userType"

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, entra_settings: Any) -> Write:
    """A CSV file with these lines; its path."""

    def make(*lines: str, header: str = HEADER, encoding: str = "utf-8-sig") -> str:
        path = tmp_path / "users.csv"
        path.write_text("\r\n".join([header, *lines, ""]), encoding=encoding)
        return str(path)

    return make


def line(name: str, number: int, mail: str = "") -> str:
    address = f"{name}@contoso.example"
    return f'{address},"{name.title()}, of Contoso",{mail or address},{OID.format(number)},Member'


def run(path: str, *options: str, match: str | None = "username") -> tuple[int, str]:
    """Exit status and output."""
    out = StringIO()
    chosen = ["--match", match] if match else []
    try:
        call_command("entra_link_users", "--csv", path, *chosen, *options, stdout=out)
    except SystemExit as exc:
        return int(exc.code or 0), out.getvalue()
    return 0, out.getvalue()


def links() -> dict[str, str]:
    found = EntraIdentity.objects.select_related("user")
    return {link.user.get_username(): link.oid for link in found}


def make_user(name: str, **more: Any) -> User:
    found: User = User.objects.create_user(
        f"{name}@contoso.example", f"{name}@contoso.example", **more
    )
    return found


# Dry run, and writing


def test_without_apply_it_only_says_what_it_would_do(write):
    make_user("alice", password="local")
    status, out = run(write(line("alice", 1), line("bob", 2)))
    assert (status, links()) == (0, {})
    assert "would link  line 2  alice@contoso.example" in out
    assert "1 to be linked, 0 linked already, 1 without a user, 0 refused." in out
    assert "1 of them can still sign in with a local password" in out
    assert "Nothing was written. Add --apply" in out
    assert "bob" not in out
    assert (
        "no user  line 3  bob@contoso.example"
        in run(write(line("alice", 1), line("bob", 2)), "-v", "2")[1]
    )


def test_with_apply_the_links_are_there_and_serve_the_next_sign_in(write, entra):
    alice = make_user("alice")
    oid = entra.people["alice"].oid
    status, out = run(write(f"ALICE@contoso.example,Alice,,{oid.upper()},Member"), "--apply")
    assert (status, links()) == (0, {alice.username: oid})
    assert EntraIdentity.objects.get().tid == TENANT_ID
    assert "1 linked, 0 linked already" in out
    assert run(write(f"ALICE@contoso.example,Alice,,{oid},Member"), "--apply")[0] == 0
    assert "0 linked, 1 linked already" in run(write(line("alice", 1)), "--apply")[1]
    visitor = Visitor(entra)
    visitor.sign_in("alice")
    assert visitor.client.session["_auth_user_id"] == str(alice.pk)
    assert User.objects.count() == 1


def test_by_address(write):
    make_user("alice")
    User.objects.filter(username="alice@contoso.example").update(username="a4711")
    path = write(line("other", 1, mail="Alice@contoso.example"))
    assert run(path, "--apply", match="username")[1].startswith("0 linked")
    assert run(path, "--apply", match="email")[0] == 0
    assert links() == {"a4711": OID.format(1)}


def test_by_a_column_that_is_named(write):
    User.objects.create(username="4711")
    path = write(f"4711,{OID.format(1)}", header="Employee ID,Object Id")
    with pytest.raises(CommandError, match="none of the columns userprincipalname"):
        run(path)
    assert run(path, "--column", "employeeId", "--apply")[0] == 0
    assert links() == {"4711": OID.format(1)}


def test_by_a_field_that_has_the_object_id(entra_settings):
    User.objects.create(username="moved", last_name=OID.format(1).upper())
    User.objects.create(username="never", last_name="")
    User.objects.create(username="odd", last_name="not an id")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("entra_link_users", oid_field="last_name", apply=True, stdout=out)
    assert links() == {"moved": OID.format(1)}
    assert "1 linked, 0 linked already, 0 without a user, 1 refused." in out.getvalue()


@pytest.mark.parametrize("place", ["option", "column", "both"])
def test_the_tenant_may_be_said(write, place):
    other = "99999999-2222-4333-8444-555555555555"
    make_user("alice")
    column = {"option": "", "column": other.upper(), "both": TENANT_ID}[place]
    path = write(f"{line('alice', 1)},{column}", header=f"{HEADER},tenant id")
    options = [] if place == "column" else ["--tid", other]
    assert run(path, *options, "--apply")[0] == 0
    assert EntraIdentity.objects.get().tid == other


# Refused


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_the_privileged_need_a_word_of_their_own(write, flag):
    make_user("alice", **{flag: True})
    make_user("bob")
    path = write(line("alice", 1), line("bob", 2))
    status, out = run(path, "--apply")
    assert (status, links()) == (1, {"bob@contoso.example": OID.format(2)})
    assert "staff or superuser: needs --include-staff" in out
    assert run(path, "--apply", "--include-staff")[0] == 0
    assert links()["alice@contoso.example"] == OID.format(1)


def refused(*rows: Row, **more: Any) -> list[str]:
    decisions = decide(rows, field=more.get("field", "username"), include_staff=False)
    assert all(decision.verdict == "refused" for decision in decisions), decisions
    return [decision.why for decision in decisions]


def row(value: str, number: int = 1, **changes: str) -> Row:
    members = {"place": "line 2", "tid": TENANT_ID, "oid": OID.format(number), **changes}
    return Row(value=value, **members)


def test_two_users_of_one_address():
    for name in ("a", "b"):
        User.objects.create(username=name, email="Shared@contoso.example")
    assert refused(row("shared@contoso.example"), field="email") == ["2 users fit"]


def test_two_accounts_for_one_user():
    make_user("alice")
    rows = [row("alice@contoso.example"), row("ALICE@contoso.example", 2)]
    assert refused(*rows) == ["several accounts name this user"] * 2


def test_one_account_for_two_users():
    for name in ("alice", "bob"):
        make_user(name)
    rows = [row("alice@contoso.example"), row("bob@contoso.example", oid=OID.format(1).upper())]
    assert refused(*rows) == ["the account is listed more than once"] * 2


@pytest.mark.parametrize("name", ["tid", "oid"])
@pytest.mark.parametrize(
    "value", ["", "alice", OID.format(1)[:-1], f"{{{OID.format(1)}}}", "x" * 36]
)
def test_ids_that_are_none(name, value):
    make_user("alice")
    (why,) = refused(row("alice@contoso.example", **{name: value}))
    assert why == "the tenant id or object id is not a GUID"


def test_what_is_linked_otherwise_stays():
    alice, bob = make_user("alice"), make_user("bob")
    EntraIdentity.objects.create(user=alice, tid=TENANT_ID, oid=OID.format(1))
    assert refused(row("alice@contoso.example", 2)) == ["the user has another account already"]
    assert refused(row("bob@contoso.example", 1)) == ["the account belongs to another user"]
    assert links() == {alice.username: OID.format(1)}
    assert bob.entra_identities.count() == 0


def test_letters_that_only_look_alike():
    make_user("kate")
    (decision,) = decide([row("\u212aate@contoso.example")], field="username", include_staff=False)
    assert decision.verdict == "nobody"


# All or nothing


def test_a_sign_in_in_between_undoes_all(write, monkeypatch):
    alice, bob = make_user("alice"), make_user("bob")
    real = linking.write

    def write_late(decisions: Any) -> int:
        EntraIdentity.objects.create(user=bob, tid=TENANT_ID, oid=OID.format(2))
        return real(decisions)

    monkeypatch.setattr(entra_link_users, "write", write_late)
    with pytest.raises(CommandError, match="Nothing was written"):
        run(write(line("alice", 1), line("bob", 2)), "--apply")
    assert not alice.entra_identities.exists()


def test_the_links_are_written_in_one_transaction():
    alice, bob = make_user("alice"), make_user("bob")
    rows = [row(alice.username), row(bob.username, 2)]
    decisions = decide(rows, field="username", include_staff=False)
    EntraIdentity.objects.create(user=bob, tid=TENANT_ID, oid=OID.format(2))
    with pytest.raises(IntegrityError):
        linking.write(decisions)
    assert links() == {bob.username: OID.format(2)}


def test_it_asks_the_database_as_often_for_many_as_for_few(django_assert_max_num_queries):
    users = [User(username=f"u{number}") for number in range(60)]
    User.objects.bulk_create(users)
    rows = [row(f"u{number}", number) for number in range(60)]
    with django_assert_max_num_queries(4):
        decisions = decide(rows, field="username", include_staff=False)
    assert {decision.verdict for decision in decisions} == {"link"}


# What it is given


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"csv": "x.csv"}, "--match username or --match email"),
        ({"csv": "missing.csv", "match": "email"}, "cannot be read"),
        ({"oid_field": "nothing"}, "no field 'nothing'"),
        ({"oid_field": "last_name", "match": "email"}, "go with --csv"),
        ({"oid_field": "last_name", "tid": "contoso"}, "--tid is not a GUID"),
    ],
)
def test_what_cannot_be_meant_is_said(entra_settings, options, text):
    with pytest.raises(CommandError, match=text):
        call_command("entra_link_users", **options)


def test_a_site_of_many_tenants_has_to_say_which(entra, entra_settings, write):
    entra_settings.ENTRA_AUTH = {
        **entra_settings.ENTRA_AUTH,
        "AUTHORITY": f"{entra.origin}/organizations",
        "ALLOWED_TENANTS": ["*"],
    }
    with pytest.raises(CommandError, match="--tid"):
        run(write(line("alice", 1)))
    with pytest.raises(CommandError, match="--tid"):
        call_command("entra_link_users", oid_field="last_name")


@pytest.mark.parametrize(
    ("name", "limit", "text"),
    [("MAX_BYTES", 10, "larger than"), ("MAX_ROWS", 1, "more than 1 lines")],
)
def test_a_file_has_a_size(write, monkeypatch, name, limit, text):
    monkeypatch.setattr(entra_link_users, name, limit)
    with pytest.raises(CommandError, match=text):
        run(write(line("alice", 1), line("bob", 2)))


def test_a_file_that_is_no_csv(write, tmp_path):
    with pytest.raises(CommandError, match="not CSV in UTF-8"):
        run(write(line("alicé", 1), encoding="utf-16"))
    with pytest.raises(CommandError, match="none of the columns oid"):
        run(write("x", header="name"))
    with pytest.raises(CommandError, match="not CSV in UTF-8"):
        run(write('"open'))


def test_nothing_of_a_file_moves_the_terminal(write):
    User.objects.create(username="\x1b[2Jalice")
    _, out = run(write(f"\x1b[2Jalice,,,{OID.format(1)},"))
    assert "\x1b" not in out
    assert "[2Jalice" in out
