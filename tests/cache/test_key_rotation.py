"""Keys change while people are signed in: nobody is signed out, nobody is prompted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache
from django.test import override_settings

from django_entra_auth import sign_ins
from django_entra_auth.cache.entries import Entries
from django_entra_auth.conf import get_settings
from django_entra_auth.models import EntraSignIn
from tests.cache.people import APIS, USER, Person, list_keys, posts
from tests.visitor import Visitor

OLD_SECRET, NEW_SECRET = "old-and-long-enough-" * 4, "new-and-long-enough-" * 4
OLD_KEY, NEW_KEY = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))

Keys = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture(params=["SECRET_KEY", "ENCRYPTION_KEYS"])
def use_keys(request: pytest.FixtureRequest, entra_settings: Any, transactional_db: None) -> Keys:
    """A worker with some of the keys "old" and "new", the first of which seals."""
    base = {**entra_settings.ENTRA_AUTH, "SCOPES": USER, "LOCAL_COPY_SECONDS": 0}

    @contextmanager
    def use_secrets(*names: str) -> Iterator[None]:
        first, *rest = [{"old": OLD_SECRET, "new": NEW_SECRET}[name] for name in names]
        with override_settings(SECRET_KEY=first, SECRET_KEY_FALLBACKS=rest, ENTRA_AUTH=base):
            yield

    @contextmanager
    def use_encryption(*names: str) -> Iterator[None]:
        keys = [{"old": OLD_KEY, "new": NEW_KEY}[name] for name in names]
        with override_settings(ENTRA_AUTH={**base, "ENCRYPTION_KEYS": keys}):
            yield

    return use_secrets if request.param == "SECRET_KEY" else use_encryption


def is_served(person: Person) -> bool:
    """The page is open to them, with a token for each API and no prompt."""
    tokens = [person.ask(scopes) for scopes in APIS]
    return person.visitor.is_signed_in() and all("access_token" in (one or {}) for one in tokens)


def test_a_rotation_signs_nobody_out_and_asks_entra_nothing(use_keys: Keys, entra: Any) -> None:
    with use_keys("old"):
        person = Person(entra)
        assert is_served(person)
    entra.requests.clear()
    with use_keys("new", "old"):
        assert is_served(person)
    assert [one for one in posts(entra) if one.form["grant_type"] != "refresh_token"] == []
    assert posts(entra) == []


def test_a_sign_in_under_way_comes_to_its_end(use_keys: Keys, entra: Any) -> None:
    visitor = Visitor(entra)
    with use_keys("old"):
        answer = visitor.answer(visitor.begin())
    with use_keys("new", "old"):
        assert visitor.deliver(answer).status_code == 302
        assert visitor.is_signed_in()


def test_what_is_written_anew_is_sealed_with_the_newest_key(
    use_keys: Keys, entra: Any, redis: Any
) -> None:
    """So the old key may go once everything it sealed has ended."""
    with use_keys("old"):
        person = Person(entra)
    with use_keys("new", "old"):
        assert "access_token" in person.ask(force_refresh=True)
    with use_keys("new"):
        keys = list_keys(redis)
        entries = Entries(get_settings())
        assert all(entries.load(key) for kind in ("account", "tokens") for key in keys[kind])
        assert "access_token" in person.ask()


def test_without_the_old_key_it_is_a_miss_that_heals(use_keys: Keys, entra: Any) -> None:
    """Who drops a key too early sends people through Entra once; nothing breaks."""
    with use_keys("old"):
        person = Person(entra)
    with use_keys("new"):
        assert person.ask() is None
        person.visitor.client.cookies.clear()
        again = Person(entra)
        assert "access_token" in again.ask()


def test_workers_with_the_old_and_the_new_order_understand_each_other(
    use_keys: Keys, entra: Any
) -> None:
    """The way without a gap: first every worker learns the new key, then it comes first."""
    with use_keys("old"):
        people = [Person(entra, name) for name in ("alice", "bob")]
    for order in (("old", "new"), ("new", "old"), ("old", "new")):
        with use_keys(*order):
            assert all("access_token" in person.ask(force_refresh=True) for person in people)
            newcomer = Person(entra, "erin")
        people.append(newcomer)
    entra.requests.clear()
    for order in (("old", "new"), ("new", "old")):
        with use_keys(*order):
            assert all("access_token" in person.ask() for person in people)
    assert posts(entra) == []


def test_ends_are_ends_for_workers_of_either_order(use_keys: Keys, entra: Any) -> None:
    for ends, looks in ((("old", "new"), ("new", "old")), (("new", "old"), ("old", "new"))):
        with use_keys(*ends):
            person = Person(entra)
            sign_ins.end(person.entry["id"])
        with use_keys(*looks):
            assert sign_ins.has_ended(person.entry["id"])
            assert person.ask() is None


def test_a_sign_in_from_before_can_still_be_ended_from_elsewhere(
    use_keys: Keys, entra: Any
) -> None:
    """The session's key in the row is sealed too."""
    with use_keys("old"):
        person = Person(entra)
    with use_keys("new", "old"):
        assert person.visitor.is_signed_in()
        assert sign_ins.end_one(EntraSignIn.objects.get(id_hash=person.id_hash))
        assert not person.visitor.is_signed_in()
        assert person.ask() is None


def test_a_throttle_that_was_noted_before_still_counts(use_keys: Keys, entra: Any) -> None:
    with use_keys("old"):
        person = Person(entra)
        entra.faults.throttle(60)
        assert person.ask(force_refresh=True)["category"] == "throttled"
    entra.requests.clear()
    with use_keys("new", "old"):
        assert person.ask(force_refresh=True)["throttled"]
    assert posts(entra) == []


def test_every_entry_opens_with_the_key_that_sealed_it_and_no_other(
    use_keys: Keys, entra: Any, redis: Any
) -> None:
    with use_keys("old"):
        person = Person(entra)
        assert is_served(person)
    keys = [key for kind in list_keys(redis).values() for key in kind]
    sealed = [key for key in keys if isinstance(cache.get(key), bytes)]
    assert len(sealed) >= 8
    with use_keys("new"):
        assert not any(Entries(get_settings()).load(key) for key in sealed)
    with use_keys("new", "old"):
        assert all(Entries(get_settings()).load(key) is not None for key in sealed)
