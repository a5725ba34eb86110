"""Times whole requests through Django's handler in this process, at each distance of Redis."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

from benchmarks.measure import (
    Contender,
    Timing,
    alternate,
    race,
    repeat,
    repeat_reported,
    subtract,
)
from benchmarks.seed import Person, use
from benchmarks.site import views
from benchmarks.stage import Distance, Stage

NO_TOKEN: Final = "no token"
COPY_ALWAYS: Final = "this project, copy found"
COPY_HALF: Final = "this project, copy found by half"
COPY_NEVER: Final = "this project, copy never found"
MSAL_KEPT: Final = "msal, kept application"
MSAL_REBUILT: Final = "msal, rebuilt"
IDENTITY: Final = "identity.django"
IDENTITY_ALONE: Final = "identity.django, no Django user"

PATHS: Final = {
    NO_TOKEN: "/plain/",
    COPY_ALWAYS: "/ours/",
    COPY_HALF: "/ours-half/",
    COPY_NEVER: "/ours-never/",
    MSAL_KEPT: "/msal-kept/",
    MSAL_REBUILT: "/msal-rebuilt/",
    IDENTITY: "/identity/",
    IDENTITY_ALONE: "/identity-alone/",
}
STEPS: Final = (COPY_ALWAYS, COPY_HALF, COPY_NEVER, MSAL_KEPT, MSAL_REBUILT, IDENTITY)
_CHECKED_CALLS: Final = 20

Call = Callable[[], None]


@dataclass(frozen=True)
class RequestResult:
    """Times of all contenders; for whole requests, or for the step that yields the token."""

    resources: int
    distance: Distance
    timings: dict[str, Timing]


@dataclass(frozen=True)
class GuardResult:
    """What the decorator adds to a view: time, and operations by kind for one request."""

    djangos: Timing
    ours: Timing
    added: Timing
    operations: dict[str, tuple[float, float]]


def measure_requests(
    stage: Stage, people: dict[int, Person], *, rounds: int
) -> Iterator[RequestResult]:
    """Race whole requests at every distance, for every number of resources."""
    stage.place_redis(with_application=False)
    handler = WSGIHandler()
    for distance in stage.distances:
        for resources, person in people.items():
            contenders = [
                Contender(name, _repeat_request(name, call), partial(use, alias=distance.alias))
                for name, call in _build_calls(handler, person).items()
            ]
            yield RequestResult(resources, distance, race(contenders, rounds=rounds))
    use()


def measure_steps(
    stage: Stage, people: dict[int, Person], *, rounds: int
) -> Iterator[RequestResult]:
    """Race the one step of these requests that yields the token; the session is loaded by then."""
    handler, distance = WSGIHandler(), stage.distances[0]
    for resources, person in people.items():
        calls = _build_calls(handler, person)
        contenders = [
            Contender(name, repeat_reported(partial(_ask_seconds, name, calls[name])), use)
            for name in STEPS
        ]
        yield RequestResult(resources, distance, race(contenders, rounds=rounds))


def measure_guard(stage: Stage, person: Person, *, rounds: int) -> GuardResult:
    """Compare `entra_login_required` and our middleware with Django's own `login_required`."""
    use()
    ours = build_call(WSGIHandler(), "/guarded/", person)
    everything = settings.MIDDLEWARE
    settings.MIDDLEWARE = settings.DJANGO_MIDDLEWARE
    djangos = build_call(WSGIHandler(), "/plain/", person)
    settings.MIDDLEWARE = everything
    timings = alternate({"djangos": djangos, "ours": ours}, count=rounds)
    counts = [_count_operations(stage, call) for call in (djangos, ours)]
    operations = {kind: (counts[0][kind], counts[1][kind]) for kind in counts[0]}
    added = subtract(timings["ours"], timings["djangos"])
    return GuardResult(timings["djangos"], timings["ours"], added, operations)


def build_call(handler: WSGIHandler, path: str, person: Person) -> Call:
    """Return a function that makes one request with the session that the path needs."""
    session_key = person.session_for(path)
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}={session_key}",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }

    def call() -> None:
        response: Any = handler(dict(environ), _start_response)
        if response.status_code != 200:
            raise RuntimeError(f"{path} answered {response.status_code}")
        response.close()

    return call


def _start_response(status: str, headers: Sequence[tuple[str, str]], *_: Any) -> Any:
    return None


def _build_calls(handler: WSGIHandler, person: Person) -> dict[str, Call]:
    return {name: build_call(handler, path, person) for name, path in PATHS.items()}


def _repeat_request(name: str, call: Call) -> Callable[[int], float]:
    if name != COPY_HALF:
        return repeat(call)

    # The median of calls of two kinds would be that of one kind.
    def both() -> None:
        call()
        call()

    turn = repeat(both)
    return lambda count: turn(-(-count // 2)) / 2


def _ask_seconds(name: str, call: Call) -> float:
    call()
    first = views.last_seconds
    if name != COPY_HALF:
        return first
    call()
    return (first + views.last_seconds) / 2


def _count_operations(stage: Stage, call: Call) -> dict[str, float]:
    queries = 0

    def count(execute: Any, *arguments: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*arguments)

    call()
    commands, sent = stage.count_commands(), len(stage.entra.requests)
    with connection.execute_wrapper(count):
        for _ in range(_CHECKED_CALLS):
            call()
    totals = {
        "cache": stage.count_commands() - commands,
        "database": queries,
        "HTTP": len(stage.entra.requests) - sent,
    }
    return {kind: total / _CHECKED_CALLS for kind, total in totals.items()}
