"""Sign-ins that follow each other, and that an end is an end for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client, override_settings

from django_entra_auth import sign_ins, signals
from django_entra_auth.cache import chain
from django_entra_auth.cache.entries import Entries
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.oauth2.token_cache import CachedAccount
from django_entra_auth.testing import sign_in
from tests.redis_cache import DOWN

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

COOKIES = "django.contrib.sessions.backends.signed_cookies"
TID = "11111111-2222-4333-8444-555555555555"
OID = "abcdef01-2222-4333-8444-555555555555"
SID = "00aa11bb-2222-4333-8444-555555555555"
ACCOUNT = CachedAccount("uid.utid", TID, OID, "alice@contoso.example", "host", "rt")


@pytest.fixture
def identity() -> Any:
    return EntraIdentity.objects.create(user=User.objects.create(username="a"), tid=TID, oid=OID)


@pytest.fixture
def prompt(identity: EntraIdentity) -> Callable[..., str]:
    """Sign in, or be prompted again in place of `replaces`; returns the id."""
    session = SessionStore()
    session.create()

    def start(replaces: str | None = None, **more: Any) -> str:
        sign_in_id = sign_ins.new_sign_in_id()
        sign_ins.open_token_cache(sign_in_id).save_account(ACCOUNT)
        values = {"identity": identity, "claims": {"sid": SID}, "session": session, **more}
        sign_ins.start(sign_in_id, replaces=replaces, **values)
        if replaces:
            sign_ins.drop_tokens(sign_ins.hash_id(replaces))
        return sign_in_id

    return start


def has_tokens(sign_in_id: str) -> bool:
    return bool(sign_ins.open_token_cache(sign_in_id).list_accounts())


def find(sign_in_id: str) -> str | None:
    found = sign_ins.find_successor(sign_in_id)
    return None if found is None else found["id"]


# Following


def test_the_older_id_leads_to_the_newer_one(prompt: Callable[..., str]) -> None:
    first = prompt()
    assert find(first) is None
    second = prompt(first)
    assert find(first) == second
    assert find(second) is None
    assert not has_tokens(first)
    assert has_tokens(second)


def test_it_leads_through_several_prompts_to_the_last(prompt: Callable[..., str]) -> None:
    ids = [prompt()]
    for _ in range(4):
        ids.append(prompt(ids[-1]))
    assert {find(earlier) for earlier in ids[:-1]} == {ids[-1]}


def test_the_new_entry_of_the_session_comes_along(prompt: Callable[..., str]) -> None:
    first = prompt()
    second = prompt(first, entry={"id": "overruled", "contexts": {"c1": 5}})
    assert sign_ins.find_successor(first) == {"id": second, "contexts": {"c1": 5}}


def test_a_chain_that_never_ends_leads_nowhere(prompt: Callable[..., str]) -> None:
    first = prompt()
    second = prompt(first)
    links = chain.Chain(Entries(get_settings()))
    links.add_successor(sign_ins.hash_id(second), {"id": first})
    assert find(first) is None
    sign_ins.end(first)
    assert not has_tokens(second)


def test_a_pointer_stays_for_minutes_and_no_longer_than_an_end(
    prompt: Callable[..., str], redis: Any
) -> None:
    prompt(prompt())
    (pointer,) = redis.keys("*entra:1:successor:*")
    assert chain.TOMBSTONE_SECONDS - 10 < redis.ttl(pointer) <= chain.TOMBSTONE_SECONDS


def test_no_id_is_readable_in_the_cache(prompt: Callable[..., str], redis: Any) -> None:
    first = prompt()
    second = prompt(first)
    keys = redis.keys("*")
    wire = b"".join([*keys, *(redis.get(key) for key in keys)])
    for sign_in_id in (first, second):
        assert sign_in_id.encode() not in wire
        assert sign_ins.hash_id(sign_in_id).encode() not in wire


def test_a_pointer_cannot_be_moved(prompt: Callable[..., str], redis: Any) -> None:
    victim, attacker = prompt(), prompt()
    prompt(victim)
    (pointer,) = redis.keys("*entra:1:successor:*")
    prompt(attacker)
    (other,) = set(redis.keys("*entra:1:successor:*")) - {pointer}
    redis.set(other, redis.get(pointer))
    assert find(attacker) is None


def test_nobody_is_led_to_another_account(
    prompt: Callable[..., str], identity: EntraIdentity
) -> None:
    first = prompt()
    bob = EntraIdentity.objects.create(user=User.objects.create(username="b"), tid=TID, oid=TID)
    second = prompt(first, identity=bob)
    assert find(first) is None
    assert EntraSignIn.objects.get().id_hash == sign_ins.hash_id(second)
    sign_ins.end(first)
    assert has_tokens(second)


def test_of_two_prompts_in_two_tabs_the_last_one_stays(prompt: Callable[..., str]) -> None:
    """Both had read the same session; it has room for one sign-in, and none is left over."""
    first = prompt()
    second = prompt(first)
    third = prompt(first)
    assert find(first) == find(second) == third
    assert not has_tokens(second)
    assert EntraSignIn.objects.get().id_hash == sign_ins.hash_id(third)


def test_without_the_cache_a_prompt_still_succeeds(
    prompt: Callable[..., str], identity: EntraIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    first = prompt()
    session = SessionStore()
    session.create()
    with override_settings(CACHES={"default": DOWN}):
        values: dict[str, Any] = {"identity": identity, "claims": {}, "session": session}
        row = sign_ins.start(sign_ins.new_sign_in_id(), replaces=first, **values)
    assert EntraSignIn.objects.get() == row
    assert "no pointer" in caplog.text


# Ends


def test_the_end_of_the_successor_is_not_undone(prompt: Callable[..., str]) -> None:
    first = prompt()
    second = prompt(first)
    third = prompt(second)
    sign_ins.end(third)
    assert find(first) is find(second) is find(third) is None


def test_nor_is_one_from_elsewhere(prompt: Callable[..., str]) -> None:
    first = prompt()
    second = prompt(first)
    assert sign_ins.end_from_elsewhere(SID) == 1
    assert find(first) is None
    assert not has_tokens(second)


def test_who_signs_out_with_the_older_session_ends_the_newer_one(
    prompt: Callable[..., str],
) -> None:
    first = prompt()
    second = prompt(first)
    third = prompt(second)
    other = prompt()
    sign_ins.end(first)
    assert [has_tokens(one) for one in (first, second, third, other)] == [False] * 3 + [True]
    assert EntraSignIn.objects.get().id_hash == sign_ins.hash_id(other)
    assert find(first) is find(second) is None


@pytest.mark.parametrize("method", ["add", "look"])
@pytest.mark.parametrize("before", [True, False])
def test_a_sign_out_during_a_prompt_wins(
    prompt: Callable[..., str], monkeypatch: pytest.MonkeyPatch, method: str, *, before: bool
) -> None:
    """The sign-out comes around each step with which the prompt leaves its pointer."""
    first = prompt()
    original, done = getattr(Entries, method), []

    def hooked(self: Entries, asked: Any, *args: Any) -> Any:
        key = str(asked)  # one key, or a list of them
        is_meant = not done and (":successor:" in key or ":ended:" in key) and in_start
        if is_meant and before:
            done.append(key)
            sign_ins.end(first)
        result = original(self, asked, *args)
        if is_meant and not before:
            done.append(key)
            sign_ins.end(first)
        return result

    monkeypatch.setattr(Entries, method, hooked)
    second, in_start = sign_ins.new_sign_in_id(), False
    sign_ins.open_token_cache(second).save_account(ACCOUNT)
    session = SessionStore()
    session.create()
    values: dict[str, Any] = {
        "identity": EntraIdentity.objects.get(),
        "claims": {},
        "session": session,
    }
    in_start = True
    try:
        sign_ins.start(second, replaces=first, **values)
    except UpdateError:
        sign_ins.drop_tokens(sign_ins.hash_id(second))  # what the callback does
    else:
        assert (method, before) == ("look", False)  # its last step was over
    assert done
    assert not has_tokens(second)
    assert find(first) is None


def test_what_was_signed_out_cannot_be_prompted_on(prompt: Callable[..., str]) -> None:
    first = prompt()
    sign_ins.end(first)
    with pytest.raises(UpdateError):
        prompt(first)


def test_ending_one_for_the_admin(client: Client) -> None:
    sign_in(Client(), "bob")
    user = sign_in(client)
    row = EntraSignIn.objects.get(identity__user=user)
    told: list[dict[str, Any]] = []

    def receive(**kwargs: Any) -> None:
        told.append(kwargs)

    signals.signed_out.connect(receive)
    try:
        assert sign_ins.end_one(row)
        assert not sign_ins.end_one(row)
    finally:
        signals.signed_out.disconnect(receive)
    assert client.get("/private/").status_code == 302
    assert [(message["user"], message["request"]) for message in told] == [(user, None)]
    assert EntraSignIn.objects.count() == 1


# Signed cookies: nothing but the tombstone ends a session


def test_whether_it_has_ended_is_one_read(
    prompt: Callable[..., str], redis: Any, settings: Any
) -> None:
    first = prompt()
    redis.config_resetstat()
    assert not sign_ins.has_ended(first)
    stats = redis.info("commandstats")
    assert {name: value["calls"] for name, value in stats.items() if "get" in name} == {
        "cmdstat_mget": 1
    }
    sign_ins.end(first)
    assert sign_ins.has_ended(first)


def test_one_that_was_prompted_again_has_not_ended(prompt: Callable[..., str]) -> None:
    first = prompt()
    second = prompt(first)
    assert not sign_ins.has_ended(first)
    assert not sign_ins.has_ended(second)
    sign_ins.end(second)
    assert sign_ins.has_ended(first)
    assert sign_ins.has_ended(second)


def test_without_the_cache_the_row_says_it(prompt: Callable[..., str]) -> None:
    first, second = prompt(), prompt()
    sign_ins.end(second)
    with override_settings(CACHES={"default": DOWN}):
        assert not sign_ins.has_ended(first)
        assert sign_ins.has_ended(second)
        with pytest.raises(TemporarilyUnavailable):
            sign_ins.find_successor(first)


@pytest.mark.parametrize(
    ("engine", "seconds"), [(COOKIES, 5000 + chain.TOMBSTONE_SECONDS), (None, 300)]
)
def test_a_tombstone_stays_for_as_long_as_a_cookie_could(
    prompt: Callable[..., str], redis: Any, settings: Any, engine: str | None, seconds: int
) -> None:
    settings.SESSION_COOKIE_AGE = 5000
    settings.SESSION_ENGINE = engine or settings.SESSION_ENGINE
    sign_ins.end(prompt())
    (key,) = redis.keys("*entra:1:ended:*")
    assert seconds - 10 < redis.ttl(key) <= seconds


# Everywhere


@pytest.fixture(params=["db", "cache", "cached_db", "signed_cookies"])
def engine(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    return str(request.param)


def is_in(client: Client) -> bool:
    return client.get("/private/").status_code == 200


@pytest.mark.usefixtures("engine")
def test_everywhere_is_every_browser_of_this_person() -> None:
    clients = [Client() for _ in range(3)]
    user, *_ = [sign_in(client) for client in clients]
    bob = Client()
    sign_in(bob, "bob")
    assert all(map(is_in, clients))
    assert sign_ins.end_everywhere(user) == 3
    assert not any(map(is_in, clients))
    assert is_in(bob)
    assert EntraSignIn.objects.count() == 1


def test_sessions_of_other_backends_end_too_without_a_usable_password(client: Client) -> None:
    user = sign_in(Client())
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/login/").wsgi_request.user == user
    before = user.password
    sign_ins.end_everywhere(user)
    assert client.get("/admin/login/").wsgi_request.user != user
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert user.password != before


def test_a_usable_password_is_left_alone(client: Client) -> None:
    user = sign_in(client)
    stale = User.objects.get(pk=user.pk)  # a view that read the user before the password was set
    user.set_password("correct horse")
    user.save()
    assert sign_ins.end_everywhere(stale) == 1
    user.refresh_from_db()
    assert user.check_password("correct horse")


def test_people_who_never_signed_in_through_entra(identity: EntraIdentity) -> None:
    assert sign_ins.end_everywhere(identity.user) == 0


def test_pointers_are_json_and_small(prompt: Callable[..., str]) -> None:
    first = prompt()
    prompt(first, entry={"claims": {"roles": ["r" * 100] * 10}})
    assert len(json.dumps(sign_ins.find_successor(first))) < 1500
