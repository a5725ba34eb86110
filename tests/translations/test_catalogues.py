"""The committed catalogues have every text of the package, translated, and are compiled."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.translations.catalogues import (
    PACKAGE,
    PO_FILES,
    ROOT,
    compile_in_memory,
    cut,
    find_django_catalogues,
    list_placeholders,
    list_tags,
    read_mo,
    read_po,
)

HINT = "run: make messages"
PROGRAMS = ("xgettext", "msgmerge", "msgattrib", "msguniq")

each_language = pytest.mark.parametrize("path", PO_FILES, ids=lambda path: path.parts[-3])


def find_command() -> list[str]:
    """The line of `make messages` that collects the texts, without its change of folder."""
    lines = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if "makemessages" in line
    ]
    words = lines[0].partition("makemessages")[2].replace("'", "").split()
    return [sys.executable, "-m", "django", "makemessages", *words]


@pytest.fixture(scope="module")
def collected(
    tmp_path_factory: pytest.TempPathFactory, cannot_run_here: Callable[[str], NoReturn]
) -> Path:
    """A copy of the package after `make messages`."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        cannot_run_here(f"no {missing[0]} on PATH (package gettext)")
    copy = tmp_path_factory.mktemp("messages") / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(find_command(), cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "msgmerge" not in done.stderr
    return copy


def test_there_is_a_second_language() -> None:
    assert "de" in [path.parts[-3] for path in PO_FILES]


@each_language
def test_it_has_the_texts_of_the_sources_and_no_other(path: Path, collected: Path) -> None:
    fresh, committed = read_po(collected / path.relative_to(PACKAGE)), read_po(path)
    assert len(fresh) > 500
    assert sorted(fresh.keys() - committed.keys()) == [], f"not in the catalogue; {HINT}"
    assert sorted(committed.keys() - fresh.keys()) == [], f"no longer in the sources; {HINT}"


@each_language
def test_a_second_run_changes_nothing(path: Path, collected: Path) -> None:
    fresh = collected / path.relative_to(PACKAGE)
    before = fresh.read_bytes()
    subprocess.run(find_command(), cwd=collected, capture_output=True, check=True)
    assert fresh.read_bytes() == before


@each_language
def test_the_texts_of_the_local_entra_are_left_out(path: Path) -> None:
    assert "emulator" not in path.read_text()


@each_language
def test_every_text_is_translated(path: Path) -> None:
    messages = read_po(path).values()
    assert [one.key for one in messages if not one.texts or not all(one.texts)] == []
    assert [one.key for one in messages if "fuzzy" in one.flags] == []
    assert "\n#~ " not in path.read_text(encoding="utf-8"), "left over from earlier texts"


def find_mark(text: str) -> str:
    """The mark that a text ends with, if any: pages put texts side by side."""
    return text[-1] if text[-1] in ".:?…" else ""


@each_language
def test_what_is_filled_in_and_the_markup_are_those_of_the_original(path: Path) -> None:
    for message in read_po(path).values():
        for original, text in zip(message.originals, message.texts, strict=True):
            assert list_placeholders(text) == list_placeholders(original), text
            assert list_tags(text) == list_tags(original), text
            assert find_mark(text) == find_mark(original), text


@each_language
def test_the_compiled_catalogue_says_the_same(path: Path) -> None:
    compiled = read_mo(path.with_suffix(".mo"))
    assert compiled == compile_in_memory(read_po(path)), HINT


@each_language
def test_words_that_django_has_too_are_translated_as_it_does(path: Path) -> None:
    """All apps of a project share one catalogue: ours may not rename what is Django's."""
    ours = read_po(path)
    shared = 0
    for other in find_django_catalogues(path.parts[-3]):
        theirs = read_po(other)
        for key in ours.keys() & theirs.keys():
            shared += 1
            assert ours[key].texts == theirs[key].texts
    assert shared >= 5


def test_the_reader_of_catalogues_sees_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "django.po"
    path.write_text(
        'msgid ""\nmsgstr ""\n"Language: xx\\n"\n\n'
        '#: a.py\n#, fuzzy, python-format\nmsgid "one "\n"%(a)s"\nmsgid_plural "many \\"%(a)s\\""\n'
        'msgstr[0] "ein %(a)s"\nmsgstr[1] ""\n\n#~ msgid "gone"\n#~ msgstr "weg"\n'
    )
    (message,) = read_po(path).values()
    assert message.key == ("one %(a)s", 'many "%(a)s"', "")
    assert message.texts == ["ein %(a)s", ""]
    assert message.flags == {"fuzzy", "python-format"}


def test_pieces_of_a_translation() -> None:
    assert cut('Hallo <b class="x">%(name)s</b>, bis  {time}!') == ["Hallo", "bis"]
    assert list_placeholders("%(b)s of %(a)d, {c}, 100 %%") == ["%%", "%(a)d", "%(b)s", "{c}"]
