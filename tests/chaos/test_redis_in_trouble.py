"""Redis stops, hangs and comes back empty under traffic: who is served, and who is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.browser import PAGES
from tests.chaos.drill import (
    NEEDS_NONE,
    NEEDS_TOKEN,
    OPTIONS,
    SETTLING_SECONDS,
    all_refused,
    all_served,
    judge,
)
from tests.chaos.redis_servers import RedisServer
from tests.chaos.traffic import Traffic

READS = ("token", "token-async")
BREAK = {"stopped": RedisServer.save_and_stop, "paused": RedisServer.pause}
MEND = {"stopped": RedisServer.start, "paused": RedisServer.resume}

Show = Callable[[str], None]
OpenTraffic = Callable[..., Traffic]


@pytest.fixture
def open_traffic(
    redis_server: RedisServer, configure: Callable[..., list[str]], entra: Any
) -> OpenTraffic:
    def open_traffic(pages: tuple[str, ...] = PAGES, **settings: Any) -> Traffic:
        traffic = Traffic(configure(redis_server.url, OPTIONS, **settings), entra, pages=pages)
        traffic.sign_in_all()
        return traffic

    return open_traffic


def run(traffic: Traffic, server: RedisServer, how: str, *, seconds_before: float = 0) -> None:
    with traffic.running():
        traffic.go_on("before", seconds=seconds_before)
        with traffic.edge(how):
            BREAK[how](server)
        traffic.go_on(how, seconds=3)
        with traffic.edge("after"):
            MEND[how](server)
            time.sleep(SETTLING_SECONDS)
        traffic.go_on("after")


@pytest.mark.parametrize(
    ("how", "settings"),
    [("stopped", {}), ("paused", {}), ("paused", {"REVALIDATE_SECONDS": 1})],
    ids=["stopped", "paused", "paused-while-revalidation-is-due"],
)
def test_without_copies_only_tokens_are_refused(
    how: str,
    settings: dict[str, int],
    redis_server: RedisServer,
    open_traffic: OpenTraffic,
    entra: Any,
    show: Show,
) -> None:
    traffic = open_traffic(LOCAL_COPY_SECONDS=0, **settings)
    entra.requests.clear()
    run(traffic, redis_server, how, seconds_before=2.5 if settings else 0)
    report = traffic.tally.report(f"Redis {how}, no local copies {settings or ''}")
    show(report)
    assert all_served(traffic.tally, "before"), report
    assert all_served(traffic.tally, how, NEEDS_NONE), report
    assert all_refused(traffic.tally, how, (*NEEDS_TOKEN, "sign-in")), report
    assert all_served(traffic.tally, "after"), report
    assert traffic.tally.count(outcome="healed") == 0, report
    if settings:  # everybody was really checked, besides the page that refreshes by itself
        refreshes = [one for one in list(entra.requests) if "refresh_token" in one.form]
        asked = traffic.tally.count(kind="fresh", outcome="served")
        assert len(refreshes) - asked >= len(traffic.residents) / 2, report
    judge(traffic, report)


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_with_copies_a_token_that_is_valid_is_served(
    how: str, redis_server: RedisServer, open_traffic: OpenTraffic, show: Show
) -> None:
    """The copies are older than LOCAL_COPY_SECONDS: each is served on, and Redis asked at times."""
    traffic = open_traffic(("open", "plain", *READS), LOCAL_COPY_SECONDS=1)
    run(traffic, redis_server, how)
    report = traffic.tally.report(f"Redis {how}, local copies")
    show(report)
    assert all_served(traffic.tally, how, (*NEEDS_NONE, *READS)), report
    assert all_refused(traffic.tally, how, ("sign-in",)), report
    assert all_served(traffic.tally, "after"), report
    assert traffic.tally.count(outcome="healed") == 0, report
    judge(traffic, report)


def test_restarted_empty_each_goes_through_entra_once_and_sees_no_page(
    redis_server: RedisServer, open_traffic: OpenTraffic, show: Show
) -> None:
    traffic = open_traffic(LOCAL_COPY_SECONDS=0)
    with traffic.running():
        traffic.go_on("before")
        with traffic.edge("empty"):
            redis_server.stop()
            redis_server.start()
        traffic.go_on("empty")
        traffic.go_on("after")
    tally, report = traffic.tally, traffic.tally.report("Redis restarted empty, no local copies")
    show(report)
    assert tally.count(phase="empty", outcome="refused") == 0, report
    assert all_served(tally, "after"), report
    healed = [one for one in tally.find(outcome="healed") if one.browser in traffic.residents]
    assert len({one.browser for one in healed}) == len(traffic.residents), report
    assert len(healed) == len(traffic.residents), report
    judge(traffic, report)
