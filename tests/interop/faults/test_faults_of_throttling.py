"""What MSAL for Python holds back wrongly, and what it holds back no longer."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.oauth2.throttle import PROBE_SECONDS
from tests.interop.differential.clients import CHALLENGE, make_credential
from tests.interop.differential.service import RETRY_AFTER_SECONDS, Reply
from tests.interop.faults.lab import EXPIRED, Lab, Outcome, RunBoth, Shortcut

MANY = 5000
CAPACITY = 1024
DAY = 24 * 3600


def test_overflow_of_the_http_cache(run_both: RunBoth[Any]) -> None:
    def flood(lab: Lab) -> tuple[str | None, int, list[Outcome]]:
        cache: dict[str, Any] = {}
        options = {"http_client": Shortcut(lab.service), "http_cache": cache}
        side = lab.make(**options)
        side.start()
        lab.service.reply = Reply(429, "error", "seconds")
        ids = random.Random(20260102)
        apis = (uuid.UUID(int=ids.getrandbits(128)) for _ in range(MANY))
        outcomes = (side.client([f"api://{api}/.default"]) for api in apis)
        raised = next((outcome.raised for outcome in outcomes if outcome.raised), None)
        lab.move(2 * RETRY_AFTER_SECONDS)
        later = side.client(["api://one/.default"])
        # Discovery goes through the mapping, too, once it is a day old.
        lab.move(DAY)
        started = side.watch(lambda: lab.make(**options).start())
        return raised, len(cache), [later, started]

    theirs, ours = run_both(flood)
    assert theirs[0] == "IndexError"
    assert [outcome.raised for outcome in theirs[2]] == ["IndexError"] * 2, "it stays broken"
    raised, size, (later, started) = ours
    assert raised is None
    assert size <= CAPACITY
    assert (later.error, len(later.forms)) == ("invalid_grant", 1)
    assert started.result["auth_uri"]


class RecordingCache(DjangoHTTPCache):
    """Records each entry that is written and for how many seconds, ``None`` for no time."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, float | None]] = []

    def set(self, key: str, value: Any, timeout: float) -> None:
        self.writes.append((key, timeout))
        super().set(key, value, timeout)

    def __setitem__(self, key: str, value: Any) -> None:
        self.writes.append((key, None))
        super().__setitem__(key, value)


def test_one_entry_for_each_throttle(run_both: RunBoth[Any]) -> None:
    number = 5

    def throttle_some(lab: Lab) -> list[tuple[str, float | None]]:
        cache = RecordingCache()
        side = lab.make(http_cache=cache)
        side.start()
        cache.writes.clear()
        lab.service.reply = Reply(429, "error", "seconds")
        for api in range(number):
            side.client([f"api://{api}/.default"])
        return cache.writes

    theirs, ours = run_both(throttle_some)
    assert Counter(key for key, _ in theirs)["_index_"] == number, "rewritten for each of them"
    assert {seconds for _, seconds in theirs} == {None}
    assert len({key for key, _ in ours}) == len(ours) == number
    # Kept a little longer, so that one request goes first when it is over.
    assert {seconds for _, seconds in ours} == {RETRY_AFTER_SECONDS + PROBE_SECONDS}


