"""MSAL's own throttling tests, fetched from its source distribution, against our client."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.interop.msal_shim import Clock, load_published_tests, run_published_tests

VERSION = "1.39.0"
SHA256 = "6ab7de335e6d7f5717e2c7e1dbf86e4dda2f6acf3c56773b78dc53ebc6395b5f"
ARCHIVE = f"msal-{VERSION}.tar.gz"
MEMBER = f"msal-{VERSION}/tests/test_throttled_http_client.py"
CACHE = Path(__file__).parents[2] / ".cache" / "msal"
DOWNLOAD_SECONDS = 120
LEAST_TESTS = 20

_NESTING = (
    "It reads the wrapped client from an attribute of MSAL's private base class, to see that a"
    " client wrapped twice is unwrapped. Here there is no such class or attribute."
)

CONTRADICTED = {
    "ThrottledHttpClientBaseTestCase"
    ".test_throttled_http_client_base_should_not_nest_http_client": _NESTING,
    "ThrottledHttpClientTestCase"
    ".test_throttled_http_client_base_should_not_nest_http_client": _NESTING,
    "ThrottledHttpClientTestCase.test_one_RetryAfter_request_should_block_a_similar_request": (
        "It expects a throttled code redemption to hold back another grant. Here code redemptions"
        " are kept apart, so that a busy refresh does not stop people from signing in."
    ),
    "NormalizedResponseTestCase.test_normalized_response_raise_for_status_should_raise": (
        "Here no HTTP status becomes an exception; it becomes an error dictionary, so an answer"
        " has no raise_for_status."
    ),
}


@pytest.fixture(scope="module")
def outcome(
    cannot_run_here: Callable[[str], NoReturn], tmp_path_factory: pytest.TempPathFactory
) -> tuple[set[str], dict[str, str]]:
    """The names of MSAL's tests, and of those that fail with our client, with tracebacks."""
    folder = tmp_path_factory.mktemp("msal")
    archive = CACHE / ARCHIVE
    if not archive.exists() and not _download(folder, archive):
        cannot_run_here(f"pip could not fetch the source distribution of msal {VERSION}")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert digest == SHA256, f"{archive} is not the one that was read; remove it"
    return run_published_tests(load_published_tests(_extract(archive, folder), Clock()))


def test_all_but_the_contradicted_pass(outcome: tuple[set[str], dict[str, str]]) -> None:
    names, failed = outcome
    unexpected = {name: text for name, text in failed.items() if name not in CONTRADICTED}
    assert not unexpected, "\n".join(unexpected.values())
    assert len(names) >= LEAST_TESTS


@pytest.mark.parametrize("name", CONTRADICTED)
def test_the_contradicted_fail(outcome: tuple[set[str], dict[str, str]], name: str) -> None:
    _, failed = outcome
    assert name in failed, f"{name} passes or is gone; remove it from CONTRADICTED"


def _download(folder: Path, archive: Path) -> bool:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", "msal", "--dest", str(folder), f"msal=={VERSION}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=DOWNLOAD_SECONDS)
    except (subprocess.SubprocessError, OSError):
        return False
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Another test run may be looking; it must never see half a file.
    part = archive.with_name(f"{ARCHIVE}.{os.getpid()}")
    shutil.copyfile(folder / ARCHIVE, part)
    part.replace(archive)
    return True


def _extract(archive: Path, folder: Path) -> Path:
    target = folder / "published.py"
    with tarfile.open(archive) as files:
        member = files.extractfile(MEMBER)
        assert member is not None
        target.write_bytes(member.read())
    return target
