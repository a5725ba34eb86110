"""A site that goes by group ids, and people to sign in to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from django_entra_auth.emulator import Emulator
from tests.visitor import Visitor

LAST = 249  # frank's groups are counted from 0; the last of them is on the last page


@pytest.fixture
def by_groups(entra: Emulator, configure: Callable[..., None]) -> str:
    """Frank's last group makes staff and member of "team"; its id."""
    entra.optional_claims.add("groups")
    group = entra.people["frank"].groups[LAST]
    configure(
        SCOPES=["User.Read"],
        GROUPS_CLAIM="groups",
        GROUP_MAPPING={group: "team"},
        STAFF_ROLES=[group],
    )
    return group


@pytest.fixture
def visitor(entra: Emulator, entra_settings: Any) -> Visitor:
    return Visitor(entra)
