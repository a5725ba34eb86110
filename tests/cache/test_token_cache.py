"""One sign-in's tokens in Redis: what is kept, for how long, and that an end is an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.token_cache import CachedAccount, CachedToken, Holder
from tests.cache.hooks import hook
from tests.redis_cache import DOWN

ME = Holder("account", "uid.utid")
ACCOUNT = CachedAccount("uid.utid", "utid", "oid", "alice@contoso.example", "host", "rt-one")

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def cache() -> SignInTokenCache:
    return open_cache()


def open_cache(id_hash: str = "hash-one", *, with_account: bool = True) -> SignInTokenCache:
    cache = SignInTokenCache(id_hash, get_settings())
    if with_account:
        cache.save_account(ACCOUNT)
    return cache


def make_token(text: str = "at", *, seconds: float = 3600) -> CachedToken:
    now = time.time()
    return CachedToken(text, frozenset({"user.read"}), now + seconds, now + seconds / 2)


def keys_of(redis: Any, kind: str) -> list[bytes]:
    return sorted(redis.keys(f"*entra:1:{kind}:*"))


def test_tokens_come_back_as_they_were(cache: SignInTokenCache) -> None:
    tokens = (make_token("one"), make_token("two"))
    cache.save_tokens(ME, "graph", tokens)
    assert cache.load_tokens(ME, "graph") == tokens
    assert cache.load_tokens(ME, "other") == ()
    assert SignInTokenCache("hash-one", get_settings()).load_tokens(ME, "graph") == tokens


def test_the_account_comes_back_and_is_the_only_one(cache: SignInTokenCache) -> None:
    assert cache.load_account("uid.utid") == ACCOUNT
    assert cache.list_accounts() == [ACCOUNT]
    assert open_cache("hash-two", with_account=False).list_accounts() == []


def test_another_sign_in_of_the_same_person_sees_nothing(cache: SignInTokenCache) -> None:
    cache.save_tokens(ME, "graph", (make_token(),))
    other = open_cache("hash-two")
    assert other.load_tokens(ME, "graph") == other.peek_tokens(ME, "graph") == ()
    other.delete_account("")
    assert cache.load_tokens(ME, "graph")


def test_entries_end_with_the_longest_token_in_them(cache: SignInTokenCache, redis: Any) -> None:
    cache.save_tokens(ME, "graph", (make_token(seconds=50), make_token(seconds=500)))
    (key,) = keys_of(redis, "tokens")
    assert 490 < redis.ttl(key) <= 500
    cache.save_tokens(ME, "other", (make_token(seconds=-1),))
    assert keys_of(redis, "tokens") == [key]


def test_the_account_lives_as_long_as_a_session(settings: Any, redis: Any) -> None:
    settings.SESSION_COOKIE_AGE = 700
    open_cache()
    (key,) = keys_of(redis, "account")
    assert 690 < redis.ttl(key) <= 700


def test_it_lives_as_long_as_this_session(settings: Any, redis: Any) -> None:
    """A session may have an expiry of its own; it is asked again whenever something is written."""
    left = [9000.0]
    cache = SignInTokenCache("hash-one", get_settings(), session_seconds=lambda: left[0])
    cache.save_account(ACCOUNT)
    (key,) = keys_of(redis, "account")
    assert 8990 < redis.ttl(key) <= 9000
    left[0] = 20_000
    cache.update_refresh_token("", "rt-one", "rt-two")
    assert 19_990 < redis.ttl(key) <= 20_000
    left[0] = -1
    cache.update_refresh_token("", "rt-two", "rt-three")
    account = cache.load_account("")
    assert account is not None
    assert account.refresh_token == "rt-two"


def test_who_knows_no_session_prolongs_nothing(settings: Any, redis: Any) -> None:
    settings.SESSION_COOKIE_AGE = 700
    now = [time.time()]
    SignInTokenCache("hash-one", get_settings()).save_account(ACCOUNT)
    settings.SESSION_COOKIE_AGE = 50_000
    now[0] += 300
    later = SignInTokenCache("hash-one", get_settings(), clock=lambda: now[0])
    later.update_refresh_token("", "rt-one", "rt-two")
    (key,) = keys_of(redis, "account")
    assert 380 < redis.ttl(key) <= 400


def test_what_a_sign_out_has_to_find_outlives_the_tokens(settings: Any, redis: Any) -> None:
    settings.SESSION_COOKIE_AGE = 600
    cache = open_cache()
    cache.save_tokens(ME, "graph", (make_token(seconds=28 * 3600),))
    (slot,) = keys_of(redis, "resource")
    (tokens,) = keys_of(redis, "tokens")
    assert redis.ttl(slot) > redis.ttl(tokens)
    redis.expire(slot, 60)
    cache.save_tokens(ME, "graph", (make_token(seconds=28 * 3600),))
    assert redis.ttl(slot) > redis.ttl(tokens)


def test_no_tokens_is_no_entry(cache: SignInTokenCache, redis: Any) -> None:
    cache.save_tokens(ME, "graph", (make_token(),))
    cache.save_tokens(ME, "graph", ())
    assert keys_of(redis, "tokens") == []


def test_without_an_account_nothing_is_kept(redis: Any) -> None:
    cache = open_cache(with_account=False)
    cache.save_tokens(ME, "graph", (make_token(),))
    cache.update_refresh_token("uid.utid", "rt-one", "rt-two")
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    ("used", "new", "kept"),
    [
        ("rt-one", "rt-two", "rt-two"),
        ("rt-zero", "rt-two", "rt-two"),
        ("rt-one", None, None),
        ("rt-zero", None, "rt-one"),
    ],
)
def test_refresh_tokens_are_replaced_and_dropped(
    cache: SignInTokenCache, used: str, new: str | None, kept: str | None
) -> None:
    cache.update_refresh_token("uid.utid", used, new)
    account = cache.load_account("")
    assert account is not None
    assert account.refresh_token == kept


class TestEnd:
    def test_everything_goes_and_the_copies_too(self, cache: SignInTokenCache, redis: Any) -> None:
        for resource in ("graph", "api://other"):
            cache.save_tokens(ME, resource, (make_token(),))
            assert cache.peek_tokens(ME, resource)
        cache.delete_account("whatever")
        assert keys_of(redis, "tokens") == keys_of(redis, "account") == []
        assert cache.load_account("") is None
        for resource in ("graph", "api://other"):
            assert cache.peek_tokens(ME, resource) == ()

    def test_a_tombstone_stays_for_as_long_as_a_writer_may_take(
        self, cache: SignInTokenCache, redis: Any
    ) -> None:
        from django_entra_auth.cache.single_flight import LOCK_SECONDS

        cache.delete_account("")
        (key,) = keys_of(redis, "ended")
        assert redis.ttl(key) > 2 * LOCK_SECONDS + sum(get_settings().http_timeout) * 2

    def test_nothing_is_written_after_it(self, cache: SignInTokenCache, redis: Any) -> None:
        cache.delete_account("")
        cache.save_account(ACCOUNT)
        cache.save_tokens(ME, "graph", (make_token(),))
        cache.update_refresh_token("", "rt-one", "rt-two")
        assert keys_of(redis, "tokens") == keys_of(redis, "account") == []

    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize(
        ("method", "kind"),
        [
            ("load", "account"),
            ("look", "ended"),
            ("save", "account"),
            ("save", "tokens"),
            ("add", "resource"),
        ],
    )
    @pytest.mark.parametrize("write", ["tokens", "refresh_token"])
    def test_a_writer_under_way_revives_nothing(
        self,
        cache: SignInTokenCache,
        redis: Any,
        monkeypatch: pytest.MonkeyPatch,
        *,
        method: str,
        kind: str,
        before: bool,
        write: str,
    ) -> None:
        """The end comes before and after each step of the writer."""
        if kind in {"tokens": {"account"}, "refresh_token": {"tokens", "resource"}}[write] and (
            method not in {"load", "look"}
        ):
            return  # this writer does not take that step
        hook(monkeypatch, method, lambda key: cache.delete_account(""), kind, before=before)
        if write == "tokens":
            cache.save_tokens(ME, "graph", (make_token(),))
        else:
            cache.update_refresh_token("", "rt-one", "rt-two")
        assert keys_of(redis, "tokens") == keys_of(redis, "account") == []
        assert keys_of(redis, "resource") == []
        assert keys_of(redis, "ended")

    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize("method", ["load", "add"])
    def test_two_resources_kept_at_once_both_go(
        self,
        cache: SignInTokenCache,
        redis: Any,
        monkeypatch: pytest.MonkeyPatch,
        *,
        method: str,
        before: bool,
    ) -> None:
        """A second worker keeps another resource's token around a step of the first."""
        other = SignInTokenCache("hash-one", get_settings())
        keep = lambda key: other.save_tokens(ME, "api://two", (make_token(),))  # noqa: E731
        hook(monkeypatch, method, keep, "resource", before=before)
        cache.save_tokens(ME, "api://one", (make_token(),))
        assert len(keys_of(redis, "tokens")) == 2
        cache.delete_account("")
        assert keys_of(redis, "tokens") == []

    def test_a_new_refresh_token_survives_another_resource(
        self, cache: SignInTokenCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A second worker renews while the first one notes a resource."""
        other = SignInTokenCache("hash-one", get_settings())
        renew = lambda key: other.update_refresh_token("", "rt-one", "rt-two")  # noqa: E731
        hook(monkeypatch, "load", renew, "account")
        cache.save_tokens(ME, "api://one", (make_token(),))
        account = cache.load_account("")
        assert account is not None
        assert account.refresh_token == "rt-two"

    def test_a_lost_account_takes_its_tokens_along(
        self, cache: SignInTokenCache, redis: Any
    ) -> None:
        """Redis evicted the entry that names the resources; the sign-out comes later."""
        cache.save_tokens(ME, "graph", (make_token(),))
        cache.peek_tokens(ME, "graph")
        (key,) = keys_of(redis, "account")
        redis.delete(key)
        cache.delete_account("")
        assert keys_of(redis, "tokens") == []
        assert cache.peek_tokens(ME, "graph") == ()


def test_an_outage_is_told_by_every_method() -> None:
    down = {"default": DOWN}
    with override_settings(CACHES=down):
        cache = open_cache(with_account=False)
        calls: list[Callable[[], object]] = [
            lambda: cache.load_tokens(ME, "graph"),
            lambda: cache.peek_tokens(ME, "graph"),
            lambda: cache.save_tokens(ME, "graph", (make_token(),)),
            lambda: cache.save_tokens(ME, "graph", ()),
            lambda: cache.load_account(""),
            lambda: cache.list_accounts(),
            lambda: cache.save_account(ACCOUNT),
            lambda: cache.update_refresh_token("", "rt-one", None),
            lambda: cache.delete_account(""),
            lambda: cache.single_flight("key", dict),
        ]
        for call in calls:
            with pytest.raises(TemporarilyUnavailable):
                call()


def test_nothing_is_readable_in_key_or_value(redis: Any) -> None:
    cache = open_cache("find-me-hash")
    cache.save_tokens(ME, "api://find-me", (make_token("find-me-token"),))
    cache.update_refresh_token("", "rt-one", "find-me-refresh")
    keys = redis.keys("*")
    wire = b"".join([*keys, *(redis.get(key) for key in keys)])
    for secret in (b"find-me", b"rt-one", b"alice", b"uid.utid"):
        assert secret not in wire


@pytest.mark.parametrize("spoilt", [b"", b"stump", None])
def test_a_slot_that_is_lost_keeps_no_other_from_going(
    cache: SignInTokenCache, redis: Any, spoilt: bytes | None
) -> None:
    """Redis damaged or evicted one slot; the others name what a sign-out has to delete."""
    for resource in ("api://one", "api://two"):
        cache.save_tokens(ME, resource, (make_token(),))
    keys = keys_of(redis, "resource")
    assert len(keys) == 2
    first = keys[0]
    redis.delete(first) if spoilt is None else redis.set(first, spoilt)
    cache.delete_account("")
    assert len(keys_of(redis, "tokens")) == 1  # the one that nothing names any more
    assert [key for key in keys_of(redis, "resource") if key != first] == []
