"""Refresh tokens go to the account's own tenant, whatever the sign-in was started at."""

from __future__ import annotations

import pytest

from django_entra_auth.emulator import CONSUMER_TENANT_ID, FABRIKAM_TENANT_ID, TENANT_ID
from tests.tenants.asking import refreshes

ALL = [TENANT_ID, FABRIKAM_TENANT_ID, CONSUMER_TENANT_ID]


@pytest.mark.parametrize(
    ("segment", "person", "where"),
    [
        ("organizations", "alice", TENANT_ID),
        ("organizations", "grace", FABRIKAM_TENANT_ID),
        ("Organizations", "grace", FABRIKAM_TENANT_ID),
        ("common", "grace", FABRIKAM_TENANT_ID),
        ("common", "mia", CONSUMER_TENANT_ID),
        ("consumers", "mia", "consumers"),
        # A guest's account is that of the tenant whose guest they are.
        ("common", "carol", FABRIKAM_TENANT_ID),
        (TENANT_ID, "carol", TENANT_ID),
        ("contoso.example", "carol", "contoso.example"),
    ],
)
def test_where_a_refresh_goes(at, visitor, entra, segment, person, where):
    at(segment, ALLOWED_TENANTS=[] if "contoso" in segment else ALL, REVALIDATE_SECONDS=0)
    visitor.sign_in(person)
    assert visitor.is_signed_in()
    assert refreshes(entra) == [f"/{where}/oauth2/v2.0/token"]


def test_two_tenants_at_one_site_do_not_meet(at, visitor, entra):
    at("organizations", ALLOWED_TENANTS=ALL, REVALIDATE_SECONDS=0)
    other = type(visitor)(entra)
    visitor.sign_in("alice")
    other.sign_in("grace")
    assert visitor.client.get("/whoami/").json()["username"] == "alice@contoso.example"
    assert other.client.get("/whoami/").json()["username"] == "grace@fabrikam.example"
    assert [path.split("/")[1] for path in refreshes(entra)] == [TENANT_ID, FABRIKAM_TENANT_ID]
