"""People signed in at a site, and what is left of them after a sign-out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches

from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.signals import signed_out
from tests.visitor import Visitor

MEMORY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


@pytest.fixture
def site(entra: Any, entra_settings: Any, db: None) -> Any:
    """The settings of a site whose registration has both optional claims."""
    entra.optional_claims |= {"sid", "login_hint"}
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()
    return entra_settings


@pytest.fixture
def come(entra: Any, site: Any) -> Callable[..., Visitor]:
    """`come("bob")` is a person in a new browser, signed in."""

    def sign_in(person: str = "bob", **options: Any) -> Visitor:
        visitor = Visitor(entra, **options)
        assert visitor.sign_in(person).status_code == 302
        return visitor

    return sign_in


@pytest.fixture
def visitor(come: Callable[..., Visitor]) -> Visitor:
    """Alice, signed in."""
    return come("alice")


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """What `signed_out` told."""
    told: list[dict[str, Any]] = []

    def listen(**named: Any) -> None:
        told.append(named)

    signed_out.connect(listen)
    yield told
    signed_out.disconnect(listen)


@pytest.fixture
def left() -> Callable[..., dict[str, int]]:
    """`left("tokens", "form")` counts what the cache keeps of each kind."""

    def count(*kinds: str, alias: str = "default") -> dict[str, int]:
        keys = list(caches[alias]._cache)  # type: ignore[attr-defined]
        return {kind: sum(f":entra:1:{kind}:" in key for key in keys) for kind in kinds}

    return count
