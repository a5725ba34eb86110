"""BLOCK_GUESTS: the three ways in which Entra tells that somebody is a guest."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest

from django_entra_auth.emulator import FABRIKAM_TENANT_ID, TENANT_ID
from tests.tenants.asking import with_claims

REFUSED = "Guests have no access here"
ELSEWHERE = f"https://sts.windows.net/{FABRIKAM_TENANT_ID}/"


def with_home(tid):
    """A hook for token answers: the account's home as `client_info` tells it."""
    uid = "0a11ce00-0000-4000-8000-000000000999"
    info = urlsafe_b64encode(json.dumps({"uid": uid, "utid": tid}).encode()).decode().rstrip("=")
    return lambda answer: {**answer, "client_info": info}


@pytest.mark.parametrize(
    ("claims", "home"),
    [
        ({"acct": 1}, TENANT_ID),
        ({"acct": "1"}, TENANT_ID),
        ({"idp": ELSEWHERE}, TENANT_ID),
        ({"idp": "live.com"}, TENANT_ID),
        ({}, FABRIKAM_TENANT_ID),
    ],
    ids=["acct", "acct as text", "idp", "idp of personal accounts", "utid"],
)
def test_each_way_of_telling_is_enough(configure, visitor, entra, assert_refused, claims, home):
    configure(BLOCK_GUESTS=True)
    entra.mutate_id_token = with_claims(**claims)
    entra.mutate_token_response = with_home(home)
    assert_refused(visitor.sign_in("alice"), REFUSED)


def test_a_real_guest_is_refused_without_any_optional_claim(configure, visitor, assert_refused):
    configure(BLOCK_GUESTS=True)
    assert_refused(visitor.sign_in("carol"), REFUSED)


def test_a_member_whose_password_is_kept_elsewhere_is_no_guest(configure, visitor, entra):
    """`acct` has the last word: people of a federated company have an `idp` too."""
    configure(BLOCK_GUESTS=True)
    entra.mutate_id_token = with_claims(acct=0, idp=ELSEWHERE)
    entra.mutate_token_response = with_home(FABRIKAM_TENANT_ID)
    visitor.sign_in("alice")
    assert visitor.is_signed_in()


@pytest.mark.parametrize("person", ["alice", "bob"])
def test_members_come_in(configure, visitor, entra, person):
    configure(BLOCK_GUESTS=True)
    entra.optional_claims |= {"acct"}
    visitor.sign_in(person)
    assert visitor.is_signed_in()


def test_guests_come_in_where_nobody_said_otherwise(visitor):
    visitor.sign_in("carol")
    assert visitor.is_signed_in()
