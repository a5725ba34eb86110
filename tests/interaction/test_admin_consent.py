"""What an administrator is asked to allow."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory, override_settings

from django_entra_auth.interaction.admin_consent import build_admin_consent
from django_entra_auth.interaction.requirement import Requirement
from django_entra_auth.interaction.state import Flow
from tests.visitor import query_of

TID = "11111111-2222-4333-8444-555555555555"
GLOBAL, US = "https://login.microsoftonline.com", "https://login.microsoftonline.us"
DOD = "https://dod-graph.microsoft.us"


@pytest.mark.parametrize(
    ("cloud", "configured", "wanted", "scope"),
    [
        (GLOBAL, [], ("Mail.Read",), "https://graph.microsoft.com/Mail.Read"),
        (GLOBAL, ["User.Read"], (), "https://graph.microsoft.com/User.Read"),
        (GLOBAL, [], ("api://hours/Read",), "api://hours/Read"),
        (GLOBAL, [], (), "https://graph.microsoft.com/.default"),
        (US, [], ("Mail.Read",), "https://graph.microsoft.us/Mail.Read"),
        # A cloud with two: the site has said which one is its own.
        (US, [f"{DOD}/User.Read"], ("Mail.Read",), f"{DOD}/Mail.Read"),
    ],
)
def test_bare_scopes_are_of_the_clouds_graph(cloud, configured, wanted, scope) -> None:
    entra = {"CLIENT_ID": "app", "CLIENT_CREDENTIAL": "secret", "SCOPES": configured}
    request = RequestFactory().get("/")
    request.session, request.user = SessionStore(), AnonymousUser()
    flow = Flow(
        redirect_uri="https://site.example/auth/callback",
        next_url="/",
        requirement=Requirement(scopes=wanted),
    )
    with override_settings(ENTRA_AUTH={**entra, "AUTHORITY": f"{cloud}/{TID}"}):
        prompt = build_admin_consent(request, flow)
    assert prompt.uri.startswith(f"{cloud}/")
    assert query_of(prompt.uri)["scope"] == scope
