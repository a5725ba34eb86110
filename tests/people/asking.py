"""What tests of people ask about a person, and about what Graph was asked."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from django_entra_auth.emulator import Emulator

MEMBERSHIPS = "/v1.0/me/transitiveMemberOf"


def user_of(username: str) -> Any:
    """The user as the database has it now."""
    return get_user_model().objects.get(username=username)


def rights_of(username: str) -> tuple[bool, set[str]]:
    """Whether the person is staff, and the names of their groups."""
    user = user_of(username)
    return user.is_staff, set(user.groups.values_list("name", flat=True))


NOTHING: tuple[bool, set[str]] = (False, set())
ALL: tuple[bool, set[str]] = (True, {"team"})
FRANK = "frank@contoso.example"


def count_questions(entra: Emulator) -> int:
    """How many pages of memberships Graph was asked for."""
    return sum(call.path == MEMBERSHIPS for call in list(entra.graph.calls))


def count_token_requests(entra: Emulator) -> int:
    """How often the token endpoint was asked."""
    return sum(one.path.endswith("/token") for one in list(entra.requests))
