"""Reads a page as a person would who knows one language, and says what they do not understand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.translations.catalogues import PO_FILES, cut, find_django_catalogues, read_po
from tests.translations.template_texts import NAMES, PageReader

_WORD = re.compile(r"[^\W\d_]+")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?Z?")


def find_foreign(response: Any, *data: str, language: str = "de") -> list[str]:
    """What a page says that is neither in a catalogue of the language nor among the data."""
    html = response.content.decode()
    assert f'<html lang="{language}"' in html
    reader = PageReader(convert_charrefs=True)
    reader.feed(html)
    reader.close()
    return list_foreign(reader.texts, data, language=language)


def list_foreign(texts: Iterable[str], data: Iterable[str] = (), *, language: str) -> list[str]:
    """Texts with a word left after all that the language says was taken out."""
    # Data first, and what is longer first: a name may hold a word of the language.
    given = _compile(data)
    known = compile_language(language)
    foreign = []
    for text in (" ".join(text.split()) for text in texts):
        rest = text
        for pattern in (_GUID, _TIME, given, known):
            rest = pattern.sub("\n", rest)
        if set(_WORD.findall(rest)) - NAMES and not _is_cut_short(text, language):
            foreign.append(text)
    return foreign


def _is_cut_short(text: str, language: str) -> bool:
    """Whether it is the beginning of a text, as in the filters: a number, a title, and "…"."""
    start = text.lstrip("0123456789 ").removesuffix("…")
    return text.endswith("…") and any(one.startswith(start) for one in read_pieces(language))


@cache
def compile_language(language: str) -> re.Pattern[str]:
    """All that the app and Django say in a language, whichever piece is the longest at a place."""
    return _compile(read_pieces(language))


@cache
def read_pieces(language: str) -> frozenset[str]:
    """What stands between placeholders, in the app's catalogue and in Django's."""
    ours = [path for path in PO_FILES if path.parts[-3] == language]
    theirs = list(find_django_catalogues(language))
    messages = [one for path in (*ours, *theirs) for one in read_po(path).values()]
    texts = [text for message in messages for text in message.texts]
    return frozenset(piece for text in (*texts, *_list_gaps(theirs)) for piece in cut(text))


def _list_gaps(catalogues: Iterable[Path]) -> Iterator[str]:
    """What a release of Django leaves in English: not ours to judge."""
    for path in catalogues:
        there = read_po(path).items()
        done = {key for key, one in there if all(one.texts) and "fuzzy" not in one.flags}
        english = read_po(Path(str(path).replace(f"/{path.parts[-3]}/", "/en/")))
        yield from (text for key in english.keys() - done for text in key[:2])


def _compile(texts: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(filter(None, texts), key=len, reverse=True)
    choices = "|".join(map(re.escape, longest_first)) or "(?!)"
    return re.compile(rf"(?<!\w)(?:{choices})(?!\w)", re.IGNORECASE)
