"""Another process of a site, and the line to it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WAIT_SECONDS = 90


class WorkerProcess:
    """Runs `target(channel, *args)`, which ends when None comes over the channel."""

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(theirs, *args), daemon=True)
        self.process.start()
        theirs.close()

    def receive(self) -> Any:
        """What it says next."""
        assert self.channel.poll(WAIT_SECONDS), "the process says nothing"
        return self.channel.recv()

    def begin(self, order: Any) -> None:
        """Send an order; returns when the process is ready to carry it out."""
        self.channel.send(order)
        assert self.receive() == "ready"

    def stop(self) -> None:
        """Let it end by itself."""
        if self.process.is_alive():
            self.channel.send(None)
            self.process.join(WAIT_SECONDS)
        self.channel.close()
        self.process.close()


@contextmanager
def running_crew(
    count: int, target: Callable[..., None], *args: Any
) -> Iterator[list[WorkerProcess]]:
    """So many processes, until the block ends."""
    crew = [WorkerProcess(target, *args) for _ in range(count)]
    yield crew
    for worker in crew:
        worker.stop()
