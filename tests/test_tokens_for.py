"""`sign_ins.tokens_for`: tokens for background code, and never inside a request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client, override_settings
from django.utils import timezone

from django_entra_auth import sign_ins
from django_entra_auth.cache.local_copies import local_copies
from django_entra_auth.client import get_application
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.exceptions import (
    InteractionRequired,
    TemporarilyUnavailable,
    TokenThrottled,
)
from django_entra_auth.models import EntraSignIn
from django_entra_auth.testing import sign_in
from tests.redis_cache import DOWN
from tests.visitor import Visitor

SCOPES = ["User.Read"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture
def arrive(entra: Any, entra_settings: Any) -> Callable[..., Visitor]:
    """Somebody signs in with a browser of their own."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": SCOPES}

    def come(person: str = "alice") -> Visitor:
        visitor = Visitor(entra)
        visitor.sign_in(person)
        return visitor

    return come


def user_of(visitor: Visitor) -> User:
    return User.objects.get(pk=visitor.client.session["_auth_user_id"])


def token_of(visitor: Visitor) -> str:
    """The token of this browser's own sign-in."""
    entry = visitor.client.session["_entra"]
    cache = sign_ins.open_token_cache(entry["id"])
    account = cache.load_account("")
    assert account is not None
    shown = {"home_account_id": entry["home"]}
    result = get_application().bind(cache).acquire_token_silent(SCOPES, shown)
    assert result is not None
    return str(result["access_token"])


def refreshes(entra: Any) -> list[Any]:
    posts = [one for one in list(entra.requests) if one.path.endswith("/token")]
    return [one for one in posts if one.form["grant_type"] == "refresh_token"]


def has_nothing(user: Any) -> bool:
    with pytest.raises(InteractionRequired) as caught:
        sign_ins.tokens_for(user).token(SCOPES)
    assert caught.value.scopes == tuple(SCOPES)
    return sign_ins.tokens_for(user).acquire_token_silent(SCOPES) is None


# Whose, and for how long


def test_it_is_the_token_of_the_sign_in(entra: Any, arrive: Callable[..., Visitor]) -> None:
    visitor = arrive()
    tokens = sign_ins.tokens_for(user_of(visitor))
    assert tokens.token(SCOPES) == token_of(visitor)
    result = tokens.acquire_token_silent(SCOPES)
    assert result is not None
    assert result["token_source"] == "cache"
    assert refreshes(entra) == []


def test_another_api_costs_one_refresh(entra: Any, arrive: Callable[..., Visitor]) -> None:
    user = user_of(arrive())
    first = sign_ins.tokens_for(user).token(["api://other/Read"])
    assert sign_ins.tokens_for(user).token(["api://other/Read"]) == first
    assert len(refreshes(entra)) == 1


def test_force_and_challenge_reach_entra(entra: Any, arrive: Callable[..., Visitor]) -> None:
    tokens = sign_ins.tokens_for(user_of(arrive()))
    tokens.acquire_token_silent(SCOPES, force_refresh=True)
    challenge = json.dumps({"access_token": {"nbf": {"essential": True, "value": "1"}}})
    tokens.token(SCOPES, claims_challenge=challenge)
    assert "nbf" not in refreshes(entra)[0].form["claims"]
    assert "nbf" in refreshes(entra)[1].form["claims"]


def test_the_latest_browser_that_is_still_signed_in(arrive: Callable[..., Visitor]) -> None:
    older, newer, bob = arrive(), arrive(), arrive("bob")
    user = user_of(older)
    assert user == user_of(newer) != user_of(bob)
    assert token_of(older) != token_of(newer)
    tokens = sign_ins.tokens_for(user)
    assert tokens.token(SCOPES) == token_of(newer)
    newer.client.logout()
    assert tokens.token(SCOPES) == token_of(older)
    older.client.logout()
    assert has_nothing(user)
    assert tokens.acquire_token_silent(SCOPES) is None
    assert sign_ins.tokens_for(user_of(bob)).token(SCOPES) == token_of(bob)


def test_a_user_with_two_accounts_has_the_latest_of_both(arrive: Callable[..., Visitor]) -> None:
    alice, bob = arrive(), arrive("bob")
    row = EntraSignIn.objects.latest("created")
    row.identity.user = user_of(alice)
    row.identity.save()
    session = bob.client.session
    with pytest.raises(InteractionRequired):
        sign_ins.tokens_for(User.objects.get(pk=session["_auth_user_id"])).token(SCOPES)
    # Bob's session names the other user still, so that it is not one of Alice's.
    assert sign_ins.tokens_for(user_of(alice)).token(SCOPES) == token_of(alice)
    session["_auth_user_id"] = str(user_of(alice).pk)
    session["_auth_user_hash"] = user_of(alice).get_session_auth_hash()
    session.save()
    assert sign_ins.tokens_for(user_of(alice)).token(SCOPES) == token_of(bob)


def test_people_who_never_signed_in_have_none() -> None:
    assert has_nothing(User.objects.create(username="local"))


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db"])
def test_a_row_outlives_its_session_but_no_token_does(
    arrive: Callable[..., Visitor], settings: Any, engine: str
) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    visitor = arrive()
    user = user_of(visitor)
    assert sign_ins.tokens_for(user).token(SCOPES)
    visitor.client.session.delete()
    assert EntraSignIn.objects.exists()
    assert has_nothing(user)


