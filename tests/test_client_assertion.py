"""A client assertion can be named by a dotted path."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_entra_auth.client import get_application


def make_assertion() -> str:
    return "an.assertion.of-the-platform"


def name(settings: Any, path: str) -> None:
    settings.ENTRA_AUTH = {
        **settings.ENTRA_AUTH,
        "CLIENT_CREDENTIAL": [{"client_assertion": path}],
    }


def test_the_callable_is_asked(entra: Any, entra_settings: Any) -> None:
    name(entra_settings, f"{__name__}.make_assertion")
    get_application().acquire_token_for_client(["https://graph.microsoft.com/.default"])
    sent = [one.form.get("client_assertion") for one in entra.requests if "/token" in one.path]
    assert sent == ["an.assertion.of-the-platform"]


def test_a_path_to_nothing_is_a_fault_of_the_settings(entra_settings: Any) -> None:
    name(entra_settings, "no.such.callable")
    with pytest.raises(ImproperlyConfigured, match="client_assertion"):
        get_application()
