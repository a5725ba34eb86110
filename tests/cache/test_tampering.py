"""Who can write into the cache can make it forget, and nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_entra_auth import sign_ins
from django_entra_auth.cache import single_flight
from django_entra_auth.cache.chain import Chain
from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.cache.http_cache import DjangoHTTPCache
from django_entra_auth.cache.single_flight import SingleFlight
from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.sealing import SEAL_OVERHEAD
from tests.cache.people import APIS, USER, Person, list_keys, posts
from tests.redis_cache import open_redis

KINDS = ("tokens", "account", "http", "ended", "successor", "handle", "form", "outcome", "lock")
RAW = hypothesis_settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MEMO_MAX = 1_000_000
VALUE = {"access_token": "at-secret", "n": [1, None]}


@pytest.fixture(autouse=True)
def _no_local_copies(entra_settings: Any) -> None:
    more = {"SCOPES": USER, "LOCAL_COPY_SECONDS": 0}
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, **more}


@st.composite
def forgeries(draw: st.DrawFn, sealed: bytes) -> bytes:
    """The entry with a bit turned, a piece cut out, doubled or replaced; or any bytes at all."""
    start = draw(st.integers(0, len(sealed) - 1))
    end = draw(st.integers(start, len(sealed)))
    flipped = bytes([sealed[start] ^ (1 << draw(st.integers(0, 7)))])
    middle = draw(
        st.sampled_from([flipped + sealed[start + 1 : end], b"", 2 * sealed[start:end], None])
    )
    if middle is None:
        middle = draw(st.binary(max_size=64))
    if middle.startswith(flipped) and len(middle) == max(1, end - start):
        end = max(end, start + 1)
    return draw(st.one_of(st.just(sealed[:start] + middle + sealed[end:]), st.binary()))


# One entry


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_no_other_bytes_open(kind: str, data: st.DataObject) -> None:
    entries, key = Entries(get_settings()), build_key(kind, "one")
    entries.save(key, VALUE, 60)
    sealed = cache.get(key)
    forged = data.draw(forgeries(sealed))
    cache.set(key, forged)
    assert (entries.load(key) == VALUE) is (forged == sealed)
    assert entries.load_many([key]) == ({key: VALUE} if forged == sealed else {})


@given(length=st.integers(0, 200))
def test_cut_off_at_any_place_it_is_a_miss(length: int) -> None:
    entries, key = Entries(get_settings()), build_key("tokens", "one")
    entries.save(key, VALUE, 60)
    sealed = cache.get(key)
    cache.set(key, sealed[:length])
    assert (entries.load(key) is None) is (length < len(sealed))
    assert len(sealed) > SEAL_OVERHEAD


@given(value=st.one_of(st.integers(), st.text(), st.none(), st.lists(st.binary()), st.floats()))
def test_no_other_type_opens(value: object) -> None:
    entries, key = Entries(get_settings()), build_key("tokens", "one")
    cache.set(key, value)
    assert entries.load(key) is None


FOREIGN = [
    {"ENCRYPTION_KEYS": ["A" * 43 + "="]},
    {"CLIENT_ID": "99999999-2222-4333-8444-555555555555"},
    {"AUTHORITY": "http://localhost:1/other-tenant"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda change: next(iter(change)))
def test_what_another_site_has_sealed_is_a_miss(
    entra_settings: Any, foreign: dict[str, Any]
) -> None:
    key = build_key("tokens", "one")
    with override_settings(ENTRA_AUTH={**entra_settings.ENTRA_AUTH, **foreign}):
        Entries(get_settings()).save(key, VALUE, 60)
        assert Entries(get_settings()).load(key) == VALUE
    assert Entries(get_settings()).load(key) is None


# Redis itself: what Django's backend makes of the bytes comes first


def is_cheap(damaged: bytes) -> bool:
    """Whether no part of a pickle can be read as "r" (LONG_BINPUT) with a large index.

    Python lays out a memo of that length at once: gigabytes, for half a minute. Nobody but Django
    itself could refuse it, and who writes into a cache of pickles can do worse.
    """
    places = (place for place, byte in enumerate(damaged) if byte == ord("r"))
    indexes = (damaged[place + 1 : place + 5] for place in places)
    return all(int.from_bytes(index, "little") < MEMO_MAX for index in indexes if len(index) == 4)


@RAW
@given(data=st.data())
def test_damaged_in_redis_it_is_a_miss_and_no_outage(redis: Any, data: st.DataObject) -> None:
    entries = Entries(get_settings())
    keys = [build_key("tokens", name) for name in ("one", "two")]
    for key in keys:
        entries.save(key, VALUE, 60)
    raw = redis.get(f":1:{keys[0]}")
    forged = data.draw(forgeries(raw).filter(is_cheap))
    redis.set(f":1:{keys[0]}", forged)
    # A pickle says the same in several ways: what opens is what was sealed.
    assert entries.load(keys[0]) in (None, VALUE)
    assert entries.load_many(keys)[keys[1]] == VALUE


# Everything a site leaves in the cache


@pytest.fixture
def people(entra: Any, redis: Any, transactional_db: None) -> list[Person]:
    """Two people with tokens for three APIs, each prompted once before."""
    found = [Person(entra, name) for name in ("alice", "bob")]
    for person in found:
        for scopes in APIS:
            assert "access_token" in person.ask(scopes)
    return found


@pytest.fixture
def everything(people: list[Person], entra: Any) -> dict[str, list[str]]:
    """The keys of entries of each kind that the flows above and those below leave."""
    entra.faults.throttle(60)
    assert people[0].ask(force_refresh=True)["category"] == "throttled"
    entra.faults.clear()
    chain = Chain(Entries(get_settings()))
    chain.end("some-id")
    chain.add_successor("some-id", {"id": "other"})
    keys = list_keys(open_redis())
    assert {"tokens", "account", "resource", "http", "ended", "successor", "handle", "outcome"} <= {
        *keys
    }
    return keys


@pytest.mark.django_db
def test_no_entry_opens_in_the_place_of_another(everything: dict[str, list[str]]) -> None:
    """All pairs: between sign-ins, resources and kinds."""
    entries = Entries(get_settings())
    sealed = {
        key: value
        for keys in everything.values()
        for key in keys
        if isinstance(value := cache.get(key), bytes)
    }
    assert len(sealed) > 20
    assert all(entries.load(key) is not None for key in sealed)
    for place, other in itertools.permutations(sealed, 2):
        cache.set(place, sealed[other])
        assert entries.load(place) is None
    for key, value in sealed.items():
        cache.set(key, value)
    assert all(entries.load(key) is not None for key in sealed)


@pytest.mark.django_db
def test_nobody_gets_the_tokens_of_another(people: list[Person], redis: Any, entra: Any) -> None:
    """All entries of two people are exchanged for each other."""
    alice, bob = people
    keys = list_keys(redis)
    tokens = {person: {person.ask(scopes)["access_token"] for scopes in APIS} for person in people}
    for kind in ("tokens", "account", "resource"):
        values = [cache.get(key) for key in keys[kind]]
        for key, value in zip(keys[kind], reversed(values), strict=True):
            cache.set(key, value)
    for person, other in ((alice, bob), (bob, alice)):
        for scopes in APIS:
            found = person.ask(scopes)
            assert found is None or found["access_token"] not in tokens[other]


def damage(keys: list[str]) -> None:
    for key in keys:
        value = cache.get(key)
        cache.set(key, value[:-1] + bytes([value[-1] ^ 1]))


@pytest.mark.django_db
def test_a_damaged_token_is_fetched_again(people: list[Person], redis: Any, entra: Any) -> None:
    before = len(posts(entra))
    old = people[0].ask()["access_token"]
    damage(list_keys(redis)["tokens"])
    assert people[0].ask()["access_token"] != old
    assert len(posts(entra)) == before + 1


@pytest.mark.django_db
def test_a_damaged_account_is_nothing_to_work_with(people: list[Person], redis: Any) -> None:
    keys = list_keys(redis)
    damage(keys["account"])
    assert people[0].ask(force_refresh=True) is None
    damage(keys["tokens"])
    assert people[0].ask() is None


@pytest.mark.django_db
def test_damaged_documents_are_fetched_again(
    people: list[Person], redis: Any, entra: Any, entra_settings: Any
) -> None:
    """Discovery and keys: a new worker that finds them damaged asks Entra."""
    documents = list_keys(redis)["http"]
    assert len(documents) == 2
    damage(documents)
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH}  # as a new worker would build it
    entra.requests.clear()
    assert people[0].ask(force_refresh=True)["token_source"] == "identity_provider"
    asked = [one.path for one in entra.requests if one.method == "GET"]
    assert len(asked) == 2
    assert all(DjangoHTTPCache()._entries.load(key) is not None for key in documents)


@pytest.mark.django_db
def test_documents_that_are_exchanged_are_fetched_again(
    people: list[Person], redis: Any, entra: Any, entra_settings: Any
) -> None:
    first, second = list_keys(redis)["http"]
    values = cache.get(first), cache.get(second)
    cache.set(second, values[0])
    cache.set(first, values[1])
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH}
    entra.requests.clear()
    assert people[0].ask(force_refresh=True)["token_source"] == "identity_provider"
    assert len([one for one in entra.requests if one.method == "GET"]) == 2


@pytest.mark.django_db
def test_a_damaged_throttle_entry_holds_nobody_back(
    people: list[Person], redis: Any, entra: Any
) -> None:
    known = set(list_keys(redis)["http"])
    entra.faults.add("token", Fault(429, "slow down", {"Retry-After": "60"}))
    assert people[0].ask(force_refresh=True)["category"] == "throttled"
    assert people[1].ask(force_refresh=True)["throttled"]
    damage([key for key in list_keys(redis)["http"] if key not in known])
    assert people[1].ask(force_refresh=True)["token_source"] == "identity_provider"


# Entries whose mere presence matters


def test_the_end_of_a_sign_in_holds_though_it_cannot_be_read(redis: Any) -> None:
    """A worker that lacks the newest key must not revive what another one has ended."""
    chain = Chain(Entries(get_settings()))
    chain.end("some-id")
    damage(list_keys(redis)["ended"])
    assert chain.has_ended("some-id")
    assert chain.look("some-id")[0]


def test_a_lock_that_cannot_be_read_is_waited_for_without_haste(
    redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another release's worker holds it, or somebody has written there: it ends by itself."""
    monkeypatch.setattr(single_flight, "LOCK_SECONDS", 2)
    flight = SingleFlight(Entries(get_settings()), "scope")
    redis.set(f":1:{build_key('lock', 'scope', 'key')}", b"nonsense", px=700)
    before = redis.info("commandstats")
    assert flight.run("key", lambda: {"answer": 1}) == {"answer": 1}
    after = redis.info("commandstats")
    sent = sum(
        after.get(name, {"calls": 0})["calls"] - before.get(name, {"calls": 0})["calls"]
        for name in ("cmdstat_get", "cmdstat_set", "cmdstat_mget")
    )
    assert sent < 100


