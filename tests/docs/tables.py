"""Reads the tables of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"
CELL = re.compile(r"(?<!\\)\|")


def read(name: str) -> str:
    """A page of the reference."""
    return (REFERENCE / f"{name}.md").read_text()


def rows(text: str, first: str, heading: str = "") -> list[list[str]]:
    """The rows of all tables whose first column is called `first`, below `heading` if given."""
    if heading:
        text = section(text, heading)
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]]
        if cells[0] == first:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            found.append(cells)
    return found


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    level = heading.index(" ")
    _, found, rest = ("\n" + text).partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def code(cell: str) -> list[str]:
    """Everything in single backticks."""
    return re.findall(r"`([^`]+)`", cell)
