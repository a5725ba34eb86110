"""Entries in the shared cache: sealed, capped in time, and honest about an outage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.base import BaseCache
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable

KEY = build_key("test", "one")


class BrokenCache(BaseCache):
    """A server that is down."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("redis://user:s3cret@cache.example refused")

    get = set = add = delete = incr = _fail


BROKEN = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}


@pytest.fixture
def entries() -> Entries:
    return Entries(get_settings())


@pytest.fixture
def broken() -> Iterator[Entries]:
    with override_settings(CACHES=BROKEN):
        yield Entries(get_settings())


def test_a_value_comes_back(entries: Entries) -> None:
    value = {"a": [1, None, "ä"], "b": {"c": True}}
    entries.save(KEY, value, 60)
    assert entries.load(KEY) == value
    entries.delete(KEY)
    assert entries.load(KEY) is None


def test_what_was_never_there_is_none(entries: Entries) -> None:
    assert entries.load(KEY) is None


def test_nothing_can_be_read_in_the_cache(entries: Entries) -> None:
    entries.save(KEY, {"refresh_token": "s3cret"}, 60)
    entries.add(build_key("test", "two"), "s3cret", 60)
    for raw in (cache.get(KEY), cache.get(build_key("test", "two"))):
        assert isinstance(raw, bytes)
        assert b"s3cret" not in raw


def test_moved_to_another_key_it_is_a_miss(entries: Entries) -> None:
    other = build_key("test", "two")
    entries.save(KEY, "mine", 60)
    cache.set(other, cache.get(KEY))
    assert entries.load(other) is None
    assert entries.load(KEY) == "mine"


@pytest.mark.parametrize(
    "forged", [b"", b"x" * 40, "text", 1, {"a": 1}, None, [b"x"], b"\0" * 5000], ids=repr
)
def test_what_does_not_open_is_a_miss(entries: Entries, forged: object) -> None:
    cache.set(KEY, forged)
    assert entries.load(KEY) is None


def test_an_altered_entry_is_a_miss(entries: Entries) -> None:
    entries.save(KEY, "mine", 60)
    raw = bytearray(cache.get(KEY))
    raw[-1] ^= 1
    cache.set(KEY, bytes(raw))
    assert entries.load(KEY) is None


def test_another_client_cannot_read_it(entries: Entries) -> None:
    entries.save(KEY, "mine", 60)
    assert Entries(replace(get_settings(), client_id="other")).load(KEY) is None


def test_a_rotated_secret_key_still_reads_it() -> None:
    with override_settings(SECRET_KEY="old" * 20):
        Entries(get_settings()).save(KEY, "mine", 60)
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=["old" * 20]):
        assert Entries(get_settings()).load(KEY) == "mine"
    with override_settings(SECRET_KEY="new" * 20):
        assert Entries(get_settings()).load(KEY) is None


def test_it_is_in_the_cache_that_the_settings_name() -> None:
    locmem = "django.core.cache.backends.locmem.LocMemCache"
    both = {
        "default": {"BACKEND": locmem, "LOCATION": "one"},
        "tokens": {"BACKEND": locmem, "LOCATION": "two"},
    }
    with override_settings(CACHES=both):
        Entries(replace(get_settings(), cache_alias="tokens")).save(KEY, "mine", 60)
        assert caches["default"].get(KEY) is None
        assert caches["tokens"].get(KEY) is not None


def test_an_expired_entry_is_gone(entries: Entries) -> None:
    entries.save(KEY, "mine", 0)
    assert entries.load(KEY) is None


def test_add_keeps_the_first(entries: Entries) -> None:
    assert entries.add(KEY, "first", 60) is True
    assert entries.add(KEY, "second", 60) is False
    assert entries.load(KEY) == "first"


def test_a_claim_is_given_once(entries: Entries) -> None:
    assert [entries.claim(KEY, 60) for _ in range(3)] == [True, False, False]
    assert entries.claim(build_key("test", "two"), 60)


def test_of_many_threads_one_gets_the_claim(entries: Entries) -> None:
    barrier, won = threading.Barrier(8), []

    def claim() -> None:
        mine = Entries(get_settings())
        barrier.wait(timeout=10)
        won.append(mine.claim(KEY, 60))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(won) == [False] * 7 + [True]


def test_counting(entries: Entries) -> None:
    assert entries.read_count(KEY) == 0
    for expected in (1, 2, 3):
        entries.count(KEY, 60)
        assert entries.read_count(KEY) == expected
    assert entries.read_count(build_key("test", "two")) == 0


def test_a_count_that_expires_while_counting_starts_anew(
    entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries.count(KEY, 60)
    shared = entries._cache
    real = shared.incr

    def incr(key: str) -> int:
        shared.delete(key)
        return int(real(key))

    monkeypatch.setattr(shared, "incr", incr)
    entries.count(KEY, 60)
    assert entries.read_count(KEY) == 1


def test_a_key_tells_its_kind_and_nothing_else() -> None:
    key = build_key("handle", "some-id", "another")
    assert key.startswith("entra:1:handle:")
    assert "some-id" not in key
    assert len(key) < 200
    assert " " not in key


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    keys = [
        build_key("k", "a", "bc"),
        build_key("k", "ab", "c"),
        build_key("k", "abc"),
        build_key("j", "abc"),
    ]
    assert len(set(keys)) == 4


@given(st.lists(st.text(max_size=40), max_size=3))
def test_any_text_makes_a_good_key(parts: list[str]) -> None:
    key = build_key("k", *parts)
    assert key.isascii()
    assert key.isprintable()
    assert len(key) == len("entra:1:k:") + 64


OPERATIONS = {
    "load": lambda entries: entries.load(KEY),
    "save": lambda entries: entries.save(KEY, 1, 60),
    "add": lambda entries: entries.add(KEY, 1, 60),
    "delete": lambda entries: entries.delete(KEY),
    "claim": lambda entries: entries.claim(KEY, 60),
    "read_count": lambda entries: entries.read_count(KEY),
    "count": lambda entries: entries.count(KEY, 60),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_outage_is_told_as_one(broken: Entries, name: str) -> None:
    with pytest.raises(TemporarilyUnavailable) as caught:
        OPERATIONS[name](broken)
    assert caught.value.result == {"error": "cache_unavailable"}
    assert "s3cret" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("store", ["save", "add"])
def test_a_value_that_is_not_json_is_no_outage(entries: Entries, store: str) -> None:
    with pytest.raises(TypeError):
        getattr(entries, store)(KEY, object(), 60)