def test_nor_after_the_session_has_expired(arrive: Callable[..., Visitor]) -> None:
    user = user_of(arrive())
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert has_nothing(user)


@pytest.mark.parametrize("change", ["password", "inactive", "everywhere"])
def test_nor_when_the_session_would_let_nobody_in(
    arrive: Callable[..., Visitor], change: str
) -> None:
    user = user_of(arrive())
    if change == "password":
        user.set_unusable_password()
    elif change == "inactive":
        user.is_active = False
    else:
        sign_ins.end_everywhere(user)
    user.save()
    assert has_nothing(User.objects.get(pk=user.pk))


def test_a_rotated_secret_key_signs_no_job_out(arrive: Callable[..., Visitor]) -> None:
    user = user_of(arrive())
    old = django_settings.SECRET_KEY
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=[old]):
        assert sign_ins.tokens_for(user).token(SCOPES)


def test_with_signed_cookies_until_the_account_ends(
    arrive: Callable[..., Visitor], settings: Any, redis: Any
) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    visitor = arrive()
    user = user_of(visitor)
    assert sign_ins.tokens_for(user).token(SCOPES) == token_of(visitor)
    redis.delete(*redis.keys("*entra:1:account:*"))
    assert has_nothing(user)


def test_a_job_prolongs_nothing(
    entra: Any, arrive: Callable[..., Visitor], redis: Any, settings: Any
) -> None:
    settings.SESSION_COOKIE_AGE = 5000
    user = user_of(arrive())
    settings.SESSION_COOKIE_AGE = 50_000
    (key,) = redis.keys("*entra:1:account:*")
    sign_ins.tokens_for(user).acquire_token_silent(SCOPES, force_refresh=True)
    assert len(refreshes(entra)) == 1
    assert 4900 < redis.ttl(key) <= 5000


# Trouble


def test_trouble_is_told_by_kind(entra: Any, arrive: Callable[..., Visitor]) -> None:
    user = user_of(arrive())
    tokens = sign_ins.tokens_for(user)
    entra.faults.add("token", Fault(429, "{}", {"Retry-After": "30"}))
    with pytest.raises(TokenThrottled) as throttled:
        tokens.token(["api://other/Read"])
    assert 25 <= throttled.value.retry_after <= 30
    entra.faults.add("token", Fault(503, "down"), times=None)
    with pytest.raises(TemporarilyUnavailable):
        tokens.token(["api://third/Read"])
    assert tokens.token(SCOPES)


def test_an_outage_is_no_sign_out(arrive: Callable[..., Visitor]) -> None:
    user = user_of(arrive())
    local_copies.clear()
    with override_settings(CACHES={"default": DOWN}):
        result = sign_ins.tokens_for(user).acquire_token_silent(SCOPES)
        assert result is not None
        assert (result["error"], result["category"]) == ("temporarily_unavailable", "transient")
        with pytest.raises(TemporarilyUnavailable):
            sign_ins.tokens_for(user).token(SCOPES)


# Never inside a request


def refuse(make: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match=r"request\.entra"):
        make()


@pytest.fixture
def user() -> Any:
    return sign_in(Client())


def test_not_in_a_request_and_again_after_it(user: Any) -> None:
    early = sign_ins.tokens_for(user)
    with sign_ins.request_scope():
        refuse(lambda: sign_ins.tokens_for(user))
        refuse(lambda: early.token(SCOPES))
        refuse(lambda: early.acquire_token_silent(SCOPES))
        with sign_ins.request_scope():
            pass
        refuse(lambda: sign_ins.tokens_for(user))
    assert sign_ins.tokens_for(user).acquire_token_silent(SCOPES) is None


def test_a_request_that_fails_ends_too(user: Any) -> None:
    with pytest.raises(LookupError), sign_ins.request_scope():
        raise LookupError
    sign_ins.tokens_for(user)


def test_not_in_the_threads_and_tasks_of_an_async_request(user: Any) -> None:
    async def answer() -> None:
        with sign_ins.request_scope():
            await asyncio.sleep(0)
            refuse(lambda: sign_ins.tokens_for(user))
            for thread_sensitive in (True, False):
                ask = sync_to_async(sign_ins.tokens_for, thread_sensitive=thread_sensitive)
                with pytest.raises(RuntimeError):
                    await ask(user)
            with pytest.raises(RuntimeError):
                await asyncio.create_task(_ask_later(user))

    async def both() -> None:
        """A job of the same event loop goes on beside the request."""
        await asyncio.gather(answer(), _ask_later(user))

    asyncio.run(both())


async def _ask_later(user: Any) -> None:
    await asyncio.sleep(0)
    sign_ins.tokens_for(user)


def test_not_in_a_pool_that_takes_the_context_along(user: Any) -> None:
    with ThreadPoolExecutor(1) as pool, sign_ins.request_scope():
        inherited = pool.submit(copy_context().run, sign_ins.tokens_for, user)
        with pytest.raises(RuntimeError):
            inherited.result()
    assert sign_ins.in_request.get() is False
