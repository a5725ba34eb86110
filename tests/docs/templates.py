"""What a template needs from its context and which blocks it has, read from its source."""

from __future__ import annotations

import re
from pathlib import Path

import django_entra_auth

FOLDER = Path(django_entra_auth.__file__).parent / "templates" / "django_entra_auth"
TOKEN = re.compile(r"{{\s*(.+?)\s*}}|{%\s*(\w+)\s*(.*?)\s*%}", re.DOTALL)
NOTES = re.compile(r"{#.*?#}|{% comment %}.*?{% endcomment %}", re.DOTALL)
TEXTS = re.compile(r"\"[^\"]*\"|'[^']*'")
# A name that is not an attribute, a filter, or the keyword of an argument.
NAME = re.compile(r"(?<![.|:\w])([A-Za-z_]\w*)(?!\w*=)")
WORDS = {
    "and",
    "as",
    "asvar",
    "by",
    "count",
    "if",
    "in",
    "is",
    "not",
    "only",
    "or",
    "trimmed",
    "with",
}
WORDS |= {"True", "False", "None", "noop"}
# Tags whose arguments are not looked up.
LITERAL = {"load", "block", "endblock", "csrf_token", "else", "extends", "static", "plural"}
LITERAL |= {"get_current_language", "get_current_language_bidi"}


def read(name: str) -> str:
    """The source without its comments."""
    return NOTES.sub("", (FOLDER / name).read_text())


def list_names() -> list[str]:
    """The file names of all templates of the app's pages."""
    return sorted(path.name for path in FOLDER.glob("*.html"))


def find_blocks(name: str) -> list[str]:
    """The blocks a template defines or fills, in order."""
    return list(dict.fromkeys(re.findall(r"{% block (\w+) %}", read(name))))


def find_context(name: str) -> set[str]:
    """The variables a template, and what it extends and includes, looks up."""
    source = read(name)
    needed, bound = set[str](), set[str]()
    for variable, tag, arguments in TOKEN.findall(source):
        if variable:
            needed |= names_in(variable)
        elif tag == "for":
            loop, _, sequence = arguments.partition(" in ")
            bound |= names_in(loop.replace(",", " "))
            needed |= names_in(sequence)
        elif tag == "include":
            needed |= include(arguments)
        elif tag not in LITERAL:
            needed |= names_in(re.sub(r"\b(?:asvar|as) \w+", "", arguments))
            bound |= set(re.findall(r"\b(?:asvar|as) (\w+)", arguments))
    for parent in re.findall(r"{% extends \"django_entra_auth/(\w+\.html)\" %}", source):
        needed |= find_context(parent)
    return needed - bound - {"LANGUAGE_CODE", "LANGUAGE_BIDI", "block", "forloop", "request"}


def include(arguments: str) -> set[str]:
    """What an included template needs, besides what it is given; `quiet` is a choice."""
    (path,) = re.findall(r"^\"django_entra_auth/([\w.]+)\"", arguments)
    given = set(re.findall(r"(\w+)=", arguments))
    return (find_context(path) - given - {"quiet"}) | names_in(arguments)


def names_in(expression: str) -> set[str]:
    """The variables of an expression: `a.b|filter:c` looks up a and c."""
    bare = TEXTS.sub(" ", expression)
    bare = re.sub(r"\|\w+:?", " ", bare)
    bare = re.sub(r"\w+=", " ", bare)
    return set(NAME.findall(bare)) - WORDS
