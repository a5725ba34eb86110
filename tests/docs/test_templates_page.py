"""docs/reference/templates.md has every page, block and variable, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import django_entra_auth
from tests.docs import templates
from tests.docs.tables import code, read, rows

PAGE = read("templates")
PAGES = {code(row[0])[0]: row[1:] for row in rows(PAGE, "template", "## Pages")}
PARTS = {code(row[0])[0]: row[1:] for row in rows(PAGE, "template", "## Parts")}


def test_every_template_is_on_the_page() -> None:
    assert sorted({**PAGES, **PARTS}) == templates.list_names()
    assert all(name.startswith("_") for name in PARTS)


def test_blocks_of_the_page_are_those_of_the_templates() -> None:
    found = {name: templates.find_blocks(name) for name in PAGES}
    assert {name: code(blocks) for name, (blocks, _, _) in PAGES.items()} == found


def test_context_of_the_page_is_what_the_templates_look_up() -> None:
    documented = {name: set(code(cells[-2])) for name, cells in {**PAGES, **PARTS}.items()}
    found = {name: templates.find_context(name) for name in documented}
    assert documented == found


def test_what_base_says_of_its_blocks_is_on_the_page() -> None:
    named = [code(row[0])[0] for row in rows(PAGE, "block")]
    assert named == templates.find_blocks("base.html")


def test_static_files_of_the_page_are_those_there_are() -> None:
    folder = Path(django_entra_auth.__file__).parent / "static"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {code(row[0])[0] for row in rows(PAGE, "file")} == files


def test_attributes_of_the_script() -> None:
    script = Path(django_entra_auth.__file__).parent / "static/django_entra_auth/challenge.js"
    read_there = re.findall(r"settings\.entra(\w+)", script.read_text())
    documented = [code(row[0])[0] for row in rows(PAGE, "attribute")]
    assert sorted(documented) == sorted(f"data-entra-{name.lower()}" for name in read_there)


def test_the_reader_of_templates_sees_what_is_there(tmp_path: Path, monkeypatch: object) -> None:
    source = (
        "{# Context: none. #}{% for name, value in form.fields %}{{ name|default:other }}"
        "{% endfor %}{% if a and not b.c %}{% blocktranslate with d=d|upper %}{{ d }}"
        "{% endblocktranslate %}{% endif %}"
        '{% translate "Text" as label %}{{ label }}{% url "name" e f=g %}'
    )
    (tmp_path / "x.html").write_text(source)
    monkeypatch.setattr(templates, "FOLDER", tmp_path)  # type: ignore[attr-defined]
    assert templates.find_context("x.html") == {"form", "other", "a", "b", "d", "e", "g"}
