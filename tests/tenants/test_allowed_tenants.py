"""Who may come in from which directory: ALLOWED_TENANTS at every kind of authority."""

from __future__ import annotations

import pytest

from django_entra_auth.emulator import (
    CONSUMER_TENANT_ID,
    FABRIKAM_TENANT_ID,
    TENANT_ID,
    EmulatorPage,
)
from tests.tenants.asking import identities, with_claims
from tests.visitor import text_of

REFUSED = "Your organization has no access here"


@pytest.mark.parametrize(
    ("segment", "allowed", "person"),
    [
        ("organizations", [TENANT_ID], "alice"),
        ("organizations", [TENANT_ID.upper()], "alice"),
        ("organizations", [TENANT_ID, FABRIKAM_TENANT_ID], "grace"),
        ("organizations", ["*"], "grace"),
        ("common", ["*"], "grace"),
        ("common", ["*", CONSUMER_TENANT_ID], "mia"),
        ("common", [CONSUMER_TENANT_ID], "mia"),
        ("consumers", [CONSUMER_TENANT_ID], "mia"),
        ("contoso.example", [], "alice"),
        ("CONTOSO.onmicrosoft.com", [], "alice"),
        ("contoso.example", [TENANT_ID], "alice"),
        ("contoso.example", ["*"], "alice"),
        (TENANT_ID, [], "carol"),
    ],
)
def test_who_comes_in(at, visitor, entra, segment, allowed, person):
    at(segment, ALLOWED_TENANTS=allowed)
    assert visitor.sign_in(person)["Location"] == "/private/"
    assert visitor.is_signed_in()
    someone = entra.people[person]
    assert identities() == {(someone.tid, someone.oid)}


@pytest.mark.parametrize(
    ("segment", "allowed", "person"),
    [
        ("organizations", [TENANT_ID], "grace"),
        ("organizations", [FABRIKAM_TENANT_ID], "alice"),
        # At an authority of many, guests come from home.
        ("organizations", [TENANT_ID], "carol"),
        ("common", [TENANT_ID], "mia"),
        ("common", ["*"], "mia"),
        ("consumers", ["*"], "mia"),
        ("consumers", [TENANT_ID], "mia"),
        ("contoso.example", [FABRIKAM_TENANT_ID], "alice"),
    ],
)
def test_who_does_not(at, visitor, assert_refused, segment, allowed, person):
    at(segment, ALLOWED_TENANTS=allowed)
    assert_refused(visitor.sign_in(person), REFUSED)


def test_the_refused_are_told_the_ids_that_an_operator_needs(at, visitor, entra):
    at("organizations", ALLOWED_TENANTS=[TENANT_ID])
    page = text_of(visitor.sign_in("grace"))
    assert FABRIKAM_TENANT_ID in page
    assert entra.people["grace"].oid in page
    assert "grace@" not in page


def test_nobody_else_gets_past_the_sign_in_page_of_one_tenant(at, visitor):
    at("contoso.example")
    auth_uri = visitor.begin()
    assert "/contoso.example/oauth2/v2.0/authorize" in auth_uri
    with pytest.raises(EmulatorPage, match="50020"):
        visitor.answer(auth_uri, "grace")


@pytest.mark.parametrize("allowed", [[TENANT_ID], ["*"]])
def test_a_token_of_an_allowed_tenant_that_another_one_issued(at, visitor, entra, allowed):
    """`tid` alone says nothing: the issuer has to be that tenant's."""
    at("organizations", ALLOWED_TENANTS=allowed)
    entra.mutate_id_token = with_claims(tid=TENANT_ID)
    response = visitor.sign_in("grace")
    assert "could not be verified" in text_of(response)
    assert not identities()


def test_a_key_of_personal_accounts_vouches_for_no_organization(at, visitor, entra):
    at("common", ALLOWED_TENANTS=[TENANT_ID, CONSUMER_TENANT_ID])
    key = entra.publish_key(issuer=f"{entra.origin}/{CONSUMER_TENANT_ID}/v2.0")

    def sign(header, claims, _):
        return with_claims()({**header, "kid": key.kid}, claims, key.private_key)

    entra.mutate_id_token = sign
    assert "could not be verified" in text_of(visitor.sign_in("alice"))
    assert not identities()
    assert visitor.sign_in("mia")["Location"] == "/private/"


def test_at_work_alone_no_personal_account_counts_however_it_got_there(at, visitor, entra):
    at("organizations", ALLOWED_TENANTS=["*", CONSUMER_TENANT_ID])
    issuer = f"{entra.origin}/{CONSUMER_TENANT_ID}/v2.0"
    entra.mutate_id_token = with_claims(tid=CONSUMER_TENANT_ID, iss=issuer)
    assert "could not be verified" in text_of(visitor.sign_in("alice"))
    assert not identities()
