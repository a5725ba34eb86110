"""Times the silent hit by itself: no view, no handler, only the step that yields a token."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse

from benchmarks.measure import Contender, Timing, race, repeat_after
from benchmarks.seed import Person, use
from benchmarks.site import askers
from benchmarks.stage import DIRECT, Stage
from django_entra_auth.middleware import EntraAuthMiddleware

FLOOR: Final = "floor"
FROM_REDIS: Final = "this project, Redis"
FROM_COPY: Final = "this project, local copy"
FROM_LOCMEM: Final = "this project, locmem"
MSAL_KEPT: Final = "msal, kept application"
MSAL_REBUILT: Final = "msal, rebuilt"
IDENTITY: Final = "identity.django"
WITH_SESSION: Final = " + session"
_CHECKED_CALLS: Final = 20

Ask = Callable[[Any], object]


@dataclass(frozen=True)
class HitResult:
    """The times of all contenders, for one number of resources and one place of Redis."""

    resources: int
    shares_core: bool
    timings: dict[str, Timing]
    reads: dict[str, float]


def measure_hits(stage: Stage, people: dict[int, Person], *, rounds: int) -> Iterator[HitResult]:
    """Race all contenders with Redis on the application's core, then on another one."""
    for shares_core in (True, False):
        stage.place_redis(with_application=shares_core)
        for resources, person in people.items():
            contenders = build_contenders(person)
            reads = {one.name: _count_reads(stage, one) for one in contenders}
            timings = race(contenders, rounds=rounds)
            yield HitResult(resources, shares_core, timings, reads)
    use()


def measure_flatness(stage: Stage, people: dict[int, Person], *, rounds: int) -> dict[int, Timing]:
    """Race the hit from Redis against itself with other numbers of resources."""
    stage.place_redis(with_application=True)
    contenders = []
    for resources, person in people.items():
        before = partial(make_loaded, person, _load_session(person.ours))
        turn = repeat_after(before, askers.ask_ours)
        contenders.append(Contender(str(resources), turn, partial(use, copy_seconds=0)))
    timings = race(contenders, rounds=rounds)
    use()
    return {int(name): timing for name, timing in timings.items()}


def warm_up(person: Person) -> None:
    """Let everybody fetch the documents that are kept from then on."""
    for one in build_contenders(person):
        one.prepare()
        one.turn(1)
    use()


def build_contenders(person: Person) -> list[Contender]:
    """Return everything to race for one person."""
    floor = build_floor(person)
    ways: list[tuple[str, Ask, str, Callable[[], None]]] = [
        (FLOOR, floor, person.ours, use),
        (FROM_REDIS, askers.ask_ours, person.ours, partial(use, copy_seconds=0)),
        (FROM_COPY, askers.ask_ours, person.ours, use),
        (FROM_LOCMEM, askers.ask_ours, person.ours, partial(use, alias="locmem", copy_seconds=0)),
        (MSAL_KEPT, askers.ask_kept_msal, person.msal, use),
        (MSAL_REBUILT, askers.ask_rebuilt_msal, person.msal, use),
        (IDENTITY, askers.ask_identity, person.identity, use),
    ]
    contenders = []
    for name, ask, key, prepare in ways:
        loaded = _load_session(key)
        with_loaded = repeat_after(partial(make_loaded, person, loaded), ask)
        contenders.append(Contender(name, with_loaded, prepare))
        if name == FROM_LOCMEM:
            continue
        fresh = repeat_after(partial(_make_fresh, person, key), partial(_load_and_ask, ask))
        contenders.append(Contender(name + WITH_SESSION, fresh, prepare))
    return contenders


def build_floor(person: Person) -> Ask:
    """Return the least that a sealed entry in Redis can cost, for an entry of the same size."""
    cipher, nonce = AESGCM(secrets.token_bytes(32)), secrets.token_bytes(12)
    token = [person.strings.access_tokens[0], ["api://resource-000/read"], 1.0e9, 1.0e9, "Bearer"]
    name, purpose = f"floor:{secrets.token_hex(32)}", b"entry"
    plain = json.dumps([token]).encode()
    cache = caches[DIRECT]
    cache.set(name, nonce + cipher.encrypt(nonce, plain, purpose), None)

    def ask(request: HttpRequest) -> str:
        sealed = cache.get(name)
        return str(json.loads(cipher.decrypt(sealed[:12], sealed[12:], purpose))[0][0])

    return ask


def build_hit(person: Person) -> Callable[[], object]:
    """Return one silent hit with a request of its own and a session that is loaded."""
    session = _load_session(person.ours)
    return lambda: askers.ask_ours(make_loaded(person, session))


def make_request(person: Person, session: Any) -> HttpRequest:
    """Return a request as it comes out of the middleware."""
    request = HttpRequest()
    request.method, request.path = "GET", "/"
    request.session, request.user = session, person.user
    request.auser = partial(_load_user, person)
    # A session that has changed its key would be written down.
    request.COOKIES[settings.SESSION_COOKIE_NAME] = session.session_key
    _middleware(request)
    return request


_middleware = EntraAuthMiddleware(lambda _: HttpResponse())


async def _load_user(person: Person) -> Any:
    return person.user


def make_loaded(person: Person, session: Any) -> HttpRequest:
    """Return a request as a view behind a decorator sees it: session and user are loaded."""
    request = make_request(person, session)
    if not request.user.is_authenticated:
        raise RuntimeError("nobody is signed in")
    return request


def _make_fresh(person: Person, key: str) -> HttpRequest:
    return make_request(person, SessionStore(key))


def _load_session(key: str) -> SessionStore:
    session = SessionStore(key)
    session.get("")
    return session


def _load_and_ask(ask: Ask, request: HttpRequest) -> object:
    request.session.get("")
    return ask(request)


def _count_reads(stage: Stage, contender: Contender) -> float:
    contender.prepare()
    contender.turn(3)
    before = stage.count_commands()
    contender.turn(_CHECKED_CALLS)
    return (stage.count_commands() - before) / _CHECKED_CALLS


def names_of(results: Sequence[HitResult]) -> list[str]:
    """Return the contenders' names in the order in which they are shown."""
    return list(results[0].timings)
