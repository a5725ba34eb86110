"""Scripted trouble: answers that stand in for an endpoint's own."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Literal, get_args

Endpoint = Literal["token", "discovery", "keys", "authorize", "logout", "graph"]
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
Outage = Literal["500", "503", "hang", "reset", "html"]
OUTAGES: tuple[Outage, ...] = get_args(Outage)

_KNOWS_PERSON = ("token", "graph")


@dataclass(frozen=True)
class Fault:
    """What happens in place of, or before, the real answer; times in seconds.

    Without `status` the real answer follows the `delay`. `reset` cuts the connection, `hang`
    answers nothing until the emulator stops, `drip` waits that long between single bytes.
    """

    status: int | None = None
    body: str | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    reset: bool = False
    hang: bool = False
    drip: float = 0.0


@dataclass(frozen=True)
class Caller:
    """Who sent a request, as far as it tells; empty text where it does not."""

    grant: str = ""
    person: str = ""


@dataclass(eq=False)
class _Waiting:
    """A fault and the requests it is meant for; `left` None: as many as come before `until`."""

    fault: Fault
    endpoint: str
    grant: str | None
    person: str | None
    left: int | None
    until: float | None = None
    retry_after: Callable[[float], str] | None = None

    def is_over(self, now: float) -> bool:
        return self.left == 0 or (self.until is not None and now >= self.until)

    def is_for(self, endpoint: str, caller: Caller) -> bool:
        return (
            self.endpoint == endpoint
            and self.grant in (None, caller.grant)
            and self.person in (None, caller.person)
        )

    def replaces(self, other: "_Waiting") -> bool:
        """Only one standing fault is kept for the same requests."""
        mine, theirs = (self.endpoint, self.grant, self.person), (other.endpoint, other.grant)
        return self.left is None and other.left is None and mine == (*theirs, other.person)

    def meet(self, now: float) -> Fault:
        if self.left is not None:
            self.left -= 1
        if self.retry_after is None:
            return self.fault
        headers = {**self.fault.headers, "Retry-After": self.retry_after(now)}
        return replace(self.fault, headers=headers)


class Faults:
    """Faults waiting for requests: counted ones first in first out, then the newest standing one.

    `clock` gives seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(
        self,
        endpoint: Endpoint,
        fault: Fault,
        *,
        times: int | None = 1,
        grant: str | None = None,
        person: str | None = None,
    ) -> None:
        """Let the next `times` requests to `endpoint` meet `fault`; None means all of them.

        `grant` (a grant type) and `person` (a short name) narrow it to requests of that kind; the
        token endpoint knows the person by what is exchanged, "graph" by the access token.
        """
        self._add(_Waiting(fault, endpoint, grant, person, times))

    def throttle(
        self,
        after: float | datetime,
        *,
        endpoint: Endpoint = "token",
        times: int | None = None,
        grant: str | None = None,
        person: str | None = None,
    ) -> None:
        """Answer 429 for `after` seconds, or until that moment; `times` may end it earlier.

        `Retry-After` counts the seconds down, or names the moment as an HTTP-date.
        """
        until = _moment(after, self._clock())
        fault = Fault(429, _TOO_MANY.get(endpoint, "Too Many Requests"))
        waiting = _Waiting(fault, endpoint, grant, person, times, until, _retry_after(after, until))
        self._add(waiting)

    def outage(
        self,
        kind: Outage,
        *,
        endpoint: Endpoint = "token",
        times: int | None = None,
        grant: str | None = None,
        person: str | None = None,
    ) -> None:
        """Take `endpoint` down until `clear`, or for `times` requests.

        "500" answers OAuth's `server_error`, "503" plain text, "html" a gateway's error page (502),
        "hang" nothing at all, "reset" cuts the connection.
        """
        if kind not in _OUTAGES:
            raise ValueError(f"no such outage: {kind!r}")
        self._add(_Waiting(_OUTAGES[kind], endpoint, grant, person, times))

    def _add(self, waiting: _Waiting) -> None:
        _check(waiting)
        with self._lock:
            kept = [known for known in self._waiting if not waiting.replaces(known)]
            self._waiting = [*kept, waiting]

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._waiting = []

    def pending(self) -> list[str]:
        """The endpoints that faults wait at, one entry per fault."""
        now = self._clock()
        with self._lock:
            return [known.endpoint for known in self._waiting if not known.is_over(now)]

    def take(self, endpoint: str, find_caller: Callable[[], Caller] = Caller) -> Fault | None:
        """The fault the current request meets, if any; `find_caller` is asked only if need be."""
        caller = find_caller() if self._asks_who(endpoint) else Caller()
        now = self._clock()
        with self._lock:
            self._waiting = [known for known in self._waiting if not known.is_over(now)]
            found = [known for known in self._waiting if known.is_for(endpoint, caller)]
            counted = next((known for known in found if known.left is not None), None)
            chosen = counted or (found[-1] if found else None)
            return chosen.meet(now) if chosen else None

    def _asks_who(self, endpoint: str) -> bool:
        with self._lock:
            return any(
                known.endpoint == endpoint and (known.grant or known.person)
                for known in self._waiting
            )


def _check(waiting: _Waiting) -> None:
    if waiting.endpoint not in ENDPOINTS:
        raise ValueError(f"no such endpoint: {waiting.endpoint!r}")
    if waiting.grant is not None and waiting.endpoint != "token":
        raise ValueError("only requests to the token endpoint have a grant type")
    if waiting.person is not None and waiting.endpoint not in _KNOWS_PERSON:
        raise ValueError(f"requests to {waiting.endpoint!r} do not say who sends them")


def _moment(after: float | datetime, now: float) -> float:
    if not isinstance(after, datetime):
        return now + after
    if after.tzinfo is None:
        raise ValueError("the moment needs a time zone")
    return after.timestamp()


def _retry_after(after: float | datetime, until: float) -> Callable[[float], str]:
    if isinstance(after, datetime):
        date = format_datetime(after.astimezone(timezone.utc), usegmt=True)
        return lambda _: date
    return lambda now: str(math.ceil(round(until - now, 3)))


def _graph_error(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}})


_TOO_MANY = {"graph": _graph_error("TooManyRequests", "Too many requests were sent.")}
_OUTAGES: dict[Outage, Fault] = {
    "500": Fault(500, json.dumps({"error": "server_error", "error_description": "Out of order."})),
    "503": Fault(503, "The service is unavailable."),
    "html": Fault(
        502,
        "<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>",
        {"Content-Type": "text/html; charset=utf-8"},
    ),
    "hang": Fault(hang=True),
    "reset": Fault(reset=True),
}
