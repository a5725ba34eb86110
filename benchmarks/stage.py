"""What a run stands on: Redis, relays in front of it, a local Entra, and Django set up for them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.redis_server import RedisServer, find_cores, open_redis, pin
from benchmarks.relay import calibrate, start_relay
from django_entra_auth.emulator import Emulator

DIRECT: Final = "direct"
"""The cache alias without a relay."""


@dataclass(frozen=True)
class Distance:
    """A cache alias that reaches Redis with a delay; milliseconds for a round trip."""

    alias: str
    wanted: float
    added: float


@dataclass(frozen=True)
class Stage:
    """Everything that runs beside the measurements."""

    redis: RedisServer
    entra: Emulator
    distances: tuple[Distance, ...]
    cores: tuple[int, int]

    def place_redis(self, *, with_application: bool) -> None:
        """Let Redis share the application's core, or have the other one."""
        pin(self.redis.pid, self.cores[0 if with_application else 1])

    def find_redis_version(self) -> str:
        """Return the server's version."""
        connection = _connect(self.redis.port)
        server: Any = connection.info("server")
        connection.close()
        return str(server["redis_version"])

    def count_commands(self) -> int:
        """Return how many commands Redis has answered so far, this question left out."""
        connection = _connect(self.redis.port)
        statistics: Any = connection.info("commandstats")
        connection.close()
        ignored = {"cmdstat_info", "cmdstat_client|setinfo", "cmdstat_hello", "cmdstat_select"}
        return sum(one["calls"] for name, one in statistics.items() if name not in ignored)


@contextmanager
def open_stage(delays: Sequence[float]) -> Iterator[Stage]:
    """Start everything and set Django up; ``delays`` are milliseconds to add, besides 0."""
    cores = find_cores()
    pin(0, cores[0])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        redis = stack.enter_context(open_redis(folder))
        pin(redis.pid, cores[1])
        entra = stack.enter_context(Emulator(tls=True))
        distances, ports = [Distance(DIRECT, 0.0, 0.0)], {DIRECT: redis.port}
        for delay in delays:
            relay = start_relay(redis.port, core=cores[1])
            stack.callback(relay.stop)
            alias = f"relay_{delay}"
            ports[alias] = relay.port
            added = calibrate(relay, target=redis.port, milliseconds=delay)
            distances.append(Distance(alias, delay, added))
        _set_django_up(folder, entra, ports)
        yield Stage(redis, entra, tuple(distances), cores)


def _set_django_up(folder: Path, entra: Emulator, ports: dict[str, int]) -> None:
    # Servers started by this run read the same variables.
    os.environ |= {
        "BENCHMARK_PORTS": json.dumps(ports),
        "BENCHMARK_DATABASE": str(folder / "benchmarks.sqlite3"),
        "BENCHMARK_AUTHORITY": entra.authority,
        "BENCHMARK_CA_BUNDLE": str(entra.ca_bundle),
        "REQUESTS_CA_BUNDLE": str(entra.ca_bundle),
        "DJANGO_SETTINGS_MODULE": "benchmarks.site.settings",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _connect(port: int) -> Any:
    import redis

    return redis.Redis(port=port)
