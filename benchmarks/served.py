"""Measures requests a second and latency under gunicorn, one server for each distance of Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.load import Load, apply_load, build_request
from benchmarks.redis_server import find_free_port, pin, wait_for_port
from benchmarks.seed import Person
from benchmarks.stage import Distance, Stage
from benchmarks.whole_request import PATHS

CONNECTIONS: Final = 4
THREADS: Final = 4
TURN_SECONDS: Final = 0.25
_WARM_UP_SECONDS: Final = 0.2


Key = tuple[str, Distance]


@dataclass(frozen=True)
class Served:
    """Medians over all rounds for one way at one distance; latency in milliseconds."""

    name: str
    distance: Distance
    per_second: float
    latency: float


def measure_served(stage: Stage, person: Person, *, rounds: int) -> list[Served]:
    """Put load on every view at every distance, in alternating turns."""
    stage.place_redis(with_application=False)
    with ExitStack() as stack:
        ports = {d: stack.enter_context(_open_server(d)) for d in stage.distances}
        # Answers are counted where Redis runs, so that counting takes nothing from the server.
        pin(0, stage.cores[1])
        stack.callback(pin, 0, stage.cores[0])
        turns: list[Key] = [(name, distance) for distance in ports for name in PATHS]
        loads: dict[Key, list[tuple[Load, Load]]] = {turn: [] for turn in turns}
        for name, distance in turns:
            _apply(ports[distance], name, person, CONNECTIONS, _WARM_UP_SECONDS)
        for number in range(rounds):
            for name, distance in turns if number % 2 else reversed(turns):
                port = ports[distance]
                alone = _apply(port, name, person, 1, TURN_SECONDS)
                several = _apply(port, name, person, CONNECTIONS, TURN_SECONDS)
                loads[name, distance].append((alone, several))
    return [_summarize(name, distance, turns) for (name, distance), turns in loads.items()]


def _summarize(name: str, distance: Distance, turns: list[tuple[Load, Load]]) -> Served:
    per_second = median(several.per_second for _, several in turns)
    return Served(name, distance, per_second, median(alone.latency for alone, _ in turns) * 1000)


def _apply(port: int, name: str, person: Person, connections: int, seconds: float) -> Load:
    path = PATHS[name]
    request = build_request(path, f"sessionid={person.session_for(path)}")
    try:
        return apply_load(port, request, connections=connections, seconds=seconds)
    except (RuntimeError, OSError) as error:
        raise RuntimeError(f"{path} failed: {error}") from error


@contextmanager
def _open_server(distance: Distance) -> Iterator[int]:
    port = find_free_port()
    command = [sys.executable, "-m", "gunicorn", "benchmarks.site.wsgi", "--log-level", "warning"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread"]
    command += ["--threads", str(THREADS), "--keep-alive", "75", "--no-control-socket"]
    environ = {**os.environ, "BENCHMARK_ALIAS": distance.alias}
    process = subprocess.Popen(command, env=environ)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)
