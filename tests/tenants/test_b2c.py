"""Sign-in policies of Azure AD B2C: who somebody is, and what such a directory says otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests
from django.contrib.auth import get_user_model

from django_entra_auth.emulator import B2C_DOMAINS, B2C_POLICY, B2C_TENANT_ID
from django_entra_auth.models import TokenErrorRecord
from tests.tenants.asking import identities, refreshes, with_claims
from tests.visitor import query_of, text_of

DOMAIN = B2C_DOMAINS[0]
POLICY = f"{DOMAIN}/{B2C_POLICY}"


@pytest.fixture
def flow(at):
    """The site signs its people in with a user flow."""
    at(f"{DOMAIN}/B2C_1_SUSI")


def fetch(entra, path):
    return requests.get(f"{entra.origin}/{path}", timeout=10).json()


@pytest.mark.parametrize("segment", [POLICY, f"tfp/{POLICY}", f"{B2C_TENANT_ID}/{B2C_POLICY}"])
def test_the_local_one_has_the_shape(entra, segment):
    document = fetch(entra, f"{segment}/v2.0/.well-known/openid-configuration")
    assert document["issuer"] == f"{entra.origin}/{B2C_TENANT_ID}/v2.0/"
    assert document["scopes_supported"] == ["openid"]
    assert document["token_endpoint"] == f"{entra.origin}/{segment}/oauth2/v2.0/token"
    keys = fetch(entra, f"{segment}/discovery/v2.0/keys")["keys"]
    assert not any("issuer" in key for key in keys)


@pytest.mark.parametrize(
    "segment", [DOMAIN, f"{DOMAIN}/b2c_1_other", f"contoso.example/{B2C_POLICY}"]
)
def test_other_user_flows_are_unknown(entra, segment):
    answer = fetch(entra, f"{segment}/v2.0/.well-known/openid-configuration")
    assert answer["error_codes"] == [90002]


def test_its_answers(entra, flow, visitor):
    """Numbers as text, no tid and no user name, addresses in a list."""
    seen, claimed = [], []
    entra.mutate_token_response = lambda answer: seen.append(answer) or answer
    mutate = with_claims()
    entra.mutate_id_token = lambda h, c, k: claimed.append(c) or mutate(h, c, k)
    visitor.sign_in("paul")
    (answer,), (claims,) = seen, claimed
    assert answer["expires_in"].isdecimal()
    assert answer["not_before"].isdecimal()
    assert "access_token" not in answer
    assert claims["emails"] == ["paul@shop.example"]
    assert claims["tfp"] == B2C_POLICY
    assert claims["ver"] == "1.0"
    assert not {"tid", "preferred_username"} & set(claims)


@pytest.mark.parametrize("prefix", ["", "tfp/"])
def test_who_signed_in_is_told_by_oid_and_issuer(at, visitor, entra, prefix):
    at(f"{prefix}{POLICY}")
    assert visitor.sign_in("paul")["Location"] == "/private/"
    assert visitor.is_signed_in()
    oid = entra.people["paul"].oid
    assert identities() == {(B2C_TENANT_ID, oid)}
    user = get_user_model().objects.get()
    assert (user.username, user.first_name, user.email) == (oid, "Paul", "")


def test_an_issuer_that_names_the_user_flow(flow, visitor, entra):
    entra.tenants = [
        replace(one, issuer_names_policy=True) if one.tenant_id == B2C_TENANT_ID else one
        for one in entra.tenants
    ]
    visitor.sign_in("paul")
    assert visitor.is_signed_in()
    assert {tid for tid, _ in identities()} == {B2C_TENANT_ID}


@pytest.mark.parametrize("claim", ["iss", "tid", "oid"])
def test_a_token_without_one_of_the_three(flow, visitor, entra, claim):
    """A user flow does not send `oid` unless it is switched on."""
    changes = {
        "iss": {"iss": f"{entra.origin}/{B2C_TENANT_ID}/v2.0"},
        "tid": {"tid": "0b1d8c3e-5a27-4f96-b0e4-93c7d6a2f106"},
        "oid": {"oid": None},
    }
    entra.mutate_id_token = with_claims(**changes[claim])
    assert "could not be verified" in text_of(visitor.sign_in("paul"))
    assert not identities()


def test_the_account_is_checked_again_without_asking_the_person(flow, visitor, entra, configure):
    """B2C writes the user flow into the account's id; the tokens are found under it again."""
    configure(REVALIDATE_SECONDS=0)
    visitor.sign_in("paul")
    assert visitor.is_signed_in()
    assert refreshes(entra) == [f"/{DOMAIN}/B2C_1_SUSI/oauth2/v2.0/token"]
    assert not TokenErrorRecord.objects.exists()


def test_who_is_disabled_is_out_at_the_next_check(flow, visitor, entra, configure):
    configure(REVALIDATE_SECONDS=0)
    visitor.sign_in("paul")
    entra.people["paul"].enabled = False
    assert not visitor.is_signed_in()


def test_an_access_token_for_an_api_of_the_directory(flow, visitor, configure):
    scope = f"https://{DOMAIN}/orders/read"
    configure(SCOPES=[scope])
    visitor.sign_in("paul")
    response = visitor.client.get("/whoami/")
    token = response.wsgi_request.entra.acquire_token_silent([scope])
    assert token["access_token"]
    assert 0 < token["expires_in"] <= 5400


def test_what_b2c_does_not_know_is_not_asked(flow, visitor):
    """No scope `email`, and of all prompts only `login`."""
    auth_uri = visitor.begin()
    assert query_of(auth_uri)["scope"].split() == ["offline_access", "openid", "profile"]
    visitor.deliver(visitor.answer(auth_uri, "paul"))
    other = visitor.client.post("/auth/login/", {"account": "other", "next": "/private/"})
    assert query_of(other.context["continue_url"])["prompt"] == "login"


@pytest.mark.parametrize(
    ("leaving", "title"),
    [
        ({"cancel": True}, "You cancelled the sign-in"),
        ({"forgot_password": True}, "Your password cannot be reset here"),
    ],
)
def test_leaving_the_user_flow(flow, visitor, leaving, title):
    response = visitor.sign_in("paul", **leaving)
    assert response.status_code == 403
    assert title in text_of(response)
    assert "AADB2C" not in text_of(response)


def test_sign_out(flow, visitor, entra):
    visitor.sign_in("paul")
    page = visitor.client.post("/auth/logout/").content.decode()
    assert f"{entra.origin}/{DOMAIN}/B2C_1_SUSI/oauth2/v2.0/logout" in page
    assert not visitor.is_signed_in()
