"""Marks of completed prompts: what makes a reason, how long it counts, when it is forgotten."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory

from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.interaction.loop_guard import (
    MARK_SECONDS,
    MARKS,
    MARKS_KEY,
    build_reason,
    cannot_be_prompted,
    forget_marks,
    mark_prompted,
    note_answer,
    was_just_prompted,
)
from django_entra_auth.interaction.requirement import read_requirement

NOW = 1_800_000_000


def at(seconds: float) -> Any:
    return lambda: seconds


def ask(path: str = "/page/", method: str = "GET") -> Any:
    request = RequestFactory().generic(method, path)
    request.session = SessionStore()
    return request


def reason(request: Any = None, source: str = "site", **asked: Any) -> str:
    exc = InteractionRequired(**asked)
    exc.source = source
    return build_reason(request or ask(), exc, read_requirement(exc))


def test_the_same_need_at_the_same_place_is_the_same_reason() -> None:
    assert reason(scopes=["a", "b"]) == reason(scopes=["b", "a"])
    assert reason(ask("/page/?a=1")) == reason(ask("/page/?b=2"))
    assert reason(ask(method="HEAD")) == reason(ask())
    assert len(reason()) == 25


def test_what_a_provider_writes_is_no_other_reason() -> None:
    claims = [f'{{"access_token":{{"nbf":{{"value":"{n}"}}}}}}' for n in range(3)]
    assert len({reason(source="api", claims=text) for text in claims}) == 1
    assert reason(result={"error": "a"}) == reason(result={"error": "b", "error_codes": [1]})


def test_every_other_need_is_another_reason() -> None:
    found = [
        reason(),
        reason(ask("/other/")),
        reason(ask(method="POST")),
        reason(source="token"),
        reason(source="api"),
        reason(scopes=["a"]),
        reason(scopes=["a", "b"]),
        reason(auth_context="c1"),
        reason(auth_context="c2"),
        reason(max_age=0),
        reason(max_age=1),
    ]
    assert len(set(found)) == len(found)


def test_a_mark_counts_for_its_time() -> None:
    session = SessionStore()
    assert not was_just_prompted(session, "a", clock=at(NOW))
    mark_prompted(session, "a", clock=at(NOW))
    assert was_just_prompted(session, "a", clock=at(NOW))
    assert was_just_prompted(session, "a", clock=at(NOW + MARK_SECONDS - 1))
    assert not was_just_prompted(session, "a", clock=at(NOW + MARK_SECONDS))
    assert not was_just_prompted(session, "a", clock=at(NOW - 1))
    assert not was_just_prompted(session, "b", clock=at(NOW))
    assert session.modified


def test_only_the_last_marks_are_kept() -> None:
    session = SessionStore()
    for number in range(MARKS + 5):
        mark_prompted(session, f"reason-{number}", clock=at(NOW + number))
    assert list(session[MARKS_KEY]) == [f"reason-{n}" for n in range(5, MARKS + 5)]
    mark_prompted(session, "reason-5", clock=at(NOW + 100))
    assert len(session[MARKS_KEY]) == MARKS
    assert session[MARKS_KEY]["reason-5"] == NOW + 100


def test_a_good_answer_forgets_the_marks_of_its_place() -> None:
    request = ask()
    here, there = reason(request), reason(ask("/other/"))
    posted = reason(ask(method="POST"))
    for one in (here, there, posted):
        mark_prompted(request.session, one)
    forget_marks(request, 204)
    assert set(request.session[MARKS_KEY]) == {there, posted}


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
def test_any_other_answer_forgets_nothing(status: int) -> None:
    request = ask()
    mark_prompted(request.session, reason(request))
    forget_marks(request, status)
    assert reason(request) in request.session[MARKS_KEY]


def test_a_prompt_is_no_success() -> None:
    request = ask()
    mark_prompted(request.session, reason(request))
    note_answer(request)
    forget_marks(request, 302)
    assert reason(request) in request.session[MARKS_KEY]


def test_a_session_nobody_looked_at_is_left_alone() -> None:
    request = ask()
    request.session.accessed = False
    request.session.get = lambda *args: pytest.fail("the session was read")  # type: ignore[method-assign]
    forget_marks(request, 200)


def test_a_site_without_sessions_has_no_marks() -> None:
    request = SimpleNamespace(method="GET", path="/")
    forget_marks(request, 200)  # type: ignore[arg-type]


def test_without_marks_the_session_is_not_written() -> None:
    request = ask()
    mark_prompted(request.session, reason(ask("/other/")))
    request.session.modified = False
    forget_marks(request, 200)
    assert not request.session.modified


@pytest.mark.parametrize(
    ("result", "cannot"),
    [
        ({"error": "invalid_grant", "suberror": "message_only"}, True),
        ({"error": "unauthorized_client", "suberror": "protection_policy_required"}, True),
        ({"error": "access_denied"}, True),
        ({"error": "invalid_grant", "error_codes": [50196]}, True),
        ({"error": "invalid_grant", "error_codes": [53003]}, True),
        ({"error": "invalid_grant", "suberror": "basic_action", "error_codes": [50076]}, False),
        ({"error": "invalid_grant", "suberror": "additional_action"}, False),
        ({"error": "invalid_grant", "suberror": "bad_token"}, False),
        ({"error": "consent_required"}, False),
        ({"error": "interaction_required"}, False),
        ({"error": "insufficient_claims"}, False),
        ({"error": "something_new", "claims": "{}"}, False),
    ],
)
def test_what_no_prompt_could_change(result: dict[str, Any], cannot: bool) -> None:
    assert cannot_be_prompted(result) is cannot
