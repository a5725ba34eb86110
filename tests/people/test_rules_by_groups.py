"""A site that lets in by group, and Graph that does not tell the groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from django_entra_auth.backends import EntraBackend
from tests.people.asking import ALL, FRANK, rights_of
from tests.people.conftest import LAST

pytestmark = pytest.mark.django_db


class TeamBackend(EntraBackend):
    """For people who are in some group."""

    def verify_claims(self, claims: Mapping[str, Any]) -> bool:
        return len(claims.get("groups", ())) > LAST


@pytest.fixture(autouse=True)
def _team_alone(by_groups: str, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.TeamBackend"]


def test_an_outage_refuses_nobody_for_good(entra, visitor):
    entra.faults.outage("503", endpoint="graph")
    response = visitor.sign_in("frank")
    assert response.status_code == 503
    assert "Retry-After" in response
    assert "administrator" not in response.content.decode()
    assert not visitor.is_signed_in()
    entra.faults.clear()
    visitor.sign_in("frank")
    assert rights_of(FRANK) == ALL


def test_a_wait_is_passed_on(entra, visitor):
    entra.graph.throttle(120)
    response = visitor.sign_in("frank")
    assert (response.status_code, response["Retry-After"]) == (503, "120")


def test_what_does_not_pass_is_the_sites_refusal(entra, visitor):
    entra.people["frank"].groups[:] = []
    response = visitor.sign_in("frank")
    assert response.status_code == 403
    assert "does not accept the account" in response.content.decode()
