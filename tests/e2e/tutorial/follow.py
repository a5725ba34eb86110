"""Follows a tutorial page: writes its files and runs its commands, one after the other."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:#|<!--) (?P<path>[\w/.]+\.\w+)(?P<append>, at the end)?(?: -->)?\n")
SERVERS = {"entra_emulator": 8400, "runserver": 8000}
COMMAND_SECONDS = 300
START_SECONDS = 30


@dataclass
class Reader:
    """Somebody who follows a page in `folder`; `ports` maps the page's ports to free ones."""

    folder: Path
    environ: dict[str, str]
    ports: dict[int, int]
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, page: Path) -> None:
        """Do all that the page says, except what is done in a browser."""
        for language, text in BLOCK.findall(self._with_free_ports(page.read_text())):
            if language == "console":
                self._run_all(text)
            else:
                self._write(text)

    def stop(self) -> None:
        """End the servers; what they started ends with them."""
        for server in self.servers:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()

    def _with_free_ports(self, text: str) -> str:
        # All at once: a free port may hold the digits of the next one, as 48400 does.
        known = "|".join(map(str, self.ports))
        return re.sub(rf"\b({known})\b", lambda found: str(self.ports[int(found[1])]), text)

    def _write(self, text: str) -> None:
        found = FILE.match(text)
        assert found, f"a block does not say which file it is: {text[:80]!r}"
        path = self.folder / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if found["append"]:
            text = path.read_text() + text
        path.write_text(text)

    def _run_all(self, text: str) -> None:
        for line in text.splitlines():
            assert line.startswith("$ "), f"not a command: {line!r}"
            command = line.removeprefix("$ ")
            server = next((name for name in SERVERS if name in command), None)
            if server:
                self._serve(command, self.ports[SERVERS[server]])
            else:
                self._run(command)

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["bash", "-ec", self._activated(command)],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    def _serve(self, command: str, port: int) -> None:
        log = (self.folder / f"{port}.log").open("wb")
        with log:
            server = subprocess.Popen(
                ["bash", "-ec", self._activated(command)],
                cwd=self.folder,
                env=self.environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.servers.append(server)
        wait_for(port, server, self.folder / f"{port}.log")

    def _activated(self, command: str) -> str:
        """What a terminal in which the environment is active would run."""
        script = self.folder / ".venv" / "bin" / "activate"
        return f". {script}\n{command}" if script.exists() else command


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until somebody listens; the server's last words if it ends instead."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-2000:]
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens on {port}: {log.read_text()[-2000:]}")


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
