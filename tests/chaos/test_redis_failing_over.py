"""A primary dies, or hangs, under traffic, and Sentinel makes the replica the primary."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.drill import NEEDS_NONE, SETTLING_SECONDS, SOCKET_SECONDS, all_served, judge
from tests.chaos.redis_servers import SERVICE, Sentinel, wait_until
from tests.chaos.traffic import Traffic

FAILOVER_SECONDS = 60

Show = Callable[[str], None]


@pytest.fixture
def traffic(sentinel: Sentinel, configure: Callable[..., list[str]], entra: Any) -> Traffic:
    timeouts = {"socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": SOCKET_SECONDS}
    options = {
        "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
        "SENTINELS": [("127.0.0.1", sentinel.port)],
        "SENTINEL_KWARGS": timeouts,
        "SOCKET_CONNECT_TIMEOUT": SOCKET_SECONDS,
        "SOCKET_TIMEOUT": SOCKET_SECONDS,
    }
    # The port makes the URL this test's own: django-redis keeps one pool per URL.
    url = f"redis://{SERVICE}:{sentinel.port}/0"
    traffic = Traffic(configure(url, options, LOCAL_COPY_SECONDS=0), entra)
    traffic.sign_in_all()
    return traffic


@pytest.mark.parametrize("how", ["killed", "paused"])
def test_a_replica_takes_over(how: str, sentinel: Sentinel, traffic: Traffic, show: Show) -> None:
    with traffic.running():
        traffic.go_on("before")
        with traffic.edge("failover"):
            sentinel.primary.kill() if how == "killed" else sentinel.primary.pause()
            wait_until(sentinel.has_failed_over, seconds=FAILOVER_SECONDS)
            time.sleep(SETTLING_SECONDS)
        traffic.go_on("after")
        if how == "paused":  # the old one is back, and takes itself for the primary at first
            with traffic.edge("back"):
                sentinel.primary.resume()
            traffic.go_on("back")
    tally, report = traffic.tally, traffic.tally.report(f"Primary {how}, replica takes over")
    show(report)
    assert all_served(tally, "before"), report
    assert all_served(tally, ">failover", NEEDS_NONE), report
    assert tally.count(phase=">failover", outcome="refused") > 0, report
    assert all_served(tally, "after"), report
    assert how == "killed" or all_served(tally, "back"), report
    assert tally.count(phase=">back", outcome="refused") == 0, report
    assert tally.count(outcome="healed") == 0, report
    judge(traffic, report)
