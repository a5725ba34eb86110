"""Runs everything once and writes docs/performance.md and its picture."""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import platform
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import token_client
from benchmarks.measure import Row
from benchmarks.stage import Stage, open_stage

if TYPE_CHECKING:
    from benchmarks.explain import Share
    from benchmarks.results import Results
    from benchmarks.seed import Person

DELAYS: Final = (0.1, 0.5, 2.0)
SIZES: Final = (1, 5, 20, 100)
SERVED_SIZE: Final = 5
PAGE: Final = "performance.md"
PICTURE: Final = "performance.svg"
PACKAGES: Final = (
    "Django",
    "django-redis",
    "redis",
    "hiredis",
    "msal",
    "identity",
    "PyJWT",
    "cryptography",
    "gunicorn",
)


@dataclass(frozen=True)
class Effort:
    """How many rounds each part gets."""

    hits: int
    requests: int
    steps: int
    guard: int
    served: int
    others: int


FULL: Final = Effort(hits=15, requests=11, steps=15, guard=2000, served=5, others=31)
QUICK: Final = Effort(hits=2, requests=2, steps=2, guard=200, served=1, others=5)


def main() -> None:
    """Measure, judge, write."""
    options = _parse_options()
    start, load = time.monotonic(), _read_load()
    effort = QUICK if options.quick else FULL
    logging.disable(logging.CRITICAL)
    _say("token client")
    client = token_client.measure(rounds=effort.others)
    with open_stage(DELAYS) as stage:
        results = _measure(stage, effort, client)
    results.facts["load average before the run"] = load
    results.facts["took"] = f"{time.monotonic() - start:.0f} s" + " (--quick)" * options.quick
    _write(results, options.output)
    _say(f"written to {options.output / PAGE} after {results.facts['took']}")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, to try it")
    parser.add_argument("--output", type=Path, help="folder (docs; with --quick build/benchmarks)")
    options = parser.parse_args()
    options.output = options.output or Path("build/benchmarks" if options.quick else "docs")
    return options


def _measure(stage: Stage, effort: Effort, client: list[Row]) -> Results:
    # Django has to be set up before any of these can be imported.
    from benchmarks import id_token, memory, results, seed, served, silent_hit, whole_request

    warnings.filterwarnings("ignore", message="response_mode", module="msal")
    _say("signing people in")
    people = {size: seed.seed_person(size) for size in SIZES}
    weights = memory.measure_memory()
    silent_hit.warm_up(people[SERVED_SIZE])
    asked = len(stage.entra.requests)
    _say("silent hits")
    hits = list(silent_hit.measure_hits(stage, people, rounds=effort.hits))
    flatness = silent_hit.measure_flatness(stage, people, rounds=effort.others)
    _say("whole requests")
    requests = list(whole_request.measure_requests(stage, people, rounds=effort.requests))
    steps = list(whole_request.measure_steps(stage, people, rounds=effort.steps))
    guard = whole_request.measure_guard(stage, people[SERVED_SIZE], rounds=effort.guard)
    validation = id_token.measure_id_token(rounds=effort.others)
    profiles = _profile(people[SERVED_SIZE])
    sent = len(stage.entra.requests) - asked
    _say("gunicorn")
    return results.Results(
        distances=stage.distances,
        hits=hits,
        flatness=flatness,
        requests=requests,
        steps=steps,
        guard=guard,
        served=served.measure_served(stage, people[SERVED_SIZE], rounds=effort.served),
        served_resources=SERVED_SIZE,
        id_token=validation,
        weights=weights,
        client=client,
        kept={size: person.kept for size, person in people.items()},
        sent=sent,
        profiles=profiles,
        facts=_describe_machine(stage, sent),
    )


def _profile(person: Person) -> dict[str, list[Share]]:
    from django.core.handlers.wsgi import WSGIHandler

    from benchmarks import explain, id_token, seed, silent_hit, whole_request

    def hit(copy_seconds: float) -> list[Share]:
        seed.use(copy_seconds=copy_seconds)
        return explain.profile(silent_hit.build_hit(person))

    return {
        silent_hit.FROM_REDIS: hit(0),
        silent_hit.FROM_COPY: hit(15),
        "guarded view": explain.profile(
            whole_request.build_call(WSGIHandler(), "/guarded/", person)
        ),
        "ID-token validation": explain.profile(id_token.build_calls()[id_token.OURS]),
    }


def _describe_machine(stage: Stage, sent: int) -> dict[str, str]:
    cores = f"cores {stage.cores[0]} and {stage.cores[1]} of {os.cpu_count()}"
    pinned = f"pinned to {cores}" if hasattr(os, "sched_setaffinity") else "not pinned to cores"
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()},"
        f" {pinned}",
        "Redis": stage.find_redis_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "requests to the local Entra during the in-process rounds": str(sent),
    }


def _read_load() -> str:
    if not hasattr(os, "getloadavg"):
        return "not known"
    load = os.getloadavg()[0]
    is_busy = load > (os.cpu_count() or 1) / 4
    warning = ": **the machine was busy, and these figures are not to be relied on**"
    return f"{load:.1f}{warning * is_busy}"


def _write(results: Results, folder: Path) -> None:
    from benchmarks.plot import draw
    from benchmarks.report import build_report

    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(build_report(results, plot=PICTURE), encoding="utf-8")
    (folder / PICTURE).write_text(draw(results), encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
