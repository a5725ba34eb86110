"""The texts about AADSTS numbers can be translated, and the admin shows the translation."""

from __future__ import annotations

import ast
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real

from django_entra_auth.admin.meaning import SAMPLES, build_ticket, explain, find_title
from django_entra_auth.oauth2 import aadsts, classification, classify
from tests.admin.making_rows import make_error, make_person, source_of

FILES = [*Path(aadsts.__file__).parent.glob("*.py"), Path(classification.__file__)]
LANGUAGE = "de"
TITLE = "Multi-factor authentication is required for this resource"
REMEDY = "Sign in again and complete the extra verification step."
WORDS = {TITLE: "Zweiter Faktor verlangt", REMEDY: "Bitte erneut anmelden."}


def collect_texts() -> set[str]:
    """Every title and remedy there is."""
    found = [classify(sample) for sample in SAMPLES.values()]
    return {text for one in (*found, *aadsts.all_entries()) for text in (one.title, one.remedy)}


def read_marked(path: Path) -> set[str]:
    """The texts in calls of `_`, which is what xgettext goes by."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    marked = (one.args[0] for one in calls if getattr(one.func, "id", "") == "_")
    return {str(one.value) for one in marked if isinstance(one, ast.Constant)}


def test_every_title_and_remedy_is_marked() -> None:
    marked = set().union(*map(read_marked, FILES))
    assert len(marked) > 200
    assert collect_texts() - marked == set()


def test_makemessages_finds_them(cannot_run_here: Callable[[str], NoReturn]) -> None:
    if shutil.which("xgettext") is None:
        cannot_run_here("no xgettext on PATH")
    words = ["xgettext", "--language=Python", "--from-code=UTF-8", "--no-wrap", "--output=-"]
    found = subprocess.run([*words, *map(str, FILES)], capture_output=True, text=True, check=True)
    ids = {line for line in found.stdout.splitlines() if line.startswith('msgid "')}
    quoted = {text.replace('"', '\\"') for text in collect_texts()}
    assert {f'msgid "{text}"' for text in quoted} - ids == set()


def write_catalogue(path: Path, words: Mapping[str, str]) -> None:
    """A compiled message catalogue, as `msgfmt` writes it."""
    head = {"": "Content-Type: text/plain; charset=UTF-8\n"}
    pairs = [(key.encode(), text.encode()) for key, text in sorted({**head, **words}.items())]
    tables_end = 28 + 16 * len(pairs)
    texts, places = b"", []
    for column in (0, 1):
        for pair in pairs:
            places += [len(pair[column]), tables_end + len(texts)]
            texts += pair[column] + b"\0"
    numbers = (0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0, *places)
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack(f"<{len(numbers)}I", *numbers) + texts)


@pytest.fixture
def german(settings: Any, tmp_path: Path) -> Iterator[None]:
    """A project that has translated two texts of the catalogue."""
    write_catalogue(tmp_path / LANGUAGE / "LC_MESSAGES" / "django.mo", WORDS)
    settings.LOCALE_PATHS = [str(tmp_path)]
    settings.LANGUAGE_CODE = LANGUAGE
    trans_real._translations.clear()
    with translation.override(LANGUAGE):
        yield
    trans_real._translations.clear()


@pytest.mark.django_db
def test_the_admin_shows_the_translation(german: None) -> None:
    record = make_error(number=50076, category="interaction")
    meaning = explain(record)
    assert (meaning.title, meaning.remedy) == (WORDS[TITLE], WORDS[REMEDY])
    assert find_title(50076) == WORDS[TITLE]
    assert WORDS[TITLE] in build_ticket(record)
    client = Client()
    person = make_person("olga", "view_tokenerrorrecord")
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    path = "/admin/django_entra_auth/tokenerrorrecord/"
    listed = source_of(client.get(path))
    assert listed.count(WORDS[TITLE]) >= 3, "in the overview, the list and the filter"
    assert WORDS[REMEDY] in source_of(client.get(f"{path}{record.pk}/change/"))


def test_the_protocol_layer_itself_speaks_english(german: None) -> None:
    assert classify({"error": "invalid_grant", "error_codes": [50076]}).title == TITLE
