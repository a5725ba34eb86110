"""The cells: what the token service answers, to which grant, and what is asked the second time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

Grant = Literal[
    "code", "declined", "silent_expired", "silent_ending", "silent_due", "client", "obo"
]
Body = Literal[
    "success",
    "error",
    "challenge",
    "bad_token",
    "transient",
    "text",
    "html",
    "empty",
    "forged",
    "wrong_nonce",
    "none",
]
Header = Literal["none", "seconds", "date", "zero", "negative", "huge", "garbage"]
Repeat = Literal["again", "challenge", "capability", "force", "other", "later", "much_later"]
Credential = Literal["secret", "certificate"]

GRANTS: Final[tuple[Grant, ...]] = tuple(g for g in get_args(Grant) if g != "declined")
STATUSES: Final = (200, 400, 401, 403, 429, 500, 503)
BODIES: Final[tuple[Body, ...]] = get_args(Body)[:8]
HEADERS: Final[tuple[Header, ...]] = get_args(Header)
RESET: Final = 0
"""Stands for a connection that ends after the request was read, without an answer."""

_REPEATS: Final[dict[Grant, tuple[Repeat, ...]]] = {
    "code": ("challenge",),
    "silent_expired": ("challenge", "force"),
    "silent_ending": ("challenge", "force"),
    "silent_due": ("challenge", "force"),
    "client": ("challenge",),
    "obo": ("challenge", "other"),
}


@dataclass(frozen=True)
class Cell:
    """One answer of the token service, given to two calls.

    The silent calls have a refresh token and an access token that has ended (``expired``), ends
    within five minutes (``ending``), or is good for long but past ``refresh_on`` (``due``); a
    ``declined`` sign-in comes back with an error instead of a code. The second call is the same
    ``again``, has a claims ``challenge`` or one that names a ``capability``, is a ``force``-d
    refresh, is for an ``other`` user, or comes ten seconds or some minutes ``later``. A second
    code redemption is always for another code.
    """

    grant: Grant
    status: int
    body: Body
    header: Header = "none"
    repeat: Repeat = "again"
    credential: Credential = "secret"

    @property
    def id(self) -> str:
        parts = (self.grant, str(self.status or "reset"), self.body, self.header, self.repeat)
        return "-".join(parts) + ("-certificate" if self.credential == "certificate" else "")

    @property
    def is_silent(self) -> bool:
        return self.grant.startswith("silent")


def make_cells() -> list[Cell]:
    """Return all cells, each once."""
    cells = [*_bodies(), *_headers(), *_repeats(), *_waits(), *_unusual()]
    return list(dict.fromkeys(cells))


def _bodies() -> Iterator[Cell]:
    for grant in GRANTS:
        for status in STATUSES:
            for body in BODIES:
                yield Cell(grant, status, body)


def _headers() -> Iterator[Cell]:
    for grant in GRANTS:
        for status in STATUSES:
            for header in HEADERS:
                yield Cell(grant, status, _usual_body(status), header)


def _repeats() -> Iterator[Cell]:
    for grant, repeats in _REPEATS.items():
        for repeat in repeats:
            for status in STATUSES:
                yield Cell(grant, status, _usual_body(status), "none", repeat)
                yield Cell(grant, status, _usual_body(status), "seconds", repeat)


def _waits() -> Iterator[Cell]:
    waits: tuple[Repeat, ...] = ("later", "much_later")
    grants: tuple[Grant, ...] = ("silent_expired", "client", "obo")
    headers: tuple[Header, ...] = ("none", "seconds", "date", "huge")
    for grant in grants:
        for status in (400, 429, 503):
            for header in headers:
                for repeat in waits:
                    yield Cell(grant, status, "error", header, repeat)


def _unusual() -> Iterator[Cell]:
    texts: tuple[Body, ...] = ("text", "html", "empty")
    signed: tuple[Grant, ...] = ("code", "silent_expired", "obo")
    yield Cell("declined", 200, "none")
    for grant in GRANTS:
        yield Cell(grant, RESET, "none")
        yield Cell(grant, 400, "error", credential="certificate")
        yield Cell(grant, 200, "success", credential="certificate")
        yield Cell(grant, 200, "success", repeat="capability")
        for status in (400, 429, 503):
            for body in texts:
                yield Cell(grant, status, body, "seconds")
    for grant in signed:
        yield Cell(grant, 200, "forged")
    yield Cell("code", 200, "wrong_nonce")


def _usual_body(status: int) -> Body:
    return "success" if status == 200 else "error"
