"""What Entra sent to the callback: known fields, capped, and kept once between two requests.

With `response_mode=form_post` the answer is a cross-site POST on which no SameSite cookie
travels. It is kept under a handle for two minutes and taken up by the GET that follows, where
the cookies are there again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.http import QueryDict

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.exceptions import SignInFailed

CODE_MAX_BYTES = 4096
BODY_MAX_BYTES = 16384
KEPT_SECONDS = 120

KNOWN_FIELDS = (
    "error",
    "error_description",
    "error_uri",
    "error_subcode",
    "suberror",
    "claims",
    "timestamp",
    "trace_id",
    "correlation_id",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One authorization response; `error` has the fields of a refusal, or nothing.

    `has_admin_consent` is what the admin consent endpoint says, also beside an error.
    """

    state: str
    code: str = field(default="", repr=False)
    error: dict[str, str] = field(default_factory=dict)
    has_admin_consent: bool = False


def parse_answer(fields: QueryDict) -> Answer:
    """Take the known fields; raises SignInFailed `state_missing` or `oversized`."""
    state, code = str(fields.get("state", "")), str(fields.get("code", ""))
    if not state:
        raise SignInFailed("state_missing")
    error = {name: str(fields[name]) for name in KNOWN_FIELDS if name in fields}
    sizes = [len(value.encode()) for value in (code, *error.values())]
    if max(sizes) > CODE_MAX_BYTES or sum(sizes) > BODY_MAX_BYTES:
        raise SignInFailed("oversized")
    return Answer(
        state=state,
        code=code,
        error=error if "error" in error else {},
        has_admin_consent=fields.get("admin_consent", "").lower() == "true",
    )


def keep_answer(answer: Answer, handle: str, entries: Entries) -> None:
    """Keep the first answer of a flow; a repeated one changes nothing."""
    value = [answer.state, answer.code, answer.error, answer.has_admin_consent]
    entries.add(build_key("handle", handle), value, KEPT_SECONDS)


def load_answer(handle: str, entries: Entries) -> Answer | None:
    """The kept answer, or None when it is gone."""
    value = entries.load(build_key("handle", handle))
    return Answer(*value) if value else None
