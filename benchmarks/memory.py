"""Weighs in Redis what a sign-in with three resources leaves there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django_redis import get_redis_connection

from benchmarks.seed import (
    LIFETIME,
    OBJECT_ID,
    TENANT_ID,
    Strings,
    keep_ours,
    make_strings,
    save_session,
    seed_person,
    serialize_msal,
    use,
)
from django_entra_auth import sign_ins

RESOURCES: Final = 3
_ALIAS: Final = "memory_test"


@dataclass(frozen=True)
class Weight:
    """Bytes that MEMORY USAGE reports for some keys, and how many keys there are."""

    bytes: int
    keys: int


def measure_memory() -> dict[str, Weight]:
    """Weigh each way to keep the same strings; the names are those of the report."""
    person, strings = seed_person(RESOURCES), make_strings(RESOURCES)
    session = _find_session(person.ours)
    use(alias=_ALIAS)
    settings.SESSION_CACHE_ALIAS = _ALIAS
    weights = {
        "the same strings, raw": _weigh(lambda: _keep_raw(strings)),
        "this project: tokens": _weigh(lambda: _keep_ours(strings)),
        "this project: session": _weigh(lambda: save_session(session)),
        "msal: session with its cache": _weigh(
            lambda: save_session({**_login(session), "token_cache": serialize_msal(strings)})
        ),
    }
    use()
    return weights


def _find_session(key: str) -> Mapping[str, Any]:
    from django.contrib.sessions.backends.cache import SessionStore

    return dict(SessionStore(key).load())


def _login(session: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in session.items() if name.startswith("_auth")}


def _keep_raw(strings: Strings) -> None:
    store = get_redis_connection(_ALIAS)
    for text in (*strings.access_tokens, strings.refresh_token):
        store.set(f"raw:{secrets.token_hex(32)}", text, ex=LIFETIME)


def _keep_ours(strings: Strings) -> None:
    kept = keep_ours(sign_ins.new_sign_in_id(), f"{OBJECT_ID}.{TENANT_ID}", strings)
    if kept != RESOURCES:
        raise RuntimeError(f"{kept} of {RESOURCES} tokens were kept")


def _weigh(write: Callable[[], object]) -> Weight:
    store = get_redis_connection(_ALIAS)
    store.flushdb()
    write()
    keys = list(store.scan_iter())
    total = sum(int(store.memory_usage(key, samples=0) or 0) for key in keys)
    store.flushdb()
    return Weight(total, len(keys))
