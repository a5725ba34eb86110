"""What people install: the wheel holds the app with all its files, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "django_entra_auth"


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_package_is_in_the_wheel(names: set[str]) -> None:
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert wanted - names == set()


@pytest.mark.parametrize(
    "name",
    [
        "django_entra_auth/py.typed",
        "django_entra_auth/templates/django_entra_auth/base.html",
        "django_entra_auth/templates/django_entra_auth/error.html",
        "django_entra_auth/static/django_entra_auth/entra.css",
        "django_entra_auth/migrations/0001_initial.py",
    ],
)
def test_files_that_are_not_imported_are_in_the_wheel(names: set[str], name: str) -> None:
    assert name in names


def test_the_emulators_pages_are_in_the_wheel(names: set[str]) -> None:
    folder = "django_entra_auth/emulator/"
    assert any(name.startswith(folder) and name.endswith(".html") for name in names)
    assert any(name.startswith(folder) and name.endswith(".css") for name in names)


def test_nothing_else_is_in_the_wheel(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    (info,) = tops - {"django_entra_auth"}
    assert info.startswith("django_entra_conditional_access-")
    assert info.endswith(".dist-info")
    assert not [name for name in names if "__pycache__" in name]


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(path).decode()
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert "\nName: django-entra-conditional-access\n" in metadata
    assert "\nRequires-Python: >=3.10\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
