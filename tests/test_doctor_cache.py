"""The doctor tries the cache with real processes: kept, shared, and one winner of an add."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches

from django_entra_auth.doctor import TOPICS, Finding, Options, cache
from tests.diagnosis import diagnose, local

pytestmark = pytest.mark.usefixtures("entra_settings")
BACKENDS = "django.core.cache.backends"
THE_CACHE = Options(offline=True, skip=frozenset(TOPICS) - {"cache"})


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The findings on a cache that this process and those it starts are given."""

    def find(config: dict[str, Any], entra_auth: dict[str, Any] | None = None) -> list[Finding]:
        shared = {"default": config}
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings.cache_by_environment")
        monkeypatch.setenv("TEST_CACHES", json.dumps(shared))
        found = diagnose(entra_auth, THE_CACHE, CACHES=shared)
        return [one for one in found if one.topic == "cache"]

    return find


def test_redis_is_shared_lets_one_add_and_is_left_empty(
    look: Any, redis_url: str, settings: Any
) -> None:
    config = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis_url}
    found = look(config)
    assert [one.status for one in found] == ["pass", "pass"]
    assert "exactly one" in found[1].reason
    settings.CACHES = {"default": config}
    assert caches["default"].keys("*doctor*") == []


def test_a_cache_of_one_process_is_not_shared(look: Any) -> None:
    entra_auth = local(AUTHORITY="https://login.microsoftonline.com/contoso", LOCAL_EMULATOR=False)
    (found,) = look({"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}, entra_auth)
    assert (found.status, "not shared" in found.reason) == ("fail", True)
    assert "Redis" in found.fix


def test_beside_the_local_entra_one_process_is_enough(look: Any) -> None:
    (found,) = look({"BACKEND": f"{BACKENDS}.locmem.LocMemCache"})
    assert (found.status, "not shared" in found.reason) == ("warn", True)


def test_files_have_no_atomic_add(look: Any, tmp_path: Path) -> None:
    config = {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    shared, added = look(config)
    assert (shared.status, added.status) == ("pass", "fail")
    assert "not atomic" in added.reason


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"BACKEND": f"{BACKENDS}.dummy.DummyCache"}, "does not keep"),
        (
            {"BACKEND": "django_redis.cache.RedisCache",
             "LOCATION": "redis://user:hush-hush@127.0.0.1:1/0"},
            "cannot be asked: ConnectionError",
        ),
    ],
)  # fmt: skip
def test_a_cache_that_keeps_nothing(look: Any, config: dict[str, Any], reason: str) -> None:
    (found,) = look(config)
    assert (found.status, reason in found.reason) == ("fail", True)
    assert "hush" not in repr(found)


def test_a_cache_that_hangs_is_not_waited_for_without_end(
    look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "WAIT_SECONDS", 4.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        (found,) = look({"BACKEND": "django_redis.cache.RedisCache", "LOCATION": address})
    assert (found.status, "does not answer within 4 s" in found.reason) == ("fail", True)
    assert "timeouts" in found.fix


def test_processes_that_cannot_be_started_are_no_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings.nowhere")
    found = diagnose(options=THE_CACHE)
    assert [one.status for one in found if one.topic == "cache"] == ["skip"]
