"""docs/reference/local-entra.md has the people, policies, faults, switches and control calls."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from django_entra_auth import emulator
from django_entra_auth.emulator import Emulator, control
from django_entra_auth.emulator.control_input import READY_MADE
from django_entra_auth.emulator.faults import ENDPOINTS, OUTAGES
from django_entra_auth.emulator.policies import CONTROLS
from django_entra_auth.emulator.tokens import OPTIONAL_CLAIMS
from tests.docs.tables import code, read, rows, section

PAGE = read("local-entra")


def column(first: str) -> list[str]:
    return [code(row[0])[0] for row in rows(PAGE, first)]


def test_fixed_names() -> None:
    documented = {code(row[0])[0]: code(row[1])[0] for row in rows(PAGE, "fixed name")}
    assert documented == {name: getattr(emulator, name) for name in documented}
    assert {"TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "PASSWORD", "MFA_CODE"} <= set(documented)


def test_people() -> None:
    documented = {
        code(row[0])[0]: (code(row[1])[0], row[2]) for row in rows(PAGE, "name", "## People")
    }
    people = Emulator().people.items()
    assert documented == {name: (person.username, person.about) for name, person in people}


def test_optional_claims() -> None:
    listed = section(PAGE, "## Optional claims").partition("`entra.optional_claims`")[2]
    assert set(code(listed)) == set(OPTIONAL_CLAIMS)


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("control", CONTROLS),
        ("ready-made", READY_MADE),
        ("endpoint", ENDPOINTS),
        ("outage", OUTAGES),
    ],
)
def test_names(first: str, names: Any) -> None:
    assert sorted(column(first)) == sorted(names)


def test_ready_made_policies_are_called_so() -> None:
    documented = {code(row[0])[0]: row[1] for row in rows(PAGE, "ready-made")}
    assert documented == {name: policy.name for name, policy in READY_MADE.items()}


def test_switches() -> None:
    documented = {
        code(row[0])[0]: ast.literal_eval(code(row[1])[0]) for row in rows(PAGE, "switch")
    }
    assert documented == control.describe(Emulator())["switches"]


def test_calls_of_the_control_api() -> None:
    documented = {(row[1], code(row[0])[0]) for row in rows(PAGE, "address")}
    reads = {("GET", f"/control/{name}") for name in control._VIEWS}
    acts = {("POST", f"/control/{name}") for name in control._ACTIONS}
    assert documented == reads | acts


@pytest.mark.parametrize("row", rows(PAGE, "address"), ids=lambda row: code(row[0])[0])
def test_members_of_the_control_api(row: list[str]) -> None:
    """Every member that the page names is taken; the answer to an unknown one names it."""
    names = set(re.findall(r"\"(\w+)\"", row[2]))
    action = code(row[0])[0].removeprefix("/control/")
    for name in names:
        with pytest.raises(control.ControlError) as refused:
            control.act(Emulator(), action, {name: object(), "unheard-of": 1})
        assert repr(name) not in str(refused.value) or "of another type" in str(refused.value)
