"""Reads message catalogues: what there is to translate, and what each language says."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import django

import django_entra_auth

PACKAGE = Path(django_entra_auth.__file__).parent
ROOT = Path(__file__).parents[2]
PO_FILES = sorted(PACKAGE.glob("locale/*/LC_MESSAGES/*.po"))

_LINE = re.compile(r'(?:(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) )?(".*")')
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sdfr]|%%|\{\w*\}")
_TAG = re.compile(r"<[^>]+>")

Key = tuple[str, str, str]  # the text, its plural or "", its context or ""


@dataclass
class Message:
    """One text; `texts` are its translations, one for each plural form."""

    parts: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)

    @property
    def key(self) -> Key:
        """What marks it in the sources."""
        name = self.parts.get
        return self.parts["msgid"], name("msgid_plural", ""), name("msgctxt", "")

    @property
    def texts(self) -> list[str]:
        """The translations."""
        return [text for name, text in self.parts.items() if name.startswith("msgstr")]

    @property
    def originals(self) -> list[str]:
        """The texts that `texts` stand for, one for one."""
        singular, plural, _context = self.key
        return [singular, *(plural for _ in self.texts[1:])]


def read_po(path: Path) -> dict[Key, Message]:
    """All messages of a catalogue but its head; one that is commented out is none."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    messages = [message for block in blocks if (message := _read_block(block)).parts]
    assert messages[0].key == ("", "", ""), path
    return {message.key: message for message in messages[1:]}


def _read_block(block: str) -> Message:
    message, name = Message(), ""
    for line in block.splitlines():
        if line.startswith("#,"):
            message.flags.update(word.strip() for word in line[2:].split(","))
        elif match := _LINE.fullmatch(line):
            name = match[1] or name
            message.parts[name] = message.parts.get(name, "") + ast.literal_eval(match[2])
        else:
            assert not line or line.startswith("#"), line
    return message


def read_mo(path: Path) -> dict[str | tuple[str, int], str]:
    """A compiled catalogue: translations by text, or by text and number of the plural form."""
    with path.open("rb") as file:
        found: dict[str | tuple[str, int], str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in found.items() if key != ""}


def compile_in_memory(messages: dict[Key, Message]) -> dict[str | tuple[str, int], str]:
    """What a compiled catalogue of these messages holds."""
    found: dict[str | tuple[str, int], str] = {}
    for (text, plural, context), message in messages.items():
        key = f"{context}\x04{text}" if context else text
        if plural:
            found.update({(key, number): one for number, one in enumerate(message.texts)})
        else:
            found[key] = message.texts[0]
    return found


def list_placeholders(text: str) -> list[str]:
    """What is filled in, sorted: languages differ in the order of words."""
    return sorted(_PLACEHOLDER.findall(text))


def list_tags(text: str) -> list[str]:
    """The markup in a text."""
    return _TAG.findall(text)


def cut(text: str) -> list[str]:
    """The pieces of a translation that stand on a page as they are, from word to word."""
    pieces = re.split(f"{_TAG.pattern}|{_PLACEHOLDER.pattern}", text)
    words = (re.sub(r"\A\W+|\W+\Z", "", piece) for piece in pieces)
    return [" ".join(piece.split()) for piece in words if piece]


def find_django_catalogues(language: str) -> Iterator[Path]:
    """Django's own, where it has them for the language."""
    folder = Path(django.__file__).parent
    for app in ("conf", "contrib/admin", "contrib/auth", "contrib/contenttypes"):
        path = folder / app / "locale" / language / "LC_MESSAGES" / "django.po"
        if path.is_file():
            yield path
