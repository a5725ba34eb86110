"""The app refuses to run beside the distribution that installs the same import name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from django_entra_auth.apps import DjangoEntraAuthConfig, refuse_namesake

ROOT = Path(__file__).parent.parent


def install_fake(folder: Path, name: str) -> None:
    info = folder / f"{name.replace('-', '_')}-3.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.0.0\n")


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings.base",
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
    }
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["django-entra-auth", "django_entra_auth", "Django-Entra-Auth"])
def test_the_namesake_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_fake(tmp_path, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImproperlyConfigured, match="django-entra-conditional-access"):
        refuse_namesake()


@pytest.mark.parametrize(
    "name", ["django-entra-conditional-access", "django-entra", "django-entra-auth-extra"]
)
def test_others_are_not(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake(tmp_path, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    refuse_namesake()


def test_a_site_beside_the_namesake_does_not_start(tmp_path: Path) -> None:
    install_fake(tmp_path, "django-entra-auth")
    done = run("import django; django.setup()", tmp_path)
    assert done.returncode != 0
    assert "ImproperlyConfigured: The distribution django-entra-auth installs" in done.stderr


def test_a_site_without_it_starts(tmp_path: Path) -> None:
    done = run("import django; django.setup(); print('ready')", tmp_path)
    assert (done.stdout.strip(), done.returncode) == ("ready", 0), done.stderr


def test_the_check_trusts_no_other_file_of_the_package(tmp_path: Path) -> None:
    code = (
        "import sys; import django_entra_auth.apps;"
        "print(sorted(name for name in sys.modules if name.startswith('django_entra_auth')))"
    )
    done = run(code, tmp_path)
    assert done.stdout.strip() == "['django_entra_auth', 'django_entra_auth.apps']"


def test_nothing_reads_settings_or_urls_at_import(tmp_path: Path) -> None:
    code = (
        "from django.conf import settings; settings.configure(); import importlib;"
        "names = ['conf', 'sealing', 'exceptions', 'signals', 'oauth2', 'cache.entries'];"
        "[importlib.import_module(f'django_entra_auth.{name}') for name in names];"
        "print('imported')"
    )
    done = run(code, tmp_path)
    assert done.stdout.strip() == "imported", done.stderr


def test_the_app_as_installed() -> None:
    config = apps.get_app_config("django_entra_auth")
    assert isinstance(config, DjangoEntraAuthConfig)
    assert config.default_auto_field == "django.db.models.BigAutoField"
