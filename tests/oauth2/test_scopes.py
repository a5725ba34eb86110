"""Spellings of scopes and the resources they belong to."""

from __future__ import annotations

import pytest

from django_entra_auth.oauth2.scopes import covers, find_resource, normalize_scopes


@pytest.mark.parametrize(
    ("scopes", "resource"),
    [
        (["User.Read"], "graph"),
        (["https://graph.microsoft.com/User.Read"], "graph"),
        (["https://graph.microsoft.us/User.Read"], "graph"),
        (["https://graph.microsoft.com/.default"], "graph"),
        (["00000003-0000-0000-c000-000000000000/.default"], "graph"),
        ([], "graph"),
        (["email"], "graph"),
        (["api://6731de76/access"], "api://6731de76"),
        (["API://6731DE76/Access"], "api://6731de76"),
        (["email", "api://one/read"], "api://one"),
        (["6731de76-14a6-49ae-97bc-6eba6914391e/.default"], "6731de76-14a6-49ae-97bc-6eba6914391e"),
        (["https://management.azure.com//user_impersonation"], "https://management.azure.com/"),
        (["https://contoso.onmicrosoft.com/api/read"], "https://contoso.onmicrosoft.com/api"),
    ],
)
def test_resource(scopes, resource):
    assert find_resource(scopes) == resource


@pytest.mark.parametrize(
    ("granted", "wanted", "serves"),
    [
        (["openid", "profile", "User.Read"], ["user.read"], True),
        (["https://graph.microsoft.com/User.Read"], ["User.Read"], True),
        (["User.Read"], ["User.Read", "email"], True),
        (["User.Read"], ["User.Read", "Mail.Read"], False),
        (["User.Read"], ["User.Read.All"], False),
        ([], ["User.Read"], False),
        (["api://one/read"], ["api://two/read"], False),
        (["User.Read"], [], True),
    ],
)
def test_covers(granted, wanted, serves):
    assert covers(normalize_scopes(granted), normalize_scopes(wanted)) is serves
