"""Sharing one call, and keeping the last good document."""

from __future__ import annotations

import threading

import pytest

from django_entra_auth.oauth2.errors import ProtocolFailure, make_error
from django_entra_auth.oauth2.shared_calls import LastGood, SharedCalls

DAY = 86_400


class Source:
    """Documents numbered by fetch; ``failure`` makes the next ones fail, ``age`` makes them old."""

    def __init__(self):
        self.fetched, self.bypassed, self.failure, self.age = 0, 0, None, 0

    def __call__(self, bypass):
        self.fetched += 1
        self.bypassed += bypass
        if self.failure is not None:
            raise ProtocolFailure(make_error(self.failure, "x"))
        return self.fetched, self.age


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def document(source, clock):
    return LastGood(source, clock=clock)


class TestLastGood:
    def test_newer_at_most_once_a_minute(self, document, source, clock):
        assert [document.get_newer() for _ in range(3)] == [1, 1, 1]
        clock.move(60)
        assert document.get_newer() == 2
        assert source.bypassed == 2

    def test_age_counts(self, document, source, clock):
        source.age = DAY - 10
        assert document.get() == 1
        clock.move(11)
        assert document.get() == 2

    def test_an_old_copy_from_a_shared_cache_is_not_asked_for_at_every_call(
        self, document, source, clock
    ):
        source.age = 2 * DAY
        assert [document.get() for _ in range(3)] == [1, 1, 1]
        clock.move(61)
        assert document.get() == 2

    def test_a_clock_set_back_fetches_again(self, document, clock):
        document.get()
        clock.move(-3600)
        assert document.get() == 2

    @pytest.mark.parametrize("failure", ["temporarily_unavailable", "invalid_response"])
    def test_an_outage_falls_back(self, document, source, clock, failure):
        document.get()
        source.failure = failure
        clock.move(DAY)
        assert document.get() == 1
        clock.move(6 * DAY)
        with pytest.raises(ProtocolFailure):
            document.get()

    @pytest.mark.parametrize("failure", ["invalid_tenant", "invalid_authority_metadata"])
    def test_a_no_does_not(self, document, source, clock, failure):
        document.get()
        source.failure = failure
        clock.move(DAY)
        with pytest.raises(ProtocolFailure):
            document.get()


class TestSharedCalls:
    def test_waiting_callers_get_the_outcome_and_the_error(self):
        calls = SharedCalls()
        inside, go, joined = threading.Event(), threading.Event(), []
        outcomes = []

        def call():
            inside.set()
            assert go.wait(5)
            raise ProtocolFailure(make_error("temporarily_unavailable", "x"))

        def run():
            joined.append(1)
            try:
                calls.run("k", call)
            except ProtocolFailure as exc:
                outcomes.append(exc.result["error"])

        threads = [threading.Thread(target=run) for _ in range(5)]
        threads[0].start()
        assert inside.wait(5)
        for thread in threads[1:]:
            thread.start()
        go.set()
        for thread in threads:
            thread.join(5)
        assert outcomes == ["temporarily_unavailable"] * 5
        assert calls.run("k", lambda: 7) == 7
