"""What a cache must be able to do to hold tokens, locks and one-time claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string

from django_entra_auth.conf import EntraSettings

Kind = type[Error] | type[Warning]

UNSHARED_BACKENDS = {
    "DummyCache": "keeps nothing",
    "FileBasedCache": "has no atomic add",
    "LocMemCache": "is not shared between processes",
}
TIMEOUTS = ("socket_connect_timeout", "socket_timeout")


def build_message(kind: Kind, code: str, text: str, hint: str) -> CheckMessage:
    """A check message of this app."""
    return kind(text, hint=hint, id=f"django_entra_auth.{code}")


def find_problems(entra: EntraSettings | None) -> Iterator[CheckMessage]:
    """What is wrong with the cache of CACHE_ALIAS wherever the site runs."""
    if entra is None:
        return
    alias = entra.cache_alias
    if alias not in settings.CACHES:
        text = f"ENTRA_AUTH['CACHE_ALIAS'] is {alias!r}, which CACHES does not define."
        yield build_message(Error, "E011", text, "Name an alias of CACHES.")
        return
    config = settings.CACHES[alias]
    names = _class_names(config)
    yield from _rolled_back(alias, names)
    yield from _silent(alias, names, config)
    yield from _unshared(alias, names, Warning, "W002")
    yield from _late(alias, names, config)


def find_deployment_problems(entra: EntraSettings | None) -> Iterator[CheckMessage]:
    """What is wrong with it in production."""
    config = settings.CACHES.get(entra.cache_alias) if entra else None
    if entra is None or config is None:
        return
    names = _class_names(config)
    yield from _unshared(entra.cache_alias, names, Error, "E014")
    yield from _endless(entra.cache_alias, names, config)


def _class_names(config: Mapping[str, Any]) -> list[str]:
    """Dotted names of the backend's class and its bases: a project may have a subclass."""
    path = str(config.get("BACKEND", ""))
    try:
        backend = import_string(path)
    except ImportError:
        return [path]
    bases = getattr(backend, "__mro__", ())
    return [path, *(f"{base.__module__}.{base.__name__}" for base in bases)]


def _rolled_back(alias: str, names: list[str]) -> Iterator[CheckMessage]:
    atomic = any(db.get("ATOMIC_REQUESTS") for db in settings.DATABASES.values())
    if atomic and any(name.endswith(".DatabaseCache") for name in names):
        text = f"The cache {alias!r} is in a database with ATOMIC_REQUESTS."
        hint = "A claim made in a request that fails would be rolled back: use Redis or memcached."
        yield build_message(Error, "E012", text, hint)


def _silent(alias: str, names: list[str], config: Mapping[str, Any]) -> Iterator[CheckMessage]:
    everywhere = getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False)
    ignores = config.get("OPTIONS", {}).get("IGNORE_EXCEPTIONS", everywhere)
    if ignores and any(name.startswith("django_redis.") for name in names):
        text = f"The cache {alias!r} ignores exceptions, so an outage looks like an empty cache."
        hint = "Turn IGNORE_EXCEPTIONS off, or use an alias of its own."
        yield build_message(Error, "E013", text, hint)


def _unshared(alias: str, names: list[str], kind: Kind, code: str) -> Iterator[CheckMessage]:
    for name in {name.rpartition(".")[2] for name in names} & UNSHARED_BACKENDS.keys():
        text = f"The cache {alias!r} ({name}) {UNSHARED_BACKENDS[name]}."
        hint = "Use Redis or memcached where more than one process runs."
        yield build_message(kind, code, text, hint)


def _late(alias: str, names: list[str], config: Mapping[str, Any]) -> Iterator[CheckMessage]:
    sharded = "Shard" in str(config.get("OPTIONS", {}).get("CLIENT_CLASS", ""))
    is_redis = any(name.endswith(".RedisCache") for name in names)
    if is_redis and not sharded and len(_locations(config)) > 1:
        text = f"The Redis cache {alias!r} has several addresses: it reads from replicas."
        hint = "A replica may be behind and hide a sign-out: let LOCATION be the primary alone."
        yield build_message(Warning, "W006", text, hint)


def _endless(alias: str, names: list[str], config: Mapping[str, Any]) -> Iterator[CheckMessage]:
    if not any(name.endswith(".RedisCache") for name in names):
        return
    if missing := [name for name in TIMEOUTS if not _has_timeout(name, names, config)]:
        is_django_redis = any(name.startswith("django_redis.") for name in names)
        options = [name.upper() if is_django_redis else name for name in missing]
        text = f"The Redis cache {alias!r} has no {' and no '.join(options)}."
        hint = (
            "Set it in OPTIONS, for example to 1 second: a Redis that hangs would hold every"
            " request for as long as the client library happens to wait."
        )
        yield build_message(Warning, "W005", text, hint)


def _has_timeout(name: str, names: list[str], config: Mapping[str, Any]) -> bool:
    options = config.get("OPTIONS", {})
    if any(one.startswith("django_redis.") for one in names):
        pool = options.get("CONNECTION_POOL_KWARGS", {})
        given = options.get(name.upper()) or pool.get(name)
    else:
        given = options.get(name)
    return bool(given) or all(name in parse_qs(urlsplit(url).query) for url in _locations(config))


def _locations(config: Mapping[str, Any]) -> list[str]:
    location = config.get("LOCATION", "")
    return location.split(",") if isinstance(location, str) else [str(url) for url in location]
