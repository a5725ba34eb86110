"""Failed redemptions: ten of a browser, a hundred of an address, then a wait."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from django_entra_auth.cache.entries import Entries
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction import limits
from django_entra_auth.interaction.limits import (
    PER_ADDRESS,
    PER_BROWSER,
    PER_PRIVATE_ADDRESS,
    WINDOW_SECONDS,
    count_failed_redemption,
    require_redemption_allowed,
)

GLOBAL = "8.8.8.8"


@pytest.fixture
def entries() -> Entries:
    return Entries(get_settings())


def request_from(address: str) -> Any:
    return RequestFactory().get("/", REMOTE_ADDR=address)


def fail(times: int, *, browser: str, address: str, entries: Entries) -> None:
    for _ in range(times):
        count_failed_redemption(request_from(address), browser, entries)


def is_allowed(*, browser: str, address: str, entries: Entries) -> bool:
    try:
        require_redemption_allowed(request_from(address), browser, entries)
    except SignInFailed:
        return False
    return True


def test_a_browser_may_fail_ten_times(entries: Entries) -> None:
    fail(PER_BROWSER - 1, browser="a", address=GLOBAL, entries=entries)
    assert is_allowed(browser="a", address=GLOBAL, entries=entries)
    fail(1, browser="a", address=GLOBAL, entries=entries)
    assert not is_allowed(browser="a", address=GLOBAL, entries=entries)
    assert is_allowed(browser="b", address=GLOBAL, entries=entries)


def test_a_browser_stays_limited_wherever_it_comes_from(entries: Entries) -> None:
    fail(PER_BROWSER, browser="a", address=GLOBAL, entries=entries)
    assert not is_allowed(browser="a", address="1.1.1.1", entries=entries)


def test_an_address_with_ever_new_browsers_is_limited(entries: Entries) -> None:
    for number in range(PER_ADDRESS):
        fail(1, browser=f"browser-{number}", address=GLOBAL, entries=entries)
    assert not is_allowed(browser="new", address=GLOBAL, entries=entries)
    assert is_allowed(browser="new", address="1.1.1.1", entries=entries)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "fd00::1", "", "unix:", "x" * 500])
def test_an_address_that_may_be_a_proxy_has_more_room(entries: Entries, address: str) -> None:
    for number in range(PER_ADDRESS + 1):
        fail(1, browser=f"browser-{number}", address=address, entries=entries)
    assert is_allowed(browser="new", address=address, entries=entries)
    assert PER_PRIVATE_ADDRESS > PER_ADDRESS


def test_a_proxy_is_limited_in_the_end(entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PER_PRIVATE_ADDRESS", 3)
    for number in range(3):
        fail(1, browser=f"browser-{number}", address="10.0.0.1", entries=entries)
    assert not is_allowed(browser="new", address="10.0.0.1", entries=entries)


def test_a_forwarded_header_does_not_move_anybody(entries: Entries) -> None:
    for number in range(PER_ADDRESS):
        fail(1, browser=f"browser-{number}", address=GLOBAL, entries=entries)
    request = RequestFactory().get("/", REMOTE_ADDR=GLOBAL, HTTP_X_FORWARDED_FOR="1.1.1.1")
    with pytest.raises(SignInFailed):
        require_redemption_allowed(request, "new", entries)


def test_the_refusal_says_how_long_to_wait(entries: Entries) -> None:
    fail(PER_BROWSER, browser="a", address=GLOBAL, entries=entries)
    with pytest.raises(SignInFailed) as caught:
        require_redemption_allowed(request_from(GLOBAL), "a", entries)
    assert (caught.value.reason, caught.value.retry_after) == ("too_many", WINDOW_SECONDS)


def test_asking_counts_nothing(entries: Entries) -> None:
    for _ in range(PER_BROWSER * 2):
        assert is_allowed(browser="a", address=GLOBAL, entries=entries)
