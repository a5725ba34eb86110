"""No text of the pages is written where no translator will ever see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.translations.catalogues import PACKAGE
from tests.translations.python_texts import MARKS, find_prose
from tests.translations.template_texts import find_words

TEMPLATES = sorted(PACKAGE.glob("templates/**/*.html"))
# What shows pages. Commands, checks and the doctor speak English, as Django's own do; so does the
# local Entra, which nobody but a developer sees.
ROOMS = ("admin", "interaction")
MODULES = ("apps.py", "decorators.py", "middleware.py", "mixins.py", "models.py", "views.py")
SOURCES = sorted(
    [path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")]
    + [PACKAGE / name for name in MODULES]
)
# A fault's description, for the log and the operator's records.
NOT_SHOWN = {"The ID token has no auth_time: add the optional claim to the app registration."}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_word_of_a_template_can_be_translated(path: Path) -> None:
    assert find_words(path.read_text(encoding="utf-8")) == []


def test_there_are_templates_of_pages_and_of_the_admin() -> None:
    assert len(TEMPLATES) > 20
    assert {path.relative_to(PACKAGE / "templates").parts[0] for path in TEMPLATES} == {
        "admin",
        "django_entra_auth",
    }


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ('<p>{% translate "Hello" %}</p>', []),
        ("<p>{% blocktranslate %}Hello <b>you</b>{% endblocktranslate %} there</p>", ["there"]),
        ("{# Hello #}{% comment %}Hello{% endcomment %}<!-- Hello -->{{ hello }}", []),
        ('<a title="Help" href="/help/">?</a>', ["Help"]),
        ('<input placeholder="Name"><img alt="Logo"><i aria-label="Close">*</i>', None),
        ('<input type="submit" value="Send"><input type="hidden" value="Send">', ["Send"]),
        ("<script>alert('Hello')</script><style>p {}</style>", []),
        ('<p data-entra-ready="Now">1</p>', ["Now"]),
        ('{{ name|default:"Nobody" }}{{ time|time:"H:i:s" }}', ["Nobody"]),
        ('{{ name|default:_("Nobody") }}{% include "a/b.html" with account="other" %}', []),
        ("HTTP {{ status }}, AADSTS{{ number }}", []),
        ("&rsaquo; &ndash; 3 &nbsp; ({{ count }})", []),
    ],
)
def test_what_counts_as_a_word_of_a_template(source: str, words: list[str] | None) -> None:
    assert find_words(source) == (["Name", "Logo", "Close"] if words is None else words)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_every_sentence_of_a_page_can_be_translated(path: Path) -> None:
    assert set(find_prose(path.read_text(encoding="utf-8"))) - NOT_SHOWN == set()


@pytest.mark.parametrize("mark", sorted(MARKS))
def test_what_counts_as_marked(mark: str) -> None:
    assert find_prose(f'text = {mark}("Please sign in.")') == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('text = "Please sign in."', ["Please sign in."]),
        ('text = f"Please {x} now"', ["Please ", " now"]),
        ('"""A docstring of the module."""\ndef f():\n    """And of this."""', []),
        ('html = \'<p class="a b">{}</p><svg role="img" width="{}"\'', []),
        ('html = "<p>Please wait</p>"', ["<p>Please wait</p>"]),
        ('Button(label="Let one through", log="Let one through.")', ["Let one through"]),
        ('response["Vary"] = "Cookie, Accept and more"', []),
        ('context["title"] = "Please wait"', ["Please wait"]),
        ('raise ValueError("That is a fault")', []),
        ('logger.warning("Sign-in failed: %s", reason)', []),
        ('write_log(request, row, message=f"Signed out {name}.")', []),
        ('{"key": "interaction_needed", "Retry-After": "entra-cell"}', []),
        ('verbose_name = "sign-in of people"', ["sign-in of people"]),
    ],
)
def test_what_counts_as_a_sentence(source: str, found: list[str]) -> None:
    assert find_prose(source) == found
