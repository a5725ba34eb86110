"""Two directories with the same user name, or the same e-mail: two people, kept apart."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from django_entra_auth.emulator import FABRIKAM_TENANT_ID, TENANT_ID, Person
from django_entra_auth.models import EntraIdentity
from tests.tenants.asking import identities
from tests.visitor import text_of

NAME = "alice@contoso.example"


@pytest.fixture
def twin(entra, at):
    """Somebody in another directory under Alice's user name and e-mail address."""
    person = Person(
        NAME, "Alice Imposter", tid=FABRIKAM_TENANT_ID, mail=NAME, password="other-horse"
    )
    entra.people["twin"] = person
    at("organizations", ALLOWED_TENANTS=[TENANT_ID, FABRIKAM_TENANT_ID])
    return person


def user_of(person):
    return EntraIdentity.objects.get(tid=person.tid, oid=person.oid).user


@pytest.mark.parametrize("order", [("alice", "twin"), ("twin", "alice")])
def test_two_users(twin, visitor, entra, order):
    visitors = {name: type(visitor)(entra) for name in order}
    for name, one in visitors.items():
        assert one.sign_in(name)["Location"] == "/private/"
    alice = entra.people["alice"]
    assert identities() == {(alice.tid, alice.oid), (twin.tid, twin.oid)}
    users = {name: one.client.get("/whoami/").json()["user"] for name, one in visitors.items()}
    assert users == {"alice": user_of(alice).pk, "twin": user_of(twin).pk}
    names = list(get_user_model().objects.order_by("pk").values_list("username", flat=True))
    assert names[0] == NAME
    assert names[1] == f"{NAME}-{entra.people[order[1]].oid[:8]}"


def test_an_address_that_two_directories_claim_is_nobodys(twin, visitor, entra):
    """With several directories an address counts only where its domain was verified."""
    entra.optional_claims |= {"email", "xms_edov"}
    twin.mail_domain_verified = False
    visitor.sign_in("twin")
    assert user_of(twin).email == ""
    other = type(visitor)(entra)
    other.sign_in("alice")
    assert user_of(entra.people["alice"]).email == NAME


def test_neither_takes_the_others_session_over(twin, visitor, entra):
    visitor.sign_in("alice")
    user = visitor.client.get("/whoami/").json()["user"]
    again = visitor.client.post("/auth/login/", {"account": "same", "next": "/private/"})
    answer = visitor.answer(again.context["continue_url"], "twin")
    response = visitor.deliver(answer)
    assert response.status_code == 403
    assert "another account than the one you are signed in with" in text_of(response)
    assert visitor.client.get("/whoami/").json()["user"] == user
    assert (twin.tid, twin.oid) not in identities()


def test_an_object_id_means_nothing_without_its_tenant(twin, visitor, entra):
    """A directory's administrator does not choose object ids, and it would not help them."""
    alice = entra.people["alice"]
    twin.oid = twin.home_oid = alice.oid
    visitor.sign_in("alice")
    other = type(visitor)(entra)
    other.sign_in("twin")
    assert user_of(alice) != user_of(twin)
