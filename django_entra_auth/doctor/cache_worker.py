"""One of the processes that try the cache: arguments ALIAS PREFIX ROUNDS SECONDS.

Each line of its standard input is a command, each line of its output a JSON object in answer. It
ends by itself after SECONDS, whatever the cache does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from django.core.cache import caches

ROUND_SECONDS = 0.005
KEY_SECONDS = 60


class Worker:
    """Tries one cache with keys below `prefix`."""

    def __init__(self, alias: str, prefix: str, rounds: int) -> None:
        self.cache = caches[alias]
        self.prefix = prefix
        self.keys = [f"{prefix}:{number}" for number in range(rounds)]

    def obey(self, line: str) -> dict[str, Any]:
        """Answer `write`, `race MOMENT` (Unix time) or `clean`."""
        command, _, moment = line.strip().partition(" ")
        try:
            if command == "write":
                return self._write()
            return self._race(float(moment)) if command == "race" else self._clean()
        except Exception as exc:  # noqa: BLE001  backends share no class of errors; texts name hosts
            return {"error": type(exc).__name__}

    def _write(self) -> dict[str, Any]:
        self.cache.set(self.prefix, "written", KEY_SECONDS)
        return {"kept": self._reads()}

    def _race(self, begin: float) -> dict[str, Any]:
        """Add every key as close to its moment as this machine can."""
        reads, won = self._reads(), []
        for number, key in enumerate(self.keys):
            _wait_until(begin + number * ROUND_SECONDS)
            if self.cache.add(key, 1, KEY_SECONDS):
                won.append(number)
        return {"reads": reads, "won": won}

    def _clean(self) -> dict[str, Any]:
        self.cache.delete_many([self.prefix, *self.keys])
        return {"cleaned": True}

    def _reads(self) -> bool:
        return bool(self.cache.get(self.prefix) == "written")


def _wait_until(moment: float) -> None:
    # Sleeping is too coarse for a race that lasts microseconds.
    while time.time() < moment:
        pass


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main(alias: str, prefix: str, rounds: str, seconds: str) -> None:
    """Obey until the input ends."""
    # Nothing else ends a call to a cache that hangs.
    timer = threading.Timer(float(seconds), os._exit, [1])
    timer.daemon = True
    timer.start()
    worker = Worker(alias, prefix, int(rounds))
    _say({"ready": True})
    for line in sys.stdin:
        _say(worker.obey(line))


if __name__ == "__main__":
    main(*sys.argv[1:])
