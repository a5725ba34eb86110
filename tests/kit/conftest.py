"""What a user has: an empty environment with the built wheel in it, and a small project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).with_name("project")
INSTALL_SECONDS = 600
RUN_SECONDS = 300
OTHERS = ("DJANGO_", "PYTEST_", "COV_", "COVERAGE_", "PYTHONPATH", "VIRTUAL_ENV", "ENTRA_")

# The project's own tests run in its own environment.
collect_ignore = ["project"]


def run(*command: str, cwd: Path, seconds: int, status: int = 0, **variables: str) -> str:
    """The output of a command that has to end with `status`, run as in a shell of a user's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == status, f"{command} ended with {done.returncode}:\n{output[-6000:]}"
    return output


@pytest.fixture(scope="session")
def users_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with the wheel and what its tests need, nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", str(folder / "venv"), cwd=folder, seconds=INSTALL_SECONDS)
    python = str(folder / "venv" / "bin" / "python")
    needed = (str(wheel), "pytest", "pytest-django", "playwright")
    # Most of what is installed is never imported, and need not be compiled.
    install = (python, "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check")
    run(*install, *needed, cwd=folder, seconds=INSTALL_SECONDS)
    return python


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The user's project, in a folder of its own."""
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", "db.sqlite3")
    return Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=ignored))
