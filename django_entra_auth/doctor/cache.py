"""Whether the cache is really shared between processes, and lets only one of them add."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django_entra_auth.conf import EntraSettings
from django_entra_auth.doctor.findings import (
    Finding,
    Findings,
    failed,
    never_breaking,
    passed,
    skipped,
    warned,
)

TOPIC = "cache"
PROCESSES = 4
ROUNDS = 100
WAIT_SECONDS = 20.0
SHARED_FIX = "Use Redis or memcached, with the same settings in every process."
WORKER = Path(__file__).with_name("cache_worker.py")
# By its path, because importing this package would load models, and with its folder not on the
# path, because a project's settings may well be called like a module here.
RUN_WORKER = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"

Child = subprocess.Popen[str]
Told = dict[str, Any]


@never_breaking(TOPIC)
def look(settings: EntraSettings) -> Findings:
    """Write here, read there; then let several processes add the same keys at once.

    This process does not ask the cache itself: it could not end a call that hangs.
    """
    alias = settings.cache_alias
    with _workers(alias) as workers:
        if not all(_hear(worker) for worker in workers):
            reason = "Other processes with these settings could not be started to try the cache."
            yield skipped(TOPIC, reason, "Run this through manage.py, as the site's own user.")
            return
        (written,) = _ask(workers[:1], "write")
        if not written.get("kept"):
            yield _tell_useless(alias, written)
            return
        yield from _look_at_race(alias, workers, is_local=settings.local_emulator)
        _ask(workers[:1], "clean")


def _tell_useless(alias: str, told: Told) -> Finding:
    if "error" in told:
        reason = f"The cache {alias!r} cannot be asked: {told['error']}."
        return failed(TOPIC, reason, "Start it, and correct its LOCATION in CACHES.")
    if "kept" in told:
        return failed(TOPIC, f"The cache {alias!r} does not keep what it is given.", SHARED_FIX)
    reason = f"The cache {alias!r} does not answer within {WAIT_SECONDS:.0f} s."
    fix = "Mend or restart it, and set socket timeouts: every request waits as long."
    return failed(TOPIC, reason, fix)


def _look_at_race(alias: str, workers: list[Child], *, is_local: bool) -> Findings:
    told = _ask(workers, f"race {time.time() + 0.1}")
    if broken := [one for one in told if "won" not in one]:
        yield _tell_useless(alias, broken[0])
    elif not all(one["reads"] for one in told):
        reason = f"The cache {alias!r} is not shared: another process does not see what one wrote."
        tell = warned if is_local else failed  # one process is enough to develop with
        yield tell(TOPIC, reason, SHARED_FIX)
    else:
        yield passed(TOPIC, f"The cache {alias!r} is shared between processes.")
        yield _judge_add(alias, told)


def _judge_add(alias: str, told: list[Told]) -> Finding:
    wins = Counter(number for one in told for number in one["won"])
    wrong = sum(1 for number in range(ROUNDS) if wins[number] != 1)
    if wrong:
        reason = (
            f"The add of the cache {alias!r} is not atomic: {wrong} of {ROUNDS} keys that"
            f" {PROCESSES} processes added at once had not exactly one winner."
        )
        fix = "Use Redis or memcached: a sign-in could be completed, or a token refreshed, twice."
        return failed(TOPIC, reason, fix)
    return passed(TOPIC, f"Of {PROCESSES} processes that add at once exactly one wins.")


@contextmanager
def _workers(alias: str) -> Iterator[list[Child]]:
    prefix = f"entra:1:doctor:{secrets.token_hex(8)}"
    children = [_start(alias, prefix) for _ in range(PROCESSES)]
    try:
        yield children
    finally:
        for child in children:
            child.kill()
            with suppress(BrokenPipeError):
                child.communicate()


def _start(alias: str, prefix: str) -> Child:
    """Another process with the project's settings, as a worker of the site is one."""
    paths = os.pathsep.join(path or "." for path in sys.path)
    options = [alias, prefix, str(ROUNDS), str(WAIT_SECONDS)]
    return subprocess.Popen(  # noqa: S603  this interpreter, this package
        [sys.executable, "-c", RUN_WORKER, str(WORKER), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def _ask(workers: list[Child], command: str) -> list[Told]:
    """What each answers to a command that all get first; nothing from one that has ended."""
    for worker in workers:
        with suppress(BrokenPipeError):
            assert worker.stdin  # noqa: S101  as it was started
            worker.stdin.write(f"{command}\n")
            worker.stdin.flush()
    return [_hear(worker) for worker in workers]


def _hear(worker: Child) -> Told:
    """The next line; workers end by themselves in time, and then there is none."""
    line = worker.stdout.readline() if worker.stdout else ""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
