"""Scripted trouble: answers that stand in for an endpoint's own."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Endpoint = Literal["token", "discovery", "keys", "authorize", "logout"]
ENDPOINTS: tuple[Endpoint, ...] = ("token", "discovery", "keys", "authorize", "logout")


@dataclass(frozen=True)
class Fault:
    """What happens in place of, or before, the real answer; times in seconds.

    Without `status` the real answer follows the `delay`. `reset` cuts the connection, `hang`
    answers nothing until the emulator stops, `drip` waits that long between single bytes.
    """

    status: int | None = None
    body: str | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    reset: bool = False
    hang: bool = False
    drip: float = 0.0


class Faults:
    """Faults waiting for requests, per endpoint, first in first out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Fault]] = {}
        self._standing: dict[str, Fault] = {}

    def add(self, endpoint: Endpoint, fault: Fault, *, times: int | None = 1) -> None:
        """Let the next `times` requests to `endpoint` meet `fault`; None means all of them."""
        if endpoint not in ENDPOINTS:
            raise ValueError(f"no such endpoint: {endpoint!r}")
        with self._lock:
            if times is None:
                self._standing[endpoint] = fault
            else:
                self._queues.setdefault(endpoint, deque()).extend([fault] * times)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._queues.clear()
            self._standing.clear()

    def take(self, endpoint: str) -> Fault | None:
        """The fault the current request meets, if any."""
        with self._lock:
            queue = self._queues.get(endpoint)
            return queue.popleft() if queue else self._standing.get(endpoint)
