"""Scripted trouble: throttling and outages, for everybody, one grant or one person."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
import requests

from django_entra_auth.emulator import Emulator, Fault
from django_entra_auth.emulator.faults import OUTAGES, Endpoint, Outage
from tests.emulator.wire import Wire


class Clock:
    """The emulator's clock, moved by hand."""

    def __init__(self, entra: Emulator) -> None:
        self.now = float(int(time.time()))
        entra.clock = lambda: self.now


@pytest.fixture
def clock(entra: Emulator) -> Clock:
    """A clock that stands still."""
    return Clock(entra)


def _me(wire: Wire, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return wire.get(f"{wire.entra.origin}/v1.0/me", headers=headers)


def test_a_throttle_counts_down_and_ends(wire: Wire, clock: Clock) -> None:
    wire.entra.faults.throttle(30)
    answer = wire.token(code="garbage")
    assert (answer.status_code, answer.text) == (429, "Too Many Requests")
    assert answer.headers["Retry-After"] == "30"
    assert answer.headers["Content-Type"] == "text/plain"
    clock.now += 29.5
    assert wire.token(code="garbage").headers["Retry-After"] == "1"
    clock.now += 0.5
    assert wire.token(code="garbage").status_code == 400


def test_a_throttle_until_a_date(wire: Wire, clock: Clock) -> None:
    moment = datetime.fromtimestamp(clock.now, timezone(timedelta(hours=5))) + timedelta(hours=1)
    wire.entra.faults.throttle(moment)
    sent = wire.token(code="garbage").headers["Retry-After"]
    assert sent.endswith(" GMT")
    assert parsedate_to_datetime(sent) == moment
    clock.now += 3600
    assert wire.token(code="garbage").status_code == 400


def test_a_moment_without_time_zone_is_a_mistake(entra: Emulator) -> None:
    with pytest.raises(ValueError, match="time zone"):
        entra.faults.throttle(datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


def test_a_throttle_for_so_many_requests(wire: Wire, clock: Clock) -> None:
    wire.entra.faults.throttle(30, times=1)
    assert [wire.token(code="garbage").status_code for _ in range(2)] == [429, 400]


def test_a_newer_throttle_replaces_the_older_one(wire: Wire, clock: Clock) -> None:
    wire.entra.faults.throttle(300)
    wire.entra.faults.throttle(10)
    assert wire.token(code="garbage").headers["Retry-After"] == "10"
    clock.now += 10
    assert wire.token(code="garbage").status_code == 400


def test_real_time_starts_at_the_full_number(wire: Wire) -> None:
    wire.entra.faults.throttle(5)
    assert math.isclose(int(wire.token(code="x").headers["Retry-After"]), 5, abs_tol=1)


def test_trouble_for_one_grant(wire: Wire) -> None:
    tokens = wire.tokens()
    wire.entra.faults.add("token", Fault(503), times=None, grant="refresh_token")
    assert wire.refresh(tokens["refresh_token"]).status_code == 503
    assert wire.token(code="garbage").status_code == 400
    assert wire.tokens()["access_token"]


def test_trouble_for_one_person(wire: Wire) -> None:
    alice, erin = wire.tokens("alice"), wire.tokens("erin", prompt="login")
    wire.entra.faults.throttle(30, person="alice")
    assert wire.refresh(alice["refresh_token"]).status_code == 429
    assert wire.refresh(erin["refresh_token"]).status_code == 200
    code = wire.sign_in("alice", prompt="login")["code"]
    assert wire.token(code=code).status_code == 429
    wire.entra.faults.clear()
    assert wire.token(code=code).status_code == 200


def test_trouble_for_one_grant_of_one_person(wire: Wire) -> None:
    tokens = wire.tokens("alice")
    wire.entra.faults.outage("500", person="alice", grant="refresh_token")
    assert wire.refresh(tokens["refresh_token"]).status_code == 500
    assert wire.tokens("alice")["access_token"]


def test_trouble_for_one_person_at_graph(wire: Wire) -> None:
    alice, erin = wire.tokens("alice"), wire.tokens("erin", prompt="login")
    wire.entra.faults.add("graph", Fault(503, "busy"), person="alice", times=None)
    assert _me(wire, erin["access_token"]).status_code == 200
    assert _me(wire, alice["access_token"]).status_code == 503
    assert _me(wire, "garbage").status_code == 401
    assert [call.status for call in wire.entra.graph.calls] == [200, 503, 401]


def test_graph_s_throttle_is_json(wire: Wire, clock: Clock) -> None:
    token = wire.tokens()["access_token"]
    wire.entra.graph.throttle(10, times=1)
    answer = _me(wire, token)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    assert answer.json()["error"]["code"] == "TooManyRequests"
    assert _me(wire, token).status_code == 200


def test_narrow_trouble_does_not_use_up_the_times_of_others(wire: Wire) -> None:
    tokens = wire.tokens()
    faults = wire.entra.faults
    faults.add("token", Fault(500), grant="client_credentials")
    faults.add("token", Fault(503), grant="refresh_token")
    assert wire.refresh(tokens["refresh_token"]).status_code == 503
    assert wire.refresh(tokens["refresh_token"]).status_code == 200
    assert faults.pending() == ["token"]


@pytest.mark.parametrize(
    ("endpoint", "narrow"),
    [
        ("graph", {"grant": "refresh_token"}),
        ("keys", {"person": "alice"}),
        ("authorize", {"person": "alice"}),
        ("discovery", {"grant": "refresh_token"}),
    ],
)
def test_what_an_endpoint_does_not_know_cannot_narrow(
    entra: Emulator, endpoint: Endpoint, narrow: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"grant type|who sends"):
        entra.faults.add(endpoint, Fault(500), **narrow)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("500", 500, "application/json"),
        ("503", 503, "text/plain"),
        ("html", 502, "text/html; charset=utf-8"),
    ],
)
def test_outages_last_until_cleared(
    wire: Wire, kind: Outage, status: int, content_type: str
) -> None:
    wire.entra.faults.outage(kind)
    for _ in range(3):
        answer = wire.token(code="garbage")
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, content_type)
    wire.entra.faults.clear()
    assert wire.token(code="garbage").status_code == 400


def test_the_500_is_an_oauth_error(wire: Wire) -> None:
    wire.entra.faults.outage("500")
    assert json.loads(wire.token(code="garbage").text)["error"] == "server_error"


def test_silent_outages(wire: Wire) -> None:
    wire.entra.faults.outage("reset", endpoint="graph", times=1)
    with pytest.raises(requests.ConnectionError):
        _me(wire, "garbage")
    wire.entra.faults.outage("hang", endpoint="keys", times=1)
    with pytest.raises(requests.ReadTimeout):
        wire.browser.get(f"{wire.entra.authority}/discovery/v2.0/keys", timeout=0.3)
    assert [call.status for call in wire.entra.graph.calls] == [0]


def test_an_unknown_outage_is_a_mistake(entra: Emulator) -> None:
    with pytest.raises(ValueError, match="no such outage"):
        entra.faults.outage("flood")  # type: ignore[arg-type]
    assert set(OUTAGES) == {"500", "503", "hang", "reset", "html"}
