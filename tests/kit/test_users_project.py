"""A user's own small project, tested with the kit alone, from the built wheel."""

from __future__ import annotations

import re
from pathlib import Path

from tests.kit.conftest import RUN_SECONDS, run

PROBE = "import importlib.util as u, django_entra_auth as d; print(d.__file__, u.find_spec('msal'))"
# Runs after the browser tests: their event loop must have gone, and the database be guarded again.
ASYNC_TEST = """
import os

from django.test import TransactionTestCase

from django_entra_auth.testing import asign_in


class AsyncTests(TransactionTestCase):
    async def test_an_async_test_after_a_browser_test(self):
        await asign_in(self.async_client, "alice")
        assert (await self.async_client.get("/")).status_code == 200
        assert "DJANGO_ALLOW_ASYNC_UNSAFE" not in os.environ
"""


def test_its_environment_holds_the_wheel_alone(users_python: str, project: Path) -> None:
    told = run(users_python, "-c", PROBE, cwd=project, seconds=RUN_SECONDS)
    assert "site-packages" in told
    assert told.strip().endswith("None")


def test_unittest(users_python: str, project: Path, chromium_path: str) -> None:
    """With nothing configured: no variable, no secret."""
    command = (users_python, "-W", "error::ResourceWarning", "manage.py", "test")
    told = run(*command, cwd=project, seconds=RUN_SECONDS, CHROMIUM=chromium_path)
    assert re.search(r"^Ran 13 tests in .*\n\nOK$", told, re.MULTILINE), told
    # The checks pass: there is nothing but what is said of every cache in memory.
    assert re.findall(r"django_entra_auth\.[EW]\d+", told) == ["django_entra_auth.W002"]


def test_pytest(users_python: str, project: Path, chromium_path: str) -> None:
    # pytest-django runs browser tests last, with those of transactions: "l" comes after "i".
    (project / "acceptance" / "test_later.py").write_text(ASYNC_TEST)
    command = (users_python, "-m", "pytest", "-q", "-W", "error")
    told = run(*command, cwd=project, seconds=RUN_SECONDS, CHROMIUM=chromium_path)
    assert re.search(r"^6 passed in ", told, re.MULTILINE), told


def test_without_chromium_it_says_what_to_do(users_python: str, project: Path) -> None:
    command = (users_python, "-m", "pytest", "-q", "acceptance/test_in_a_browser.py")
    told = run(*command, cwd=project, seconds=RUN_SECONDS, status=1, CHROMIUM="/no/such/browser")
    assert "Chromium does not start" in told
    assert "playwright install chromium" in told
    assert "2 errors in " in told


def test_a_run_that_is_no_test_run_needs_the_real_settings(
    users_python: str, project: Path
) -> None:
    told = run(users_python, "manage.py", "check", cwd=project, seconds=RUN_SECONDS, status=1)
    assert "django_entra_auth.E00" in told
