"""Customers' directories of External ID: the issuer has another host than the document."""

from __future__ import annotations

import pytest
import requests

from django_entra_auth.emulator import (
    CUSTOMERS_DOMAINS,
    CUSTOMERS_TENANT_ID,
    TENANT_ID,
    EmulatorPage,
    Tenant,
)
from tests.tenants.asking import identities, refreshes, with_claims
from tests.visitor import query_of, text_of

DOMAIN = CUSTOMERS_DOMAINS[0]
ISSUER = f"https://{CUSTOMERS_TENANT_ID}.ciamlogin.com/{CUSTOMERS_TENANT_ID}/v2.0"


@pytest.fixture(params=[DOMAIN, CUSTOMERS_TENANT_ID], ids=["by name", "by GUID"])
def customers(request, at):
    at(request.param)
    return request.param


def fetch(entra, path):
    return requests.get(f"{entra.origin}/{path}", timeout=10).json()


def test_the_local_one_has_the_shape(entra):
    document = fetch(entra, f"{DOMAIN}/v2.0/.well-known/openid-configuration")
    assert document["issuer"] == ISSUER
    assert document["token_endpoint"] == f"{entra.origin}/{DOMAIN}/oauth2/v2.0/token"
    keys = fetch(entra, f"{DOMAIN}/discovery/v2.0/keys")["keys"]
    assert {key["issuer"] for key in keys} == {ISSUER}


def test_a_customer_signs_in(customers, visitor, entra):
    visitor.sign_in("olga")
    assert visitor.is_signed_in()
    olga = entra.people["olga"]
    assert identities() == {(CUSTOMERS_TENANT_ID, olga.oid)}


def test_and_is_checked_again(customers, visitor, entra, configure):
    configure(REVALIDATE_SECONDS=0)
    visitor.sign_in("olga")
    assert visitor.is_signed_in()
    assert refreshes(entra) == [f"/{customers}/oauth2/v2.0/token"]


def test_and_signs_out_at_the_host_that_was_asked(customers, visitor, entra):
    visitor.sign_in("olga")
    page = visitor.client.post("/auth/logout/").content.decode()
    assert f"{entra.origin}/{customers}/oauth2/v2.0/logout" in page
    assert "ciamlogin.com" not in page


def test_a_customer_is_no_guest(customers, visitor, configure):
    configure(BLOCK_GUESTS=True)
    visitor.sign_in("olga")
    assert visitor.is_signed_in()


@pytest.mark.parametrize("segment", [TENANT_ID, "organizations", "common"])
def test_customers_sign_in_nowhere_else(at, visitor, segment):
    at(segment, ALLOWED_TENANTS=[] if segment == TENANT_ID else ["*"])
    with pytest.raises(EmulatorPage, match="50020"):
        visitor.answer(visitor.begin(), "olga")


def test_nor_do_employees_sign_in_there(customers, visitor):
    with pytest.raises(EmulatorPage, match="50020"):
        visitor.answer(visitor.begin(), "alice")


OTHER = "b7c5d1e9-0f42-4a68-9e31-8d20c6a4f705"


@pytest.mark.parametrize(
    "issuer",
    [
        f"https://{OTHER}.ciamlogin.com/{OTHER}/v2.0",
        f"https://{OTHER}.ciamlogin.com/{CUSTOMERS_TENANT_ID}/v2.0",
        f"https://contosocustomers.ciamlogin.com/{CUSTOMERS_TENANT_ID}/v2.0",
        f"https://login.microsoftonline.com/{CUSTOMERS_TENANT_ID}/v2.0",
        f"http://{CUSTOMERS_TENANT_ID}.ciamlogin.com/{CUSTOMERS_TENANT_ID}/v2.0",
    ],
)
def test_tokens_of_other_issuers(customers, visitor, entra, issuer):
    entra.mutate_id_token = with_claims(iss=issuer)
    assert "could not be verified" in text_of(visitor.sign_in("olga"))
    assert not identities()


def test_an_issuer_of_another_directory_makes_the_document_unusable(at, visitor, entra):
    """At one directory's GUID the document has to be that directory's."""
    at(CUSTOMERS_TENANT_ID)
    entra.tenants = [
        Tenant(OTHER, "Other customers", (CUSTOMERS_TENANT_ID,), "external_id"),
    ]
    response = visitor.client.get("/auth/login/", {"next": "/private/"})
    assert response.status_code == 500
    assert "connected to Microsoft" in text_of(response)


def test_sign_up_and_choice_of_account_are_asked_for_as_anywhere(customers, visitor):
    visitor.sign_in("olga")
    other = visitor.client.post("/auth/login/", {"account": "other", "next": "/private/"})
    assert query_of(other.context["continue_url"])["prompt"] == "select_account"
