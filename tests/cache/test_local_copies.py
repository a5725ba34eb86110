"""What a process keeps for some seconds: bounded, and never older than what it wrote itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import override_settings

from django_entra_auth.cache.local_copies import LocalCopies, local_copies
from django_entra_auth.cache.token_cache import SignInTokenCache, find_copy
from tests.cache.hooks import hook
from tests.cache.test_token_cache import ME, make_token, open_cache
from tests.redis_cache import REDIS

WAIT_SECONDS = 20

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def cache() -> SignInTokenCache:
    return open_cache()


def test_a_copy_serves_within_its_time(cache: SignInTokenCache, redis: Any, settings: Any) -> None:
    tokens = (make_token(),)
    cache.save_tokens(ME, "graph", tokens)
    assert cache.peek_tokens(ME, "graph") == tokens
    redis.flushdb()
    assert cache.peek_tokens(ME, "graph") == tokens
    assert cache.load_tokens(ME, "graph") == ()


def test_zero_seconds_turn_it_off(settings: Any, redis: Any) -> None:
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, "LOCAL_COPY_SECONDS": 0}
    cache = open_cache()
    cache.save_tokens(ME, "graph", (make_token(),))
    assert cache.peek_tokens(ME, "graph")
    redis.flushdb()
    assert cache.peek_tokens(ME, "graph") == ()


def test_it_ends_with_its_time() -> None:
    now = [100.0]
    copies = LocalCopies(clock=lambda: now[0])
    copies.put("a", (make_token(),), drops=copies.drops)
    now[0] += 14.9
    assert copies.get("a", 15)
    now[0] += 0.1
    assert copies.get("a", 15) is None


def test_the_least_recently_used_goes_first() -> None:
    copies = LocalCopies(maximum=2)
    for key in ("a", "b"):
        copies.put(key, (), drops=copies.drops)
    assert copies.get("a", 15) == ()
    copies.put("c", (), drops=copies.drops)
    assert [copies.get(key, 15) for key in ("a", "b", "c")] == [(), None, ()]


def test_threads_may_use_it_at_once() -> None:
    copies = LocalCopies(maximum=5)
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait(WAIT_SECONDS)
        for step in range(500):
            copies.put(str((number + step) % 9), (), drops=copies.drops)
            copies.get(str(step % 9), 15)
            copies.drop(str(step % 7))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert sum(copies.get(str(number), 15) is not None for number in range(9)) <= 5


def test_what_is_written_replaces_the_copy(cache: SignInTokenCache) -> None:
    one, two = make_token("one"), make_token("two")
    cache.save_tokens(ME, "graph", (one,))
    assert cache.peek_tokens(ME, "graph") == (one,)
    cache.save_tokens(ME, "graph", (two,))
    assert cache.peek_tokens(ME, "graph") == (two,)


def test_a_reader_overtaken_by_a_writer_keeps_no_old_copy(
    cache: SignInTokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = make_token("one"), make_token("two")
    cache.save_tokens(ME, "graph", (one,))
    hook(monkeypatch, "load", lambda key: cache.save_tokens(ME, "graph", (two,)), "tokens")
    assert cache.load_tokens(ME, "graph") == (one,)
    assert cache.peek_tokens(ME, "graph") == (two,)


@pytest.mark.parametrize("tokens", [(), (make_token("two"),)])
def test_a_reader_just_before_a_write_leaves_no_old_copy(
    cache: SignInTokenCache, monkeypatch: pytest.MonkeyPatch, tokens: Any
) -> None:
    cache.save_tokens(ME, "graph", (make_token("one"),))
    read = lambda key: cache.peek_tokens(ME, "graph")  # noqa: E731
    method = "save" if tokens else "delete"
    hook(monkeypatch, method, read, "tokens", before=True)
    cache.save_tokens(ME, "graph", tokens)
    assert cache.peek_tokens(ME, "graph") == tokens


def test_a_reader_just_before_the_end_leaves_no_copy(
    cache: SignInTokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.save_tokens(ME, "graph", (make_token("one"),))
    read = lambda key: cache.peek_tokens(ME, "graph")  # noqa: E731
    hook(monkeypatch, "delete", read, "tokens", before=True)
    cache.delete_account("")
    assert cache.peek_tokens(ME, "graph") == ()


def test_without_any_io_there_are_fresh_copies_alone(
    cache: SignInTokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = (make_token(),)
    cache.save_tokens(ME, "graph", tokens)
    cache.load_tokens(ME, "graph")
    monkeypatch.setattr(type(cache._entries), "load", None)
    assert find_copy(cache._id_hash, "graph", 15) == tokens
    assert find_copy(cache._id_hash, "other", 15) is None
    assert find_copy("another", "graph", 15) is None
    now = local_copies._clock()
    monkeypatch.setattr(local_copies, "_clock", lambda: now + 16)
    assert find_copy(cache._id_hash, "graph", 15) is None


def test_where_copies_are_turned_off_none_is_kept(
    cache: SignInTokenCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_local_seconds", 0)
    cache.save_tokens(ME, "graph", (make_token(),))
    assert cache.load_tokens(ME, "graph") == cache.peek_tokens(ME, "graph") != ()
    assert not local_copies._copies


@pytest.mark.parametrize(
    ("name", "value", "cleared"),
    [
        ("SECRET_KEY", "another" * 10, True),
        ("SECRET_KEY_FALLBACKS", ["another" * 10], True),
        ("CACHES", {"default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1"}}, True),
        ("ENTRA_AUTH", {}, True),
        ("LANGUAGE_CODE", "de", False),
    ],
)
def test_other_settings_find_no_copies(name: str, value: Any, *, cleared: bool) -> None:
    local_copies.put(("a", "b"), (), drops=local_copies.drops)
    with override_settings(**{name: value}):
        assert (local_copies.get_last(("a", "b")) is None) is cleared
