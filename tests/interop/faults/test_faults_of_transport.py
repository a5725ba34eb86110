"""What reaches MSAL's caller as an exception or a pause when the network or Entra fails."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

from tests.interop.differential.cells import RESET, Body
from tests.interop.differential.service import Reply
from tests.interop.faults.lab import DUE, Lab, Outcome, RunBoth


@pytest.mark.parametrize(
    ("status", "raised"), [(RESET, "ConnectionError"), (503, "MsalServiceError")]
)
def test_trouble_that_is_over_at_once(run_both: RunBoth[Any], status: int, raised: str) -> None:
    def ask(lab: Lab) -> Outcome:
        side = lab.make()
        lab.service.script = [Reply(status, "error"), Reply()]
        return side.client()

    theirs, ours = run_both(ask)
    assert (theirs.raised, len(theirs.forms)) == (raised, 1)
    assert (ours.token, len(ours.forms)) == ("access-token-1", 2)


@pytest.mark.parametrize(
    ("status", "raised"), [(RESET, "ConnectionError"), (503, "MsalServiceError")]
)
def test_a_code_is_not_sent_twice(run_both: RunBoth[Any], status: int, raised: str) -> None:
    def redeem(lab: Lab) -> Outcome:
        side = lab.make()
        lab.service.script = [Reply(status, "error"), Reply()]
        return side.redeem()

    theirs, ours = run_both(redeem)
    assert (theirs.raised, len(theirs.forms)) == (raised, 1)
    assert len(ours.forms) == 1
    assert "error" in ours.result


def test_requests_end_without_an_answer(
    run_both: RunBoth[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[Any] = []
    send = HTTPAdapter.send

    def record(*args: Any, **kwargs: Any) -> Any:
        timeouts.append(kwargs["timeout"])
        return send(*args, **kwargs)

    monkeypatch.setattr(HTTPAdapter, "send", record)

    def ask(lab: Lab) -> list[Any]:
        timeouts.clear()
        lab.make().client()
        return list(timeouts)

    theirs, ours = run_both(ask)
    assert theirs == [None, None], "discovery and token request wait for ever"
    assert len(ours) == 2
    assert all(0 < connect <= 3.05 and 0 < read <= 10 for connect, read in ours)


def test_discovery_that_has_to_wait(run_both: RunBoth[Any]) -> None:
    def build_and_ask(lab: Lab) -> tuple[list[float], Outcome]:
        lab.service.refusals = [(429, "", {"Retry-After": "1"})]
        side = lab.make()
        at_start = list(lab.service.discovered_at)
        return at_start, side.client()

    (theirs, _), (ours, outcome) = run_both(build_and_ask)
    pauses = [later - earlier for earlier, later in itertools.pairwise(theirs)]
    assert [round(pause) for pause in pauses] == [1], "its constructor slept"
    assert ours == []
    assert outcome.result["retry_after"] == 1
    assert outcome.result["category"] == "throttled"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, "text", "temporarily_unavailable"),
        (200, "html", "invalid_response"),
        (400, "empty", "invalid_response"),
    ],
)
def test_answers_that_are_not_json(
    run_both: RunBoth[Any], status: int, body: Body, error: str
) -> None:
    def ask(lab: Lab) -> Outcome:
        side = lab.make()
        lab.service.reply = Reply(status, body)
        return side.client()

    theirs, ours = run_both(ask)
    assert theirs.raised == "JSONDecodeError"
    assert (ours.raised, ours.error) == (None, error)


@pytest.mark.parametrize("status", [500, 503])
def test_server_errors_while_the_token_is_valid(run_both: RunBoth[Any], status: int) -> None:
    def renew(lab: Lab) -> Outcome:
        side = lab.make()
        side.sign_in(DUE)
        lab.service.reply = Reply(status, "error")
        return side.silent()

    theirs, ours = run_both(renew)
    assert theirs.raised == "MsalServiceError"
    assert len(ours.forms) > 0
    assert (ours.token, ours.result["token_source"]) == ("access-token-1", "cache")
