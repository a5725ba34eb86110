"""Stands between the application and Redis and holds every request for a while.

The whole delay is put on the way there; as the application waits for each answer, that equals
half of it on either way. Bandwidth is not limited and no packet is lost. It is a process of its
own (``python -m benchmarks.relay``), so that its threads do not compete for the interpreter.
"""

from __future__ import annotations

import ctypes
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, Final

from benchmarks.redis_server import pin, time_ping

_CHUNK: Final = 1 << 20
_PR_SET_TIMERSLACK: Final = 29
_CORRECTIONS: Final = 4


@dataclass
class Relay:
    """A running relay, seen from the benchmark."""

    process: subprocess.Popen[str]
    port: int

    def hold(self, seconds: float) -> None:
        """Hold requests for ``seconds`` from now on."""
        pipe: IO[str] = self.process.stdin  # type: ignore[assignment]
        pipe.write(f"{seconds}\n")
        pipe.flush()

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(timeout=10)


def start_relay(target: int, *, core: int) -> Relay:
    """Start a relay to the port ``target`` on loopback, on a core of the machine."""
    command = [sys.executable, "-m", "benchmarks.relay", str(target)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pin(process.pid, core)
    line = process.stdout.readline()  # type: ignore[union-attr]
    return Relay(process, int(line))


def calibrate(relay: Relay, *, target: int, milliseconds: float) -> float:
    """Make the relay add ``milliseconds`` to a round trip; return what it really adds."""
    held = 0.0
    for _ in range(_CORRECTIONS):
        added = time_ping(relay.port) - time_ping(target)
        held = max(0.0, held + milliseconds - added)
        relay.hold(held / 1000)
        # The relay takes the new value when its other thread has read it.
        time.sleep(0.05)
    return time_ping(relay.port) - time_ping(target)


class _Server:
    """The relay's side: accepts, holds, hands on."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.seconds = 0.0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def follow_orders(self) -> None:
        """Take a new delay from each line of standard input."""
        for line in sys.stdin:
            self.seconds = float(line)

    def serve(self) -> None:
        """Accept connections until the process ends."""
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.target))
            for connection in (near, far):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for arguments in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._hand_on, args=arguments, daemon=True).start()

    def _hand_on(self, source: socket.socket, sink: socket.socket, holds: bool) -> None:
        _sharpen_sleep()
        try:
            while data := source.recv(_CHUNK):
                if holds and self.seconds:
                    time.sleep(self.seconds)
                sink.sendall(data)
        except OSError:  # the other side has gone
            pass
        finally:
            sink.close()


def _sharpen_sleep() -> None:
    """Linux lets a sleep end up to 50 µs late unless a thread asks for better."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def main() -> None:
    """Serve; the first line of output is the port."""
    server = _Server(int(sys.argv[1]))
    threading.Thread(target=server.follow_orders, daemon=True).start()
    print(server.listener.getsockname()[1], flush=True)
    server.serve()


if __name__ == "__main__":
    main()
