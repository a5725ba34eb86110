"""Choosing between kept and new tokens, with a cache that only locks as other workers would."""

from __future__ import annotations

import threading

import pytest

from django_entra_auth.oauth2.acquisition import Acquirer, make_wanted
from django_entra_auth.oauth2.errors import ProtocolFailure, make_error
from django_entra_auth.oauth2.token_cache import CacheUnavailable, Holder, MemoryTokenCache

HOLDER = Holder("app", "x")


class LockingCache(MemoryTokenCache):
    """Lets one caller at a time in, but hands no result over: each has to look again."""

    def __init__(self):
        super().__init__()
        self.flight = threading.Lock()

    def single_flight(self, key, call, *, wait=True):
        with self.flight:
            return call()


@pytest.fixture
def acquirer(clock):
    return Acquirer(LockingCache(), clock=clock)


class Endpoint:
    def __init__(self, **changes):
        self.count, self.changes = 0, changes

    def __call__(self):
        self.count += 1
        token = {"access_token": f"at-{self.count}", "expires_in": 3600, "scope": "a"}
        return {**token, **self.changes}


@pytest.mark.parametrize("force", [False, True])
def test_who_waited_for_the_lock_takes_what_the_other_got(acquirer, force):
    endpoint = Endpoint()
    first_is_in, second_has_looked = threading.Event(), threading.Event()
    cache = acquirer._cache
    load = cache.load_tokens

    def loading(*args):
        tokens = load(*args)
        if first_is_in.is_set():
            second_has_looked.set()
        return tokens

    def fetch():
        if endpoint.count == 0:
            first_is_in.set()
            assert second_has_looked.wait(5)
        return endpoint()

    cache.load_tokens = loading
    wanted = make_wanted(HOLDER, ["a"], force=force)
    results = []

    def run():
        results.append(acquirer.acquire(wanted, fetch))

    first = threading.Thread(target=run)
    first.start()
    assert first_is_in.wait(5)
    run()
    first.join(5)
    assert [result["access_token"] for result in results] == ["at-1", "at-1"]
    assert endpoint.count == 1


def test_forced_again_later_is_new_again(acquirer):
    endpoint = Endpoint()
    wanted = make_wanted(HOLDER, ["a"], force=True)
    tokens = [acquirer.acquire(wanted, endpoint)["access_token"] for _ in range(3)]
    assert tokens == ["at-1", "at-2", "at-3"]


def test_few_tokens_per_resource(acquirer):
    for number in range(10):
        endpoint = Endpoint(scope=f"scope-{number}")
        acquirer.acquire(make_wanted(HOLDER, [f"scope-{number}"]), endpoint)
    assert len(acquirer._cache.load_tokens(HOLDER, "graph")) == 4


def test_flights_differ_by_everything_that_matters():
    base = {"holder": HOLDER, "scopes": ["a"]}
    variants = [
        {},
        {"scopes": ["b"]},
        {"scopes": ["a", "b"]},
        {"claims": "{}"},
        {"force": True},
        {"holder": Holder("account", "x")},
        {"holder": Holder("app", "y")},
    ]
    wanted = [{**base, **variant} for variant in variants]
    keys = {make_wanted(w.pop("holder"), w.pop("scopes"), **w).flight_key for w in wanted}
    assert len(keys) == len(variants)


@pytest.mark.parametrize(("number", "seconds"), [(0.0, 2000), (0.5, 1900), (0.999, 1800.2)])
def test_renewals_are_spread_over_the_last_tenth_of_the_time(clock, number, seconds):
    acquirer = Acquirer(MemoryTokenCache(), clock=clock, randomness=lambda: number)
    wanted = make_wanted(HOLDER, ["a"])
    acquirer.acquire(wanted, Endpoint(refresh_in=2000))
    (token,) = acquirer._cache.load_tokens(HOLDER, wanted.resource)
    assert token.refresh_at == pytest.approx(clock() + seconds)
    assert token.expires_at == clock() + 3600


def test_sign_ins_of_one_morning_are_not_renewed_in_one_second(clock):
    acquirer = Acquirer(MemoryTokenCache(), clock=clock)
    times = set()
    for number in range(200):
        wanted = make_wanted(Holder("app", str(number)), ["a"])
        acquirer.acquire(wanted, Endpoint(refresh_in=43_200))
        (token,) = acquirer._cache.load_tokens(wanted.holder, wanted.resource)
        times.add(int(token.refresh_at))
    assert len(times) > 150
    assert clock() + 0.9 * 43_200 - 1 <= min(times) <= max(times) <= clock() + 43_200


class FailingCache(MemoryTokenCache):
    """Fails in one method once `down` is set."""

    down = None

    def __getattribute__(self, name):
        if name == super().__getattribute__("down"):
            raise CacheUnavailable
        return super().__getattribute__(name)


@pytest.mark.parametrize("method", ["load_tokens", "save_tokens"])
def test_a_token_that_cannot_be_kept_is_used(clock, method):
    cache = FailingCache()
    acquirer = Acquirer(cache, clock=clock)
    endpoint = Endpoint()

    def fetch():
        cache.down = method
        return endpoint()

    assert acquirer.acquire(make_wanted(HOLDER, ["a"]), fetch)["access_token"] == "at-1"


def test_an_error_that_cannot_be_noted_is_told(clock):
    cache = FailingCache()
    acquirer = Acquirer(cache, clock=clock)

    def fetch():
        cache.down = "save_tokens"
        raise ProtocolFailure(make_error("invalid_grant", "no"))

    wanted = make_wanted(HOLDER, ["a"], claims="{}")
    assert acquirer.acquire(wanted, fetch)["error"] == "invalid_grant"


def test_waiting_in_vain_for_another_caller_is_a_dictionary(clock):
    class Stuck(MemoryTokenCache):
        def single_flight(self, key, call, *, wait=True):
            raise ProtocolFailure(make_error("temporarily_unavailable", "It took too long."))

    wanted = make_wanted(HOLDER, ["a"])
    result = Acquirer(Stuck(), clock=clock).acquire(wanted, Endpoint())
    assert (result["error"], result["category"]) == ("temporarily_unavailable", "transient")
