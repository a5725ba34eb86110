"""Redis hangs, or dies, exactly while a worker fetches a token that others wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.chaos.browser import Browser, Result
from tests.chaos.drill import MARGIN_SECONDS, OPTIONS, SETTLING_SECONDS
from tests.chaos.redis_servers import RedisServer, wait_until
from tests.chaos.site_processes import LOCK_SECONDS

FULL_LOCK_SECONDS = 30

OpenBrowser = Callable[..., Browser]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def browsers(
    redis_server: RedisServer, configure: Callable[..., list[str]], entra: Any, pool: Any
) -> Callable[[int], list[Browser]]:
    """One person's browser, as each worker sees it."""

    def open_browsers(lock_seconds: int) -> list[Browser]:
        sites = configure(
            redis_server.url, OPTIONS, LOCAL_COPY_SECONDS=0, lock_seconds=lock_seconds
        )
        first = Browser(sites, entra, "alice")
        assert first.sign_in().outcome == "served"
        return [first.at(site) for site in sites]

    return open_browsers


def refresh_while(
    act: Callable[[], None], *, browser: Browser, entra: Any, server: RedisServer, pool: Any
) -> Future[Result]:
    """A refresh that holds its lock, and waits for Entra, when `act` happens."""
    held = []

    def hold(answer: dict[str, Any]) -> dict[str, Any]:
        held.append(1)
        act()
        return answer

    entra.mutate_token_response = hold
    running: Future[Result] = pool.submit(browser.visit, "fresh")
    wait_until(lambda: held)
    entra.mutate_token_response = None
    return running


def timed(visit: Callable[[str], Result]) -> tuple[str, float]:
    begun = time.monotonic()
    return visit("fresh").outcome, time.monotonic() - begun


@pytest.mark.parametrize("how", ["hangs", "dies"])
def test_the_one_who_asked_has_the_token(
    how: str, browsers: Callable[[int], list[Browser]], entra: Any, redis_server: Any, pool: Any
) -> None:
    browser, _ = browsers(FULL_LOCK_SECONDS)
    break_ = redis_server.pause if how == "hangs" else redis_server.kill
    running = refresh_while(break_, browser=browser, entra=entra, server=redis_server, pool=pool)
    assert running.result(60).outcome == "served"


def test_after_the_hang_its_worker_does_not_wait_for_its_own_lock(
    browsers: Callable[[int], list[Browser]], entra: Any, redis_server: RedisServer, pool: Any
) -> None:
    browser, _ = browsers(FULL_LOCK_SECONDS)
    running = refresh_while(
        redis_server.pause, browser=browser, entra=entra, server=redis_server, pool=pool
    )
    assert running.result(60).outcome == "served"
    redis_server.resume()
    time.sleep(SETTLING_SECONDS)
    outcome, took = timed(browser.visit)
    assert outcome == "served"
    assert took < FULL_LOCK_SECONDS / 3


def test_other_workers_wait_for_it_no_longer_than_it_lives(
    browsers: Callable[[int], list[Browser]], entra: Any, redis_server: RedisServer, pool: Any
) -> None:
    browser, elsewhere = browsers(LOCK_SECONDS)
    running = refresh_while(
        redis_server.pause, browser=browser, entra=entra, server=redis_server, pool=pool
    )
    assert running.result(60).outcome == "served"
    redis_server.resume()
    time.sleep(SETTLING_SECONDS)
    outcome, took = timed(elsewhere.visit)
    assert outcome == "served"
    assert took < LOCK_SECONDS + 2 * MARGIN_SECONDS
