"""Redis servers that may be stopped, killed, paused and restarted empty; and a Sentinel."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis

START_SECONDS = 30
STOP_SECONDS = 10
SERVICE = "entra-primary"
DOWN_AFTER_MS = 1000
STEP_MS = 500


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], object], *, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not come to be"
        time.sleep(0.02)


class RedisServer:
    """One process on a port that stays the same over its restarts."""

    def __init__(self, program: str, folder: Path, *, replica_of: int | None = None) -> None:
        self._program = program
        self._folder = folder
        self._replica_of = replica_of
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=2, socket_connect_timeout=2)

    def start(self) -> None:
        """Start with what `save_and_stop` has left, else empty; ready on return."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen([self._program, *self._words()])
        wait_until(self.answers)

    def stop(self) -> None:
        """End, and forget everything."""
        self._end(signal.SIGTERM)

    def save_and_stop(self) -> None:
        """End as a planned restart does, with the memory written to disk."""
        with self.client as client:
            client.save()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Hang: connections stay, and nothing answers."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def answers(self) -> bool:
        try:
            with self.client as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _words(self) -> list[str]:
        options = {
            "--port": str(self.port),
            "--bind": "127.0.0.1",
            "--dir": str(self._folder),
            "--save": "",
            "--appendonly": "no",
            "--repl-diskless-sync-delay": "0",
            "--logfile": str(self._folder / f"redis-{self.port}.log"),
        }
        replica = () if self._replica_of is None else ("127.0.0.1", str(self._replica_of))
        words = [word for option in options.items() for word in option]
        return [*words, "--replicaof", *replica] if replica else words

    def _send(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._send(signal.SIGCONT)
        self._send(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Sentinel:
    """One Sentinel with a primary and a replica; alone it is the majority."""

    def __init__(self, program: str, folder: Path) -> None:
        self.primary = RedisServer(program, folder / "primary")
        self.replica = RedisServer(program, folder / "replica", replica_of=self.primary.port)
        self.port = free_port()
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=2, socket_connect_timeout=2)

    def start(self) -> None:
        """Start all three; on return the replica is in step, and Sentinel knows it."""
        self.primary.start()
        self.replica.start()
        self._process = subprocess.Popen([self._program, str(self._write()), "--sentinel"])
        wait_until(self._is_in_step)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
        self.replica.stop()
        self.primary.stop()

    def find_primary(self) -> int:
        """The port of what Sentinel takes for the primary."""
        with self.client as client:
            found = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(found[1])

    def has_failed_over(self) -> bool:
        """Whether the replica is the primary, and says so itself."""
        if self.find_primary() != self.replica.port:
            return False
        return self.role_of(self.replica) == "master"

    @staticmethod
    def role_of(server: RedisServer) -> str:
        with server.client as client:
            return str(client.info("replication")["role"])

    def _is_in_step(self) -> bool:
        """Whether what is written arrives; the link alone is up for a second before that."""
        try:
            with self.primary.client as primary, self.client as sentinel:
                known = sentinel.execute_command("SENTINEL", "REPLICAS", SERVICE)
                primary.set("in-step", 1)
                return len(known) == 1 and primary.wait(1, STEP_MS) == 1
        except redis.RedisError:
            return False

    def _write(self) -> Path:
        path = self._folder / "sentinel.conf"
        lines = (
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self._folder}",
            f"logfile {self._folder / 'sentinel.log'}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary.port} 1",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 5000",
        )
        path.write_text("\n".join(lines) + "\n")
        return path
