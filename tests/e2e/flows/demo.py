"""The demo as its own process, in a copy of the project's demo folders."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
READY = "Ctrl-C stops everything"
START_SECONDS = 60
STOP_SECONDS = 40
THROTTLE_SECONDS = 8  # time for two clicks on a busy machine


@dataclass(frozen=True)
class Demo:
    """A running demo: what it printed, and its two addresses."""

    process: subprocess.Popen[str]
    text: str
    site: str
    entra: str

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C; the exit status and the rest of what it wrote."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, rest


def free_ports() -> tuple[int, int]:
    """Two ports nobody listens on."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def launch(folder: Path, *, port: int, emulator_port: int) -> subprocess.Popen[str]:
    """`python -m demo_project` in a copy, so that its database stays out of the checkout."""
    for name in ("demo_project", "templates"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {
        "PORT": str(port),
        "EMULATOR_PORT": str(emulator_port),
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "PYTHONUNBUFFERED": "1",
        "DEMO_THROTTLE_SECONDS": str(THROTTLE_SECONDS),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "demo_project"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def run_demo(folder: Path) -> Iterator[Demo]:
    """A demo that is ready; it is stopped at the end if it still runs."""
    port, emulator_port = free_ports()
    process = launch(folder, port=port, emulator_port=emulator_port)
    try:
        text = _read_until_ready(process)
        site, entra = f"http://127.0.0.1:{port}", f"http://localhost:{emulator_port}"
        yield Demo(process, text, site, entra)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _read_until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    deadline = threading.Timer(START_SECONDS, process.kill)
    deadline.start()
    text = ""
    try:
        for line in process.stdout:
            text += line
            if READY in line:
                return text
    finally:
        deadline.cancel()
    raise AssertionError(f"the demo did not start: {text}")
