"""Fixtures for many tenants and clouds: a site at a chosen authority, and a visitor of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from django_entra_auth.models import EntraIdentity, EntraSignIn
from tests.visitor import Visitor, text_of

Configure = Callable[..., None]


@pytest.fixture
def configure(entra_settings: Any) -> Configure:
    """`configure(BLOCK_GUESTS=True)` replaces single keys of ENTRA_AUTH."""

    def change(**keys: Any) -> None:
        entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, **keys}

    return change


@pytest.fixture
def at(entra: Any, configure: Configure) -> Configure:
    """`at("organizations", ALLOWED_TENANTS=[…])` points the site at a segment."""

    def change(segment: str, **keys: Any) -> None:
        configure(AUTHORITY=f"{entra.origin}/{segment}", **keys)

    return change


@pytest.fixture
def visitor(entra: Any, entra_settings: Any, db: None) -> Visitor:
    """A person with a browser of their own."""
    return Visitor(entra)


@pytest.fixture
def assert_refused(visitor: Visitor) -> Callable[[Any, str], None]:
    """`assert_refused(response, "Guests have no access here")`: that page, and nothing stored."""

    def check(response: Any, title: str) -> None:
        assert response.status_code == 403
        assert title in text_of(response)
        assert not visitor.is_signed_in()
        assert not get_user_model().objects.exists()
        assert not EntraIdentity.objects.exists()
        assert not EntraSignIn.objects.exists()

    return check
