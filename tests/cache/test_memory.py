"""What a sign-in with three APIs weighs in Redis, beside the bare strings and msal's cache."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msal
import pytest

from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.conf import get_settings
from django_entra_auth.oauth2.token_cache import CachedAccount, CachedToken, Holder
from tests.cache.people import APIS, USER, Person, list_keys

BUDGET = 1.25
# Sizes seen in tenants with few and with many claims.
SIZES = [(1_400, 1_000), (1_800, 1_200), (2_600, 1_700)]
RESOURCES = ("https://graph.microsoft.com", "api://mail", "api://files")
TID, OID = "11111111-2222-4333-8444-555555555555", "abcdef01-2222-4333-8444-555555555555"
HOME = f"{OID}.{TID}"


@dataclass(frozen=True)
class Strings:
    """A sign-in's secrets: random, as nothing of a real one can be compressed."""

    access: tuple[str, ...]
    refresh: str

    @property
    def all(self) -> tuple[str, ...]:
        return *self.access, self.refresh


@pytest.fixture(params=SIZES, ids=lambda size: f"access-{size[0]}-refresh-{size[1]}")
def strings(request: pytest.FixtureRequest) -> Strings:
    access, refresh = request.param
    return Strings(tuple(_random(access) for _ in RESOURCES), _random(refresh))


def _random(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]


def weigh(redis: Any, keys: Iterable[Any]) -> int:
    """MEMORY USAGE of the whole of each."""
    return sum(int(redis.memory_usage(key, samples=0)) for key in keys)


def weigh_raw(redis: Any, strings: Iterable[str]) -> int:
    """Each string under a key of its own, with an end, as plain as can be."""
    before = set(redis.keys("*"))
    for text in strings:
        redis.set(f"raw:{secrets.token_hex(32)}", text, ex=3600)
    return weigh(redis, set(redis.keys("*")) - before)


def keep(strings: Strings) -> None:
    cache = SignInTokenCache(secrets.token_hex(32), get_settings())
    name = "alice@contoso.example"
    cache.save_account(CachedAccount(HOME, TID, OID, name, "login.example", strings.refresh))
    end = time.time() + 3600
    for resource, text in zip(RESOURCES, strings.access, strict=True):
        token = CachedToken(text, frozenset({"user.read"}), end, end - 1800)
        cache.save_tokens(Holder("account", HOME), resource, (token,))


def serialize_with_msal(strings: Strings) -> str:
    """What msal writes for the same sign-in: for the session, or a cache entry of one's own."""
    cache = msal.SerializableTokenCache()
    for number, (resource, text) in enumerate(zip(RESOURCES, strings.access, strict=True)):
        once = {"refresh_token": strings.refresh} if number == 0 else {}
        cache.add(
            {
                "client_id": "22222222-2222-4333-8444-555555555555",
                "scope": [f"{resource}/User.Read"],
                "token_endpoint": f"https://login.example/{TID}/oauth2/v2.0/token",
                "response": {
                    "access_token": text,
                    **once,
                    "expires_in": 3600,
                    "token_type": "Bearer",
                    "scope": f"{resource}/User.Read",
                },
            }
        )
    return str(cache.serialize())


def test_within_a_quarter_more_than_the_strings_alone(redis: Any, strings: Strings) -> None:
    keep(strings)
    assert len(redis.keys("*")) == 1 + 2 * len(RESOURCES)
    ours = weigh(redis, redis.keys("*"))
    raw = weigh_raw(redis, strings.all)
    blob = serialize_with_msal(strings)
    assert json.loads(blob)["AccessToken"]
    theirs = weigh_raw(redis, [blob])
    line = f"{ours} bytes for 3 APIs; raw {raw} ({ours / raw:.2f}), msal's blob {theirs}"
    sys.stdout.write(f"\n{line}\n")
    assert ours <= BUDGET * raw, line


def test_nothing_else_grows_with_the_number_of_apis(redis: Any, strings: Strings) -> None:
    keep(strings)
    keys = list_keys(redis)
    assert {kind: len(found) for kind, found in keys.items()} == {
        "account": 1,
        "resource": len(RESOURCES),
        "tokens": len(RESOURCES),
    }


@pytest.mark.django_db
def test_a_real_sign_in_weighs_what_its_tokens_weigh(
    redis: Any, entra: Any, entra_settings: Any, transactional_db: None
) -> None:
    """With everything the flow itself leaves behind, as far as it belongs to this sign-in."""
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": USER}
    person = Person(entra)
    secrets_kept = [person.ask(scopes)["access_token"] for scopes in APIS]
    account = SignInTokenCache(person.id_hash, get_settings()).load_account("")
    assert account is not None
    assert account.refresh_token
    keys = list_keys(redis)
    own = [f":1:{key}" for kind in ("account", "resource", "tokens") for key in keys[kind]]
    ours, raw = weigh(redis, own), weigh_raw(redis, [*secrets_kept, account.refresh_token])
    rest = weigh(redis, redis.keys("*entra:1:*")) - ours
    sys.stdout.write(f"\n{ours} bytes, raw {raw} ({ours / raw:.2f}); shared by all: {rest}\n")
    assert ours - raw <= 7 * 200  # for each entry an end, a seal and the rest of its name
    assert redis.ttl(own[0]) > 0
