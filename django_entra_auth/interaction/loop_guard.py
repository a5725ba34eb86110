"""At most one automatic prompt for one reason, whatever Entra or an API answers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.interaction.failures import DEAD_ENDS
from django_entra_auth.interaction.requirement import Requirement
from django_entra_auth.oauth2 import classify

MARKS_KEY = "_entra_prompted"
MARK_SECONDS = 300
MARKS = 8
ANSWERED_FLAG = "_entra_challenge_answered"


def build_reason(request: HttpRequest, exc: InteractionRequired, requirement: Requirement) -> str:
    """What was asked for, where: two hashes, "<where>-<why>".

    Only the site's own words count: what a provider asks for may differ each time, and a loop
    with changing claims is still a loop.
    """
    why = (
        exc.source,
        " ".join(sorted(requirement.scopes)),
        str(requirement.auth_context),
        str(requirement.max_age),
    )
    return f"{_hash_place(request)}-{_hash(*why)}"


def was_just_prompted(
    session: SessionBase, reason: str, *, clock: Callable[[], float] = time.time
) -> bool:
    """Whether a prompt for this reason has just been completed, without success since."""
    completed = session.get(MARKS_KEY, {}).get(reason)
    return completed is not None and 0 <= clock() - completed < MARK_SECONDS


def cannot_be_prompted(result: Mapping[str, Any]) -> bool:
    """Whether another prompt would only repeat what was said.

    A block, Entra's own limit, or a permission that only an administrator can give.
    """
    found = classify(result)
    return found.category in {"blocked", "cancelled"} or found.number in DEAD_ENDS


def mark_prompted(
    session: SessionBase, reason: str, *, clock: Callable[[], float] = time.time
) -> None:
    """Note that a prompt for this reason was completed."""
    marks = dict(sorted(session.get(MARKS_KEY, {}).items(), key=lambda item: item[1]))
    marks.pop(reason, None)
    kept = list(marks.items())[-(MARKS - 1) :]
    session[MARKS_KEY] = {**dict(kept), reason: int(clock())}


def note_answer(request: HttpRequest) -> None:
    """Note that the request was answered by a prompt or its refusal, not by its view."""
    setattr(request, ANSWERED_FLAG, True)


def forget_marks(request: HttpRequest, status: int) -> None:
    """A view that answers well has got what it asked for: the next prompt is a new matter."""
    session = getattr(request, "session", None)
    if session is None or not session.accessed or hasattr(request, ANSWERED_FLAG):
        return
    marks = session.get(MARKS_KEY)
    if not marks or status >= 400:
        return
    place = _hash_place(request)
    kept = {reason: when for reason, when in marks.items() if not reason.startswith(place)}
    if kept != marks:
        session[MARKS_KEY] = kept


def _hash_place(request: HttpRequest) -> str:
    return _hash("GET" if request.method == "HEAD" else str(request.method), request.path)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
