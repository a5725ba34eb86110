"""What docs/how-to/translate.md promises: own words come first, another language is begun."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real

from django_entra_auth.interaction.failures import FAILURES
from tests.translations.catalogues import PACKAGE, ROOT, read_po
from tests.translations.test_catalogues import HINT, find_command

PAGE = (ROOT / "docs/how-to/translate.md").read_text(encoding="utf-8")
ADVICE = FAILURES["blocked"].advice


@pytest.fixture
def wording(
    tmp_path: Path, settings: Any, cannot_run_here: Callable[[str], NoReturn]
) -> Iterator[None]:
    """The catalogue shown on the page, for German and for English."""
    if shutil.which("msgfmt") is None:
        cannot_run_here("no msgfmt on PATH (package gettext)")
    shown = re.search(r"```text\n(msgid.*?)```", PAGE, re.DOTALL)
    assert shown
    for language in ("de", "en"):
        folder = tmp_path / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "django.po").write_text(shown[1], encoding="utf-8")
        subprocess.run(["msgfmt", "-o", "django.mo", "django.po"], cwd=folder, check=True)
    settings.LOCALE_PATHS = [str(tmp_path)]
    trans_real._translations.clear()
    yield
    trans_real._translations.clear()


@pytest.mark.usefixtures("wording")
@pytest.mark.parametrize("language", ["de", "en", "en-us", "de-at"])
def test_a_sites_own_words_come_first(language: str) -> None:
    with translation.override(language):
        assert str(ADVICE).startswith("Write to access@contoso.example")
        title = str(FAILURES["blocked"].title)
    is_german = language.startswith("de")
    assert title.startswith("Ihre Organisation" if is_german else "Your organization")


def test_without_them_the_apps_are_shown() -> None:
    with translation.override("de"):
        assert str(ADVICE).startswith("Bitten Sie Ihren Administrator")
    with translation.override("fr"):
        assert str(ADVICE).startswith("Ask your administrator")


def test_the_middleware_of_the_page_is_that_of_the_tests(polyglot: Any) -> None:
    shown = re.search(r"^MIDDLEWARE = (\[.*?^\])", PAGE, re.DOTALL | re.MULTILINE)
    assert shown
    assert re.findall(r'"([\w.]+)"', shown[1]) == django_settings.MIDDLEWARE


@pytest.mark.django_db
@pytest.mark.parametrize("asked", ["de", "de-CH", "fr, de;q=0.5"])
def test_a_browsers_language_is_found(asked: str, polyglot: Any) -> None:
    assert b'<html lang="de"' in Client(HTTP_ACCEPT_LANGUAGE=asked).get("/auth/callback").content


def test_a_language_is_begun(tmp_path: Path, cannot_run_here: Callable[[str], NoReturn]) -> None:
    if shutil.which("xgettext") is None:
        cannot_run_here("no xgettext on PATH (package gettext)")
    assert "mkdir -p django_entra_auth/locale/fr" in PAGE
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "locale/fr").mkdir()
    subprocess.run(find_command(), cwd=copy, capture_output=True, check=True)
    begun = read_po(copy / "locale/fr/LC_MESSAGES/django.po")
    assert begun.keys() == read_po(PACKAGE / "locale/de/LC_MESSAGES/django.po").keys(), HINT
    assert not any(text for message in begun.values() for text in message.texts)
