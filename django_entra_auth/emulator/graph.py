"""The switches of the Graph-like API, and the calls it received."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from .faults import Faults

ChallengeStyle = Literal[
    "quoted",
    "unquoted",
    "claims_first",
    "error_description",
    "errorDescription",
    "realm",
    "extra_members",
    "number",
    "cc_type",
    "base64url",
    "raw_json",
    "two_challenges",
    "two_fields",
    "forbidden",
    "invalid_token",
    "without_claims",
    "undecodable",
]
CHALLENGE_STYLES: tuple[ChallengeStyle, ...] = get_args(ChallengeStyle)

TRANSFER_PATH = "/v1.0/me/transfer"
LARGEST_PAGE = 999
_MAX_CALLS = 10_000


@dataclass(frozen=True)
class GraphCall:
    """A call the API received; `status` 0 when it got no answer, `oid` empty when unknown."""

    method: str
    path: str
    oid: str
    status: int
    body: bytes = field(default=b"", repr=False)


class Graph:
    """How the Graph-like API behaves; switchable while it runs.

    `challenge_style` chooses the shape of claims challenges: "quoted" is Graph's own; "forbidden"
    is the 403 of web APIs that need a person for a call of theirs; "invalid_token",
    "without_claims" and "undecodable" look like challenges and are none; the others are variants
    that mean the same. `largest_page` is how many memberships a page holds at most.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self._style: ChallengeStyle = "quoted"
        self._contexts = {TRANSFER_PATH: "c1"}
        self._forced: list[str] = []
        self.largest_page = LARGEST_PAGE
        self.calls: list[GraphCall] = []

    @property
    def challenge_style(self) -> ChallengeStyle:
        """The shape of claims challenges."""
        return self._style

    @challenge_style.setter
    def challenge_style(self, style: ChallengeStyle) -> None:
        if style not in CHALLENGE_STYLES:
            raise ValueError(f"no such challenge style: {style!r}")
        self._style = style

    @property
    def contexts(self) -> dict[str, str]:
        """The authentication context that each protected path needs."""
        with self._lock:
            return dict(self._contexts)

    def require_context(self, path: str, context: str | None) -> None:
        """Let calls of `path` need the authentication context, such as "c1"; None: none."""
        with self._lock:
            self._contexts.pop(path, None)
            if context is not None:
                self._contexts[path] = context

    def challenge_once(self, claims: Mapping[str, object] | str) -> None:
        """Answer the next call that has a valid token with a challenge for `claims`.

        `claims` is the claims request as an object or as JSON text. Calls add up.
        """
        text = claims if isinstance(claims, str) else json.dumps(claims)
        if not text.lstrip().startswith("{"):
            raise ValueError("claims are a JSON object")
        json.loads(text)
        with self._lock:
            self._forced.append(text)

    def take_challenge(self) -> str | None:
        """The claims the current call is challenged for by `challenge_once`, if any."""
        with self._lock:
            return self._forced.pop(0) if self._forced else None

    def throttle(
        self, after: float | datetime, *, times: int | None = None, person: str | None = None
    ) -> None:
        """Answer 429 for `after` seconds or until that moment, as `Faults.throttle` does."""
        self._faults.throttle(after, endpoint="graph", times=times, person=person)

    def record(self, call: GraphCall) -> None:
        """Remember `call`, the newest ten thousand."""
        with self._lock:
            self.calls.append(call)
            del self.calls[:-_MAX_CALLS]