def test_a_pointer_that_cannot_be_read_leads_nowhere(redis: Any) -> None:
    chain = Chain(Entries(get_settings()))
    chain.add_successor(sign_ins.hash_id("old"), {"id": "new"})
    assert sign_ins.find_successor("old") == {"id": "new"}
    damage(list_keys(redis)["successor"])
    assert sign_ins.find_successor("old") is None
    chain.add_successor(sign_ins.hash_id("old"), {"id": "newer"})
    assert sign_ins.find_successor("old") == {"id": "newer"}


@pytest.mark.django_db
def test_an_answer_that_was_altered_under_way_starts_anew(
    entra: Any, redis: Any, transactional_db: None
) -> None:
    """Between the callback's POST and its GET the answer lies in the cache."""
    from tests.visitor import Visitor, local, make_client

    visitor = Visitor(entra)
    answer = visitor.answer(visitor.begin())
    kept = make_client().post(local(answer.url), answer.fields)
    damage(list_keys(redis)["handle"])
    response = visitor.client.get(kept["Location"])
    assert response.status_code in {302, 400}
    assert not visitor.is_signed_in()
    assert posts(entra) == []


def test_get_application_is_untouched_by_what_lies_there(entra: Any, redis: Any) -> None:
    """Raw nonsense under every key that the application reads at its start."""
    get_application().acquire_token_for_client(["api/.default"])
    for raw in redis.keys("*"):
        redis.set(raw, b"\x80\x04nonsense")
    caches["default"].get("x")
    with override_settings(SECRET_KEY="another " * 10):
        result = get_application().acquire_token_for_client(["api/.default"])
    assert "access_token" in result
