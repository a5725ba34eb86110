"""Finds words in a template that no translator will ever see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from django.template.base import Lexer, Token, TokenType

# Names, the same in every language.
NAMES = {"HTTP", "AADSTS"}
SPOKEN = {"alt", "aria-description", "aria-label", "aria-roledescription", "placeholder", "title"}
BUTTONS = {"button", "reset", "submit"}
SILENT = {"script", "style"}
CLASSES = ["block", "bodyclass"]  # stands in an attribute of the admin's own template

_LITERAL = re.compile(r'"([^"]*)"|\'([^\']*)\'')
_PROSE = re.compile(r"[A-Z][a-z]|[a-z]{2,} [a-z]")
_WORD = re.compile(r"[^\W\d_]+")


def find_words(source: str) -> list[str]:
    """Texts outside of `translate` and `blocktranslate` that people would read."""
    tokens = list(_drop_translated(Lexer(source).tokenize()))
    page = "".join(token.contents for token in tokens if token.token_type is TokenType.TEXT)
    reader = PageReader(convert_charrefs=True)
    reader.feed(page)
    reader.close()
    texts = (text for text in reader.texts if set(_WORD.findall(text)) - NAMES)
    return [*(" ".join(text.split()) for text in texts), *_find_literals(tokens)]


def _drop_translated(tokens: list[Token]) -> Iterator[Token]:
    end = ""
    for token in tokens:
        words = token.split_contents() if token.token_type is TokenType.BLOCK else [""]
        name = words[0]
        if end:
            end = "" if name == end else end
        elif name in {"blocktranslate", "blocktrans", "comment"} or words == CLASSES:
            end = f"end{name}"
        elif name not in {"translate", "trans"} and token.token_type is not TokenType.COMMENT:
            yield token
    assert not end


def _find_literals(tokens: list[Token]) -> Iterator[str]:
    """Words handed to tags and filters, as in `|default:"None"`; not those in `_("…")`."""
    for token in tokens:
        if token.token_type in {TokenType.VAR, TokenType.BLOCK}:
            contents = re.sub(r"_\((\"[^\"]*\"|'[^']*')\)", "", token.contents)
            literals = (match[1] or match[2] or "" for match in _LITERAL.finditer(contents))
            yield from (text for text in literals if _PROSE.search(text))


class PageReader(HTMLParser):
    """Collects what a page shows or says."""

    def __init__(self, *, convert_charrefs: bool) -> None:
        super().__init__(convert_charrefs=convert_charrefs)
        self.texts: list[str] = []
        self._silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self._silent = tag if tag in SILENT else self._silent
        spoken = {name for name in named if name in SPOKEN or name.startswith("data-entra-")}
        if tag == "input" and named.get("type") in BUTTONS:
            spoken.add("value")
        self.texts += [named[name] for name in sorted(spoken)]

    def handle_endtag(self, tag: str) -> None:
        self._silent = "" if tag == self._silent else self._silent

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)
