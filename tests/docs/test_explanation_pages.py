"""The explanations name tests that exist and counts that are measured; pictures can be read."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from django_entra_auth.cache import single_flight
from django_entra_auth.interaction import loop_guard
from tests.docs.tables import DOCS, code, rows

ROOT = DOCS.parent
FOLDER = DOCS / "explanation"
THREATS = (FOLDER / "threat-model.md").read_text()
ROWS = rows(THREATS, "threat")
PICTURES = sorted(FOLDER.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


@cache
def find_tests(path: str) -> set[str]:
    """The names of all test functions of a file, those of classes too."""
    tree = ast.parse((ROOT / path).read_text())
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_each_threat_has_a_rule_and_a_test_that_exists(row: list[str]) -> None:
    _, rule, named = row
    assert len(rule) > 10
    assert code(named)
    for one in code(named):
        path, found, name = one.partition("::")
        assert found, one
        assert Path(ROOT / path).is_file(), path
        assert name in find_tests(path), f"{path} has no {name}"


def test_the_tables_of_threats_are_read() -> None:
    assert len(ROWS) == sum(line.count("tests/") > 0 for line in THREATS.splitlines()) > 40


def test_the_counts_of_the_costs_page_are_those_of_the_benchmarks() -> None:
    costs = (FOLDER / "costs.md").read_text()
    counts = {row[0]: row[1:] for row in rows(costs, "request")}
    measured = {
        row[0]: row[1:]
        for row in rows((DOCS / "performance.md").read_text(), "operations of a request")
    }
    more = [
        str(int(ours) - int(djangos))
        for ours, djangos in zip(measured["this project's"], measured["Django's"], strict=True)
    ]
    assert counts["a page with `entra_login_required` and no token"] == more


def test_what_the_costs_page_takes_from_the_report_is_there() -> None:
    costs, report = (FOLDER / "costs.md").read_text(), (DOCS / "performance.md").read_text()
    marks = re.findall(r"^:(?:start-after|end-before): \"(.+)\"$", costs, re.MULTILINE)
    assert len(marks) == 2
    assert report.index(marks[0]) < report.index(marks[1])


def test_numbers_of_the_limits_page_are_those_of_the_code() -> None:
    text = " ".join((FOLDER / "limits.md").read_text().split())
    assert f"`STEP_UP_SECONDS` below {loop_guard.MARK_SECONDS}" in text
    assert single_flight.LOCK_SECONDS == 30


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_pictures_can_be_read_by_everybody(path: Path) -> None:
    """On light and dark pages: an opaque ground below all; and a text for those who see none."""
    root = ElementTree.parse(path).getroot()
    names = {child.get("id"): "".join(child.itertext()) for child in root if child.get("id")}
    assert all(names[name] for name in root.get("aria-labelledby", "").split())
    ground = next(child for child in root if child.tag == f"{SVG}rect")
    _, _, width, height = root.get("viewBox", "").split()
    assert (ground.get("width"), ground.get("height")) == (width, height)
    back = luminance(ground.get("fill", ""))
    for text in root.iter(f"{SVG}text"):
        assert (back + 0.05) / (luminance(text.get("fill", "")) + 0.05) > 7
    users = [page for page in FOLDER.glob("*.md") if path.name in page.read_text()]
    assert users
    assert not list(root.iter(f"{SVG}script"))


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb" (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