class CrossingCache(DjangoHTTPCache):
    """Lets another worker do something in the middle of the first write."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] | None = None

    def set(self, key: str, value: Any, timeout: float) -> None:
        self._cross()
        super().set(key, value, timeout)

    def __setitem__(self, key: str, value: Any) -> None:
        self._cross()
        super().__setitem__(key, value)

    def _cross(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()


def test_workers_that_write_at_the_same_time(run_both: RunBoth[Any]) -> None:
    def cross(lab: Lab) -> list[int]:
        cache = CrossingCache()
        one, other = lab.make(http_cache=cache), lab.make(http_cache=cache)
        one.start(), other.start()
        lab.service.reply = Reply(429, "error", "seconds")
        cache.meanwhile = lambda: other.client(["api://other/.default"])
        one.client(["api://one/.default"])
        again = [one.client(["api://one/.default"]), one.client(["api://other/.default"])]
        return [len(outcome.forms) for outcome in again]

    theirs, ours = run_both(cross)
    assert theirs == [0, 1], "the last writer wins"
    assert ours == [0, 0]


def test_one_persons_503_at_code_redemption(run_both: RunBoth[Any]) -> None:
    def redeem_twice(lab: Lab) -> Outcome:
        side = lab.make()
        lab.service.reply = Reply(503, "error")
        side.redeem("code-of-alice")
        lab.service.reply = Reply()
        return side.redeem("code-of-bob")

    theirs, ours = run_both(redeem_twice)
    assert (theirs.raised, len(theirs.forms)) == ("MsalServiceError", 0)
    assert [form["code"] for form in ours.forms] == ["code-of-bob"]
    assert "error" not in ours.result


def test_429_is_meant_for_everybody(run_both: RunBoth[Any]) -> None:
    def refresh_two(lab: Lab) -> Outcome:
        cache: dict[str, Any] = {}
        alice, bob = lab.make(http_cache=cache), lab.make(http_cache=cache)
        alice.sign_in(EXPIRED)
        bob.sign_in(EXPIRED)
        lab.service.reply = Reply(429, "error", "seconds")
        alice.silent()
        return bob.silent()

    theirs, ours = run_both(refresh_two)
    assert len(theirs.forms) == 1
    assert (len(ours.forms), ours.result["throttled"]) == (0, True)


def test_retry_after_as_a_date(run_both: RunBoth[Any]) -> None:
    def ask_twice(lab: Lab) -> tuple[Outcome, Outcome]:
        side = lab.make()
        lab.service.reply = Reply(429, "error", "date")
        first = side.client()
        lab.move(RETRY_AFTER_SECONDS / 2)
        return first, side.client()

    theirs, ours = run_both(ask_twice)
    assert len(theirs[1].forms) == 1
    assert len(ours[1].forms) == 0
    assert abs(ours[0].result["retry_after"] - RETRY_AFTER_SECONDS) <= 1


def test_success_with_retry_after(run_both: RunBoth[Any]) -> None:
    def ask_for_two_people(lab: Lab) -> list[Outcome]:
        side = lab.make()
        lab.service.reply = Reply(200, "success", "seconds")
        assert side.obo("assertion-of-alice").token == "access-token-1"
        challenged = side.obo("assertion-of-alice", claims_challenge=CHALLENGE)
        return [challenged, side.obo("assertion-of-bob")]

    theirs, ours = run_both(ask_for_two_people)
    assert [len(outcome.forms) for outcome in theirs] == [0, 0]
    assert [o.token for o in theirs] == ["access-token-1"] * 2, "Bob has Alice's token"
    assert [len(outcome.forms) for outcome in ours] == [1, 1]
    assert [outcome.token for outcome in ours] == ["access-token-2", "access-token-3"]


def test_rejections_with_a_certificate(run_both: RunBoth[Any]) -> None:
    credential = make_credential()

    def refresh_five_times(lab: Lab) -> list[Outcome]:
        side = lab.make(client_credential=credential)
        side.sign_in(EXPIRED)
        lab.service.reply = Reply(400, "error")
        return [side.silent() for _ in range(5)]

    theirs, ours = run_both(refresh_five_times)
    assert [len(outcome.forms) for outcome in theirs] == [1] * 5
    assert [len(outcome.forms) for outcome in ours] == [1, 0, 0, 0, 0]
    assert {outcome.error for outcome in ours} == {"invalid_grant"}


def test_transient_400(run_both: RunBoth[Any]) -> None:
    def ask_three_times(lab: Lab) -> list[Outcome]:
        side = lab.make()
        lab.service.script = [Reply(400, "transient"), Reply()]
        return [side.client() for _ in range(3)]

    theirs, ours = run_both(ask_three_times)
    assert [outcome.error for outcome in theirs] == ["temporarily_unavailable"] * 3
    assert sum(len(outcome.forms) for outcome in theirs) == 1
    assert [outcome.token for outcome in ours[1:]] == ["access-token-1"] * 2


@pytest.mark.parametrize("status", [400, 429])
def test_throttled_answers_say_so(run_both: RunBoth[Any], status: int) -> None:
    def ask_twice(lab: Lab) -> tuple[Outcome, Outcome]:
        side = lab.make()
        lab.service.reply = Reply(status, "error", "seconds")
        first = side.client()
        lab.move(10)
        return first, side.client()

    theirs, ours = run_both(ask_twice)
    assert theirs[1].forms == ours[1].forms == ()
    assert theirs[0].result == theirs[1].result, "nobody can tell that the second was not asked"
    assert "throttled" not in ours[0].result
    assert ours[0].result["retry_after"] == RETRY_AFTER_SECONDS
    assert ours[1].result["throttled"] is True
    assert ours[1].result["retry_after"] == RETRY_AFTER_SECONDS - 10
