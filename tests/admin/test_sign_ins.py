"""Who is signed in now, and how an operator ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client

from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.testing import sign_in
from tests.admin.making_rows import make_identity, make_people, make_sign_ins, source_of

LIST = "/admin/django_entra_auth/entrasignin/"
IDENTITIES = "/admin/django_entra_auth/entraidentity/"
VIEW, END = "view_entrasignin", "end_entrasignin"

pytestmark = pytest.mark.django_db


def new_browser(name: str = "alice") -> tuple[Client, EntraSignIn]:
    """A browser in which a person has signed in through Entra."""
    client = Client()
    sign_in(client, name)
    return client, EntraSignIn.objects.latest("pk")


def choose(client: Client, action: str, *rows: EntraSignIn, **more: Any) -> Any:
    """Choose rows and an action: the page that asks, or the list with a message."""
    data = {"action": action, "_selected_action": [row.pk for row in rows], "index": 0, **more}
    return client.post(LIST, data, follow=True)


def act(client: Client, action: str, *rows: EntraSignIn, **more: Any) -> Any:
    """Answer that page with yes."""
    return choose(client, action, *rows, post="yes", **more)


def is_in(client: Client) -> bool:
    return client.get("/private/").status_code == 200


def test_the_list_says_who_since_when_and_what_is_satisfied(visit: Callable[..., Client]) -> None:
    people = make_people(2)
    make_sign_ins(2, people)
    page = source_of(visit(VIEW).get(LIST))
    assert "person0" in page
    assert "c1" in page
    assert "sealed" not in page
    assert "Sign out everywhere" not in page, "that takes another permission"
    row = EntraSignIn.objects.latest("pk")
    assert row.id_hash not in page


def test_signing_out_ends_that_browser_alone(visit: Callable[..., Client]) -> None:
    here, row = new_browser()
    there, _row = new_browser()
    client = visit(VIEW, END)
    page = source_of(act(client, "sign_out", row))
    assert "1 sign-in was ended." in page
    assert not is_in(here)
    assert is_in(there)
    entry = LogEntry.objects.get()
    assert entry.change_message == "Signed out alice@contoso.example."
    assert entry.user.get_username() == "olga"


def test_signing_out_everywhere_ends_all_of_a_persons_browsers(
    visit: Callable[..., Client],
) -> None:
    first, row = new_browser()
    second, _row = new_browser()
    other, _row = new_browser("bob")
    page = source_of(act(visit(VIEW, END), "sign_out_everywhere", row))
    assert "2 sign-ins were ended." in page
    assert not is_in(first)
    assert not is_in(second)
    assert is_in(other)
    assert LogEntry.objects.get().change_message == "Signed out alice@contoso.example everywhere."


@pytest.mark.parametrize("action", ["sign_out", "sign_out_everywhere"])
@pytest.mark.parametrize("permissions", [(VIEW,), (END,), ()])
def test_it_takes_both_permissions(
    visit: Callable[..., Client], action: str, permissions: tuple[str, ...]
) -> None:
    browser, row = new_browser()
    act(visit(*permissions), action, row)
    assert is_in(browser)
    assert not LogEntry.objects.exists()


def test_it_takes_a_post_with_a_token(visit: Callable[..., Client]) -> None:
    browser, row = new_browser()
    client = visit(VIEW, END)
    client.get(LIST, {"action": "sign_out", "_selected_action": row.pk})
    client.handler.enforce_csrf_checks = True
    assert act(client, "sign_out", row).status_code == 403
    assert is_in(browser)


@pytest.mark.parametrize("action", ["sign_out", "sign_out_everywhere"])
def test_operators_do_not_cut_off_their_own_branch(action: str) -> None:
    client, row = new_browser("olga")
    get_user_model().objects.filter(username__startswith="olga").update(
        is_staff=True, is_superuser=True
    )
    other, other_row = new_browser("bob")
    page = source_of(act(client, action, row, other_row))
    assert "You were left signed in" in page
    assert "1 sign-in was ended." in page
    assert client.get(LIST).status_code == 200
    assert not is_in(other)


def test_too_many_at_once_are_refused_and_nobody_is_signed_out(
    visit: Callable[..., Client],
) -> None:
    make_sign_ins(201, make_people(3))
    row = EntraSignIn.objects.latest("pk")
    client = visit(VIEW, END)
    for ask in (choose, act):
        page = source_of(ask(client, "sign_out", row, select_across=1))
        assert "choose at most 200" in page
    assert EntraSignIn.objects.count() == 201


def test_nothing_ends_before_the_question_is_answered(visit: Callable[..., Client]) -> None:
    here, row = new_browser()
    there, _row = new_browser()
    client = visit(VIEW, END)
    page = choose(client, "sign_out_everywhere", row)
    text = source_of(page)
    assert "Sign out everywhere" in text
    assert "<strong>alice@contoso.example</strong>" in text
    assert "2 sign-ins" in text, "the one that was not chosen counts"
    assert page.templates[0].name.endswith("confirm_sign_out.html")
    assert is_in(here)
    assert is_in(there)
    assert not LogEntry.objects.exists()
    page = source_of(choose(client, "sign_out", row))
    assert f'name="_selected_action" value="{row.pk}"' in page
    assert "signed in 20" in page
    assert EntraSignIn.objects.count() == 2


def test_what_is_confirmed_is_what_was_listed(visit: Callable[..., Client]) -> None:
    make_sign_ins(3, make_people(3))
    client = visit(VIEW, END)
    asked = choose(client, "sign_out", EntraSignIn.objects.latest("pk"), select_across=1)
    keys = asked.context["keys"]
    assert len(keys) == 3
    newcomer, _row = new_browser()
    rows = EntraSignIn.objects.filter(pk__in=keys)
    assert "3 sign-ins were ended." in source_of(act(client, "sign_out", *rows))
    assert is_in(newcomer)


def test_who_has_left_meanwhile_is_no_failure(visit: Callable[..., Client]) -> None:
    browser, row = new_browser()
    client = visit(VIEW, END)
    choose(client, "sign_out_everywhere", row)
    browser.logout()
    page = source_of(act(client, "sign_out_everywhere", row))
    assert "Nobody was signed out" in page
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("ask", [choose, act])
def test_the_question_takes_post_token_and_permission_as_well(
    visit: Callable[..., Client], ask: Callable[..., Any]
) -> None:
    browser, row = new_browser()
    client = visit(VIEW)
    assert "confirm_sign_out" not in str(
        [one.name for one in ask(client, "sign_out", row).templates]
    )
    client.get(LIST, {"action": "sign_out", "_selected_action": row.pk, "post": "yes"})
    assert is_in(browser)


def test_sign_ins_are_found_by_person_and_account(visit: Callable[..., Client]) -> None:
    make_sign_ins(4, make_people(2))
    client = visit(VIEW)
    identity = EntraIdentity.objects.earliest("pk")
    for words in ("person0", identity.oid.upper()):
        rows = client.get(LIST, {"q": words}).context["cl"].result_list
        assert {row.identity_id for row in rows} == {identity.pk}
    assert len(client.get(LIST, {"q": "nobody"}).context["cl"].result_list) == 0
    rows = client.get(LIST, {"identity__tid": identity.tid}).context["cl"].result_list
    assert {row.identity.tid for row in rows} == {identity.tid}


def test_pages_of_one_are_read_only_and_keep_the_seal(visit: Callable[..., Client]) -> None:
    _browser, row = new_browser()
    client = visit(is_superuser=True)
    for page in (f"{LIST}{row.pk}/change/", f"{IDENTITIES}{row.identity_id}/change/"):
        text = source_of(client.get(page))
        assert "alice" in text
        assert 'name="_save"' not in text
        assert row.id_hash not in text.replace(str(row), "")
        assert client.post(page, {"sid": "x"}).status_code == 403
        assert client.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_staff_without_the_permission_sees_nothing(visit: Callable[..., Client]) -> None:
    _browser, row = new_browser()
    client = visit(END, "change_entraidentity", "delete_entrasignin")
    for page in (LIST, IDENTITIES, f"{LIST}{row.pk}/change/"):
        assert client.get(page).status_code == 403
    assert "Entra" not in source_of(client.get("/admin/")).partition('id="content"')[2]


def test_identities_are_found(visit: Callable[..., Client]) -> None:
    person, other = make_people(2)
    identity = make_identity(person)
    make_identity(other, number=2)
    client = visit("view_entraidentity")
    for words in ("person0", identity.oid):
        assert list(client.get(IDENTITIES, {"q": words}).context["cl"].result_list) == [identity]
    assert len(client.get(IDENTITIES, {"q": identity.tid}).context["cl"].result_list) == 2


def test_a_user_can_still_be_deleted_with_all_that_belongs_to_it(
    visit: Callable[..., Client],
) -> None:
    new_browser()
    user = get_user_model().objects.get(username__startswith="alice")
    client = visit(is_superuser=True)
    response = client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert not EntraIdentity.objects.exists()


def test_a_name_is_never_markup(visit: Callable[..., Client]) -> None:
    hostile = "<script>alert(1)</script>"
    people = make_people(1)
    get_user_model().objects.filter(pk=people[0].pk).update(username=hostile)
    make_sign_ins(1, people)
    row = EntraSignIn.objects.get()
    client = visit(is_superuser=True)
    for page in (LIST, IDENTITIES, f"{LIST}{row.pk}/change/", f"{LIST}?q={hostile}"):
        assert "<script>alert" not in source_of(client.get(page))
    for action in ("sign_out", "sign_out_everywhere"):
        assert "<script>alert" not in source_of(choose(client, action, row))
    assert "<script>alert" not in source_of(act(client, "sign_out", row))
