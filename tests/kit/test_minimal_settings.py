"""`minimal_settings`: complete, valid, without anything that belongs to a deployment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from django.core.checks import ERROR, run_checks
from django.test import override_settings

from django_entra_auth.conf import find_problems
from django_entra_auth.testing import TEST_TENANT_ID, minimal_settings
from tests.kit.conftest import ROOT

EMPTY = dict.fromkeys(["CLIENT_ID", "CLIENT_CREDENTIAL", "TENANT_ID", "AUTHORITY"])
SECRET = "the-real-secret"


@pytest.mark.django_db  # Django's own checks look at it since 6.1
@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        EMPTY,
        {**EMPTY, "REDIRECT_URI": "", "ENCRYPTION_KEYS": [None], "CA_BUNDLE": ""},
        {"CLIENT_ID": "a", "CLIENT_CREDENTIAL": SECRET, "TENANT_ID": TEST_TENANT_ID},
        {"TENANT_ID": "organizations", "ALLOWED_TENANTS": [TEST_TENANT_ID]},
        {"AUTHORITY": "http://localhost:8400/contoso.example", "LOCAL_EMULATOR": True},
    ],
)
def test_any_settings_become_valid(given: Any) -> None:
    made = minimal_settings(given)
    assert find_problems(made) == []
    assert SECRET not in repr(made)
    with override_settings(ENTRA_AUTH=made):
        assert [found for found in run_checks() if found.level >= ERROR] == []


def test_rules_stay(settings: Any) -> None:
    rules = {"STAFF_ROLES": ["Admin"], "BLOCK_GUESTS": True, "STEP_UP_SECONDS": 60}
    made = minimal_settings({**EMPTY, **rules}, BLOCK_GUESTS=False)
    assert made | {"BLOCK_GUESTS": True} == {**made, **rules}
    assert made["BLOCK_GUESTS"] is False


@pytest.mark.parametrize(
    "given",
    [
        {"TENANT_ID": "Organizations"},
        {"AUTHORITY": "https://login.microsoftonline.com/organizations/v2.0/"},
        {"TENANT_ID": "ignored", "AUTHORITY": "https://login.microsoftonline.us/organizations"},
    ],
)
def test_a_site_of_many_tenants_stays_one(given: dict[str, str]) -> None:
    assert minimal_settings(given)["TENANT_ID"] == "organizations"


def test_the_given_settings_are_not_changed() -> None:
    given = {"CLIENT_ID": "mine"}
    minimal_settings(given)
    assert given == {"CLIENT_ID": "mine"}


def test_a_settings_module_can_import_it() -> None:
    """Before Django is configured, and without loading what a site does not need."""
    code = "from django_entra_auth.testing import minimal_settings; minimal_settings()"
    assert loaded_by(code) == set()


def test_neither_pytest_nor_playwright_is_needed() -> None:
    code = "import django; django.setup(); import django_entra_auth.testing as kit\n"
    code += "for name in kit.__all__: getattr(kit, name)"
    assert loaded_by(code) == {"django", "requests"}


def loaded_by(code: str) -> set[str]:
    """Which of these packages a fresh interpreter has loaded after running `code`."""
    code += "\nimport sys; print({'django', 'playwright', 'pytest', 'requests'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings.base"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(re.findall(r"'(\w+)'", done.stdout))


def test_every_exported_name_is_there() -> None:
    from django_entra_auth import testing

    assert all(getattr(testing, name) is not None for name in testing.__all__)
    with pytest.raises(AttributeError, match="nothing_like_it"):
        testing.nothing_like_it  # noqa: B018
