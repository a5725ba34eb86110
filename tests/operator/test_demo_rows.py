"""Each button of the demo's Conditional Access page leaves exactly the rows it should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from django.db import connections

from demo_project.cases import CASES, THROTTLE_SECONDS
from demo_project.local_entra import OPTIONAL_CLAIMS
from django_entra_auth.cache.token_cache import local_copies
from django_entra_auth.models import TokenErrorRecord
from tests.challenges.asking import BY_NAME, Walker, make_walker

PAGE = "/conditional-access/"
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
CALLERS = {"form": "form", "htmx": "htmx", "fetch": "fetch-json"}

# kind, category, reason, error, suberror, number, resource, count
Row = tuple[str, str, str, str, str, int | None, str, int]

SITE: Row = ("challenge", "interaction", "", "interaction_required", "", None, "", 1)
# What an API asks for is tried without the person first, and Entra says what is missing.
API: Row = ("challenge", "interaction", "", "invalid_grant", "basic_action", 50076, "graph", 1)
GONE: Row = ("challenge", "expired_grant", "", "invalid_grant", "bad_token", 50173, "graph", 1)
BLOCKED: Row = ("stop", "blocked", "blocked", "invalid_grant", "message_only", 53003, "graph", 1)
ROWS: dict[str, tuple[Row, ...]] = {
    "graph": (),
    "revoke": (GONE,),
    "mail": (
        ("challenge", "consent", "", "invalid_grant", "consent_required", 65001, "graph", 1),
    ),
    "transfer": (API,),
    "recent": (SITE,),
    "blocked": (BLOCKED,),
    "throttle": (
        ("throttle", "throttled", "", "temporarily_unavailable", "", None, "graph", 1),
    ),
    "htmx": (SITE,),
    "fetch": (SITE,),
    "form": (SITE,),
}  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(entra: Any, entra_settings: Any) -> Walker:
    """Alice at the demo, signed in."""
    entra_settings.ROOT_URLCONF = "demo_project.urls"
    entra_settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [TEMPLATES]}]
    *others, ours = django_settings.MIDDLEWARE
    entra_settings.MIDDLEWARE = [*others, "demo_project.timeline.watch", ours]
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "STEP_UP_SECONDS": 300}
    entra.optional_claims |= OPTIONAL_CLAIMS
    local_copies.clear()
    walker = make_walker(entra)
    walker.sign_in(next_url=PAGE)
    walker.visit(PAGE)  # the CSRF cookie
    assert not TokenErrorRecord.objects.exists()
    return walker


@pytest.fixture(params=[False, True], ids=["", "atomic-requests"])
def _atomic(request: pytest.FixtureRequest) -> Iterator[None]:
    with patch.dict(connections.settings["default"], ATOMIC_REQUESTS=request.param):
        yield


def press(walker: Walker, key: str) -> Any:
    """Press a case's button and go on to Entra and back, as far as it leads."""
    way = CASES[key].way
    if way == "link":
        token = walker.client.cookies["csrftoken"].value
        form = {"csrfmiddlewaretoken": token}
        going = walker.client.post(f"{PAGE}start/{key}/", form, headers=BY_NAME["form"].headers)
        assert going.status_code == 200, going.content
        caller, path = BY_NAME["navigation"], going.context["url"]
    else:
        caller, path = BY_NAME[CALLERS[way]], f"{PAGE}{key}/"
    answer = walker.ask(caller, path)
    if not is_prompt(answer):
        return answer
    landed = walker.deliver(walker.answer(walker.find_prompt(caller, answer)))
    return walker.repeat(caller, path, landed)


def is_prompt(answer: Any) -> bool:
    leads_on = answer.status_code == 302 and answer["Location"].startswith("http")
    context = answer.context or {}
    return (
        leads_on
        or "HX-Redirect" in answer
        or answer.status_code == 401
        or ("continue_url" in context)
    )


def read_rows() -> tuple[Row, ...]:
    names = ("kind", "category", "reason", "error", "suberror", "number", "resource", "count")
    return tuple(TokenErrorRecord.objects.order_by("pk").values_list(*names))


def test_every_case_has_its_rows() -> None:
    assert set(ROWS) == set(CASES)


@pytest.mark.usefixtures("_atomic")
@pytest.mark.parametrize("key", list(CASES))
def test_a_button_leaves_its_rows(key: str, alice: Walker) -> None:
    ended = press(alice, key)
    expected = {"blocked": 403, "throttle": 503, "htmx": 200, "fetch": 200}.get(key, 302)
    assert ended.status_code == expected, ended.content
    assert read_rows() == ROWS[key]
    person = alice.entra.people["alice"]
    for row in TokenErrorRecord.objects.select_related("user"):
        assert row.user
        assert row.user.get_username() == person.username
        assert (row.tid, row.oid) == (person.tid, person.oid)


def test_what_is_throttled_says_until_when(alice: Walker) -> None:
    press(alice, "throttle")
    row = TokenErrorRecord.objects.get()
    assert row.throttle_until
    waited = (row.throttle_until - row.first_seen).total_seconds()
    assert THROTTLE_SECONDS - 5 < waited <= THROTTLE_SECONDS
