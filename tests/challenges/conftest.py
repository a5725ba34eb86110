"""A person signed in at a site full of challenges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_entra_auth import signals
from django_entra_auth.cache.token_cache import local_copies
from tests.challenges import site as challenges_site
from tests.challenges.asking import Walker, make_walker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/challenges/" in item.nodeid and not item.get_closest_marker("urls"):
            item.add_marker(pytest.mark.urls("tests.challenges.site"))


@pytest.fixture
def site(entra: Any, entra_settings: Any) -> Any:
    """Asks for Graph at the sign-in, as most sites do."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()
    return entra_settings


@pytest.fixture
def walker(entra: Any, site: Any, db: None) -> Walker:
    """Signed in; what Entra is asked for from here on is the prompt's doing."""
    walker = make_walker(entra)
    walker.sign_in()
    entra.requests.clear()
    return walker


@pytest.fixture
def done() -> list[Any]:
    """What the views got done, and with which fields."""
    challenges_site.done.clear()
    return challenges_site.done


@pytest.fixture
def prompts() -> Iterator[list[Any]]:
    """The claims of each prompt, as the signal tells."""
    seen: list[Any] = []

    def note(sender: Any, *, claims: Any, **named: Any) -> None:
        seen.append(claims)

    signals.claims_challenged.connect(note)
    yield seen
    signals.claims_challenged.disconnect(note)
