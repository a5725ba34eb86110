"""Loop detection: the same silent sign-in again and again is refused with 50196."""

from __future__ import annotations

import time

from django_entra_auth.emulator import Emulator
from tests.emulator.wire import Wire, redirected_fields

FREE = 14


def _ask(wire: Wire, **changes: str | None) -> str:
    """`code`, the AADSTS number of the refusal, or `page`."""
    answer = wire.get(wire.authorize_url(**changes))
    if answer.status_code != 302:
        return "page"
    fields = redirected_fields(answer)
    number = fields.get("error_description", "").partition(":")[0]
    return number or ("code" if "code" in fields else "neither")


def _loop(wire: Wire, **changes: str | None) -> list[str]:
    return [_ask(wire, **changes) for _ in range(FREE)]


def test_the_fifteenth_same_request_within_five_minutes_is_refused(wire: Wire) -> None:
    wire.sign_in()
    assert _loop(wire) == ["code"] * FREE
    fields = redirected_fields(wire.get(wire.authorize_url(state="new", nonce="new")))
    assert fields["error"] == "invalid_grant"
    assert fields["error_description"].startswith("AADSTS50196:")
    assert fields["state"] == "new"
    assert "suberror" not in fields


def test_time_ends_the_refusal(wire: Wire) -> None:
    now = time.time()
    wire.entra.clock = lambda: now
    wire.sign_in()
    _loop(wire)
    wire.entra.clock = lambda: now + 299
    assert _ask(wire) == "AADSTS50196"
    wire.entra.clock = lambda: now + 300
    assert _ask(wire) == "code"


def test_slow_repetition_is_no_loop(wire: Wire) -> None:
    now = time.time()
    wire.entra.clock = lambda: now
    wire.sign_in()
    for number in range(2 * FREE):
        wire.entra.clock = lambda at=now + number * 25: at  # type: ignore[misc]
        assert _ask(wire) == "code"


def test_only_same_requests_count_together(wire: Wire) -> None:
    wire.sign_in()
    _loop(wire)
    assert _ask(wire, scope="openid") == "code"
    assert _ask(wire, login_hint="alice@contoso.example") == "code"
    assert _ask(wire, redirect_uri="http://localhost:8000/auth/callback") == "code"
    assert _ask(wire) == "AADSTS50196"


def test_requests_that_ask_for_a_page_or_for_none_do_not_count(wire: Wire) -> None:
    wire.sign_in()
    assert [_ask(wire, prompt="none") for _ in range(FREE + 3)] == ["code"] * (FREE + 3)
    assert [_ask(wire, prompt="login") for _ in range(FREE + 3)] == ["page"] * (FREE + 3)
    assert _loop(wire) == ["code"] * FREE
    assert _ask(wire, prompt="none") == "code"
    assert _ask(wire, prompt="login") == "page"


def test_pages_do_not_count(wire: Wire) -> None:
    assert [_ask(wire) for _ in range(FREE + 3)] == ["page"] * (FREE + 3)
    wire.sign_in()
    assert _ask(wire) == "code"


def test_each_browser_counts_for_itself(entra: Emulator, wire: Wire) -> None:
    wire.sign_in()
    _loop(wire)
    other = Wire(entra)
    try:
        other.sign_in()
        assert _ask(other) == "code"
    finally:
        other.close()
    assert _ask(wire) == "AADSTS50196"


def test_it_can_be_switched_off_and_forgotten(wire: Wire) -> None:
    wire.entra.loop_detection = False
    wire.sign_in()
    _loop(wire)
    assert _ask(wire) == "code"
    wire.entra.loop_detection = True
    assert _loop(wire) == ["code"] * FREE
    assert _ask(wire) == "AADSTS50196"
    wire.entra.reset()
    wire.sign_in()
    assert _ask(wire) == "code"
