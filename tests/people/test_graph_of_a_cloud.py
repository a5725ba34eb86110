"""Which Graph is asked for a person's groups, and for which permission."""

from __future__ import annotations

from typing import Any

import pytest

from django_entra_auth.conf import EntraSettings
from django_entra_auth.group_membership import complete_groups, find_graph_origin, find_graph_scopes

TID = "11111111-2222-4333-8444-555555555555"
GLOBAL = "https://login.microsoftonline.com"


def conf(host: str = GLOBAL, **changes: Any) -> EntraSettings:
    return EntraSettings(
        client_id="client", client_credential="secret", authority=f"{host}/{TID}", **changes
    )


@pytest.mark.parametrize(
    ("settings", "origin", "scopes"),
    [
        (conf(), "https://graph.microsoft.com", ["User.Read"]),
        (
            conf(scopes=("api://x/Read", "Mail.Read", "email", "GroupMember.Read.All")),
            "https://graph.microsoft.com",
            ["Mail.Read", "GroupMember.Read.All"],
        ),
        (conf(scopes=("email",)), "https://graph.microsoft.com", ["User.Read"]),
        (
            conf("https://login.microsoftonline.us"),
            "https://graph.microsoft.us",
            ["https://graph.microsoft.us/User.Read"],
        ),
        (
            conf(
                "https://login.microsoftonline.us",
                scopes=("https://dod-graph.microsoft.us/User.Read",),
            ),
            "https://dod-graph.microsoft.us",
            ["https://dod-graph.microsoft.us/User.Read"],
        ),
        (
            conf("https://login.partner.microsoftonline.cn"),
            "https://microsoftgraph.chinacloudapi.cn",
            ["https://microsoftgraph.chinacloudapi.cn/User.Read"],
        ),
        (conf("https://contoso.ciamlogin.com"), "https://graph.microsoft.com", ["User.Read"]),
        (
            conf("http://localhost:8400", local_emulator=True),
            "http://localhost:8400",
            ["User.Read"],
        ),
        (conf("http://localhost:8400"), "https://graph.microsoft.com", ["User.Read"]),
        (conf(local_emulator=True), "https://graph.microsoft.com", ["User.Read"]),
    ],
)
def test_each_cloud_has_its_own(settings: EntraSettings, origin: str, scopes: list[str]) -> None:
    assert find_graph_origin(settings) == origin
    assert find_graph_scopes(settings) == scopes


def test_a_cloud_whose_graph_is_not_known_gives_nothing() -> None:
    settings = conf("https://login.microsoftonline.de", groups_claim="groups", staff_roles=("x",))
    claims = {"tid": TID, "oid": TID, "_claim_names": {"groups": "src1"}}
    found = complete_groups(None, claims, settings, lambda _: {"access_token": "token"})
    assert found.claims == claims
    assert found.failure is not None
    assert (found.failure["category"], found.is_passing) == ("configuration", False)


@pytest.mark.parametrize(
    ("claims", "is_asked"),
    [
        ({}, False),
        ({"groups": []}, False),
        ({"groups": [TID], "_claim_names": {"groups": "src1"}}, False),
        ({"_claim_names": {"roles": "src1"}}, False),
        ({"_claim_names": "groups"}, False),
        ({"hasgroups": False}, False),
        ({"_claim_names": {"groups": "src1"}}, True),
        ({"hasgroups": True}, True),
        ({"hasgroups": "true"}, True),
    ],
)
def test_no_groups_and_too_many_are_told_apart(claims: dict[str, Any], is_asked: bool) -> None:
    asked: list[Any] = []
    settings = conf(groups_claim="groups", staff_roles=(TID,))
    complete_groups(None, {"tid": TID, "oid": TID, **claims}, settings, asked.append)  # type: ignore[func-returns-value]
    assert bool(asked) == is_asked
