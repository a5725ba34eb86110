"""The token cache in memory: bounded, safe between threads, nothing comes back."""

from __future__ import annotations

import threading

import pytest

from django_entra_auth.oauth2.token_cache import (
    CachedAccount,
    CachedToken,
    Holder,
    MemoryTokenCache,
)


def make_account(number=1, **changes):
    members = {
        "home_account_id": f"id-{number}",
        "tenant_id": "t",
        "object_id": f"o-{number}",
        "username": "u",
        "environment": "e",
        "refresh_token": "rt",
        **changes,
    }
    return CachedAccount(**members)


TOKEN = CachedToken("secret-token", frozenset({"user.read"}), 1.0)
HOLDER = Holder("account", "id-1")


@pytest.fixture
def cache():
    cache = MemoryTokenCache()
    cache.save_account(make_account())
    return cache


def test_tokens(cache):
    cache.save_tokens(HOLDER, "graph", (TOKEN,))
    assert cache.load_tokens(HOLDER, "graph") == (TOKEN,)
    assert cache.load_tokens(HOLDER, "other") == ()
    cache.save_tokens(HOLDER, "graph", ())
    assert cache.load_tokens(HOLDER, "graph") == ()


def test_deleting_an_account_takes_its_tokens(cache):
    cache.save_tokens(HOLDER, "graph", (TOKEN,))
    cache.delete_account("id-1")
    cache.save_tokens(HOLDER, "graph", (TOKEN,))
    cache.update_refresh_token("id-1", "rt", "new")
    assert cache.load_tokens(HOLDER, "graph") == ()
    assert cache.list_accounts() == []


@pytest.mark.parametrize(
    ("used", "new", "left"), [("rt", "new", "new"), ("x", "new", "new"), ("rt", None, None)]
)
def test_refresh_token(cache, used, new, left):
    cache.update_refresh_token("id-1", used, new)
    assert cache.load_account("id-1").refresh_token == left


def test_a_newer_refresh_token_is_not_dropped(cache):
    cache.update_refresh_token("id-1", "an older one", None)
    assert cache.load_account("id-1").refresh_token == "rt"


def test_bounded():
    cache = MemoryTokenCache(max_partitions=3)
    for number in range(10):
        cache.save_account(make_account(number))
        cache.save_tokens(Holder("account", f"id-{number}"), "graph", (TOKEN,))
        cache.save_tokens(Holder("assertion", str(number)), "graph", (TOKEN,))
    assert [account.home_account_id for account in cache.list_accounts()] == [
        "id-7",
        "id-8",
        "id-9",
    ]
    assert len(cache._tokens) <= 6


def test_repr_shows_no_secret():
    assert "secret" not in repr((TOKEN, make_account(refresh_token="secret")))


class TestSingleFlight:
    def test_not_waiting(self, cache):
        inside, go = threading.Event(), threading.Event()

        def call():
            inside.set()
            assert go.wait(5)
            return {"n": 1}

        thread = threading.Thread(target=cache.single_flight, args=("k", call))
        thread.start()
        assert inside.wait(5)
        assert cache.single_flight("k", dict, wait=False) is None
        assert cache.single_flight("other", lambda: {"n": 2}, wait=False) == {"n": 2}
        go.set()
        thread.join(5)
        assert cache.single_flight("k", lambda: {"n": 3}, wait=False) == {"n": 3}

    def test_an_exception_blocks_nobody(self, cache):
        def call():
            raise KeyError("x")

        with pytest.raises(KeyError):
            cache.single_flight("k", call)
        assert cache.single_flight("k", lambda: {"n": 1}) == {"n": 1}


def test_no_tokens_leave_nothing_behind(cache):
    holder = Holder("app", "x")
    cache.save_tokens(holder, "graph", (CachedToken("at", frozenset(), 1.0),))
    cache.save_tokens(holder, "graph", ())
    cache.save_tokens(holder, "other", ())
    assert not any(cache._tokens.values())
