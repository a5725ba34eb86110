"""What holds in every drill, whatever breaks."""

from __future__ import annotations

from django_entra_auth.cache.entries import PAUSE_SECONDS
from tests.chaos.browser import PAGES
from tests.chaos.site_processes import LOCK_SECONDS
from tests.chaos.traffic import Tally, Traffic

SOCKET_SECONDS = 0.5
# As docs/how-to/redis-in-production.md has it, with shorter timeouts.
OPTIONS = {
    "SOCKET_CONNECT_TIMEOUT": SOCKET_SECONDS,
    "SOCKET_TIMEOUT": SOCKET_SECONDS,
    "CONNECTION_POOL_CLASS": "redis.connection.BlockingConnectionPool",
    "CONNECTION_POOL_KWARGS": {
        "max_connections": 50,
        "timeout": SOCKET_SECONDS,
        "health_check_interval": 30,
        "socket_keepalive": True,
    },
}
WAITS = 5  # calls of the cache that may fail within one request: a refresh that was under way
WAITS_OF = {"open": 0, "plain": 1, "token": 2, "token-async": 2, "first-token": 2, "sign-in": 3}
# After an outage by timeouts a worker asks again only after this.
SETTLING_SECONDS = 1.2 * PAUSE_SECONDS
TIMEOUTS = 2  # which a request may have to sit out in all
MARGIN_SECONDS = 2.5  # for the work itself, on a busy machine
NEEDS_TOKEN = ("token", "token-async", "fresh")
NEEDS_NONE = tuple(page for page in PAGES if page not in NEEDS_TOKEN)


def judge(traffic: Traffic, report: str) -> None:
    """Nobody failed, was prompted or is lost; nobody waited longer than the timeouts allow."""
    tally = traffic.tally
    assert tally.count(outcome="failed") == 0, report
    assert tally.count(outcome="prompted") == 0, report
    lost = traffic.count_lost()
    assert lost == 0, f"{lost} people lost\n{report}"
    for one in tally.find():
        assert one.waits <= WAITS_OF.get(one.kind, WAITS), f"{one}\n{report}"
    busy = 2 * max(one.seconds for one in tally.find(phase="before"))
    limit = TIMEOUTS * SOCKET_SECONDS + MARGIN_SECONDS + busy
    for one in tally.find():
        assert one.wait_seconds <= TIMEOUTS * SOCKET_SECONDS + 1, f"{one}\n{report}"
        # A refresh may have to wait for the lock of one whose release was lost.
        held = LOCK_SECONDS if one.kind == "fresh" else 0
        assert one.seconds <= limit + held, f"{one}\n{report}"


def all_served(tally: Tally, phase: str, kinds: tuple[str, ...] = ()) -> bool:
    """Whether every request of a phase, or of these kinds in it, was served."""
    seen = [one for one in tally.find(phase=phase) if not kinds or one.kind in kinds]
    return bool(seen) and {one.outcome for one in seen} == {"served"}


def all_refused(tally: Tally, phase: str, kinds: tuple[str, ...]) -> bool:
    """Whether every request of these kinds got a 503 with Retry-After."""
    seen = [one for one in tally.find(phase=phase) if one.kind in kinds]
    return bool(seen) and {one.outcome for one in seen} == {"refused"}
